"""From the arguments that python-engineio's clients take, to the options of the native part."""

import base64
import os
import sys
import urllib.parse

from heartwire.engineio import exceptions


def options(client, url, headers, path):
    """The address and the options for a connection of `client`."""
    url = _check_url(url)
    sent = [(str(name), _as_bytes(value)) for name, value in (headers or {}).items()]
    found = {
        "path": path,
        "headers": sent,
        "transports": client.transports,
        "request_timeout": client.request_timeout,
        "close_timeout": client.close_timeout,
        "timestamp_requests": bool(client.timestamp_requests),
        "send_limits": tuple(client.send_limits),
        "receive_limit": client.receive_limit,
        "max_message": client.max_message,
    }
    if client.reconnection:
        given = {} if client.reconnection is True else dict(client.reconnection)
        found["retry_first"] = given.pop("retry_first", False)
        found["reconnect"] = given
    verify = client.ssl_verify
    session = client.http
    if session is not None and not is_left_to_session(session):
        url, verify = _from_session(session, url, verify, found)
    if verify is True:
        verify = _environment_authorities()
    if verify is False:
        found["accept_invalid_certificates"] = True
    elif isinstance(verify, (str, os.PathLike)):
        found["authorities"] = read_authorities(verify)
    _from_websocket_options(dict(client.websocket_extra_options), found)
    return url, found


def is_left_to_session(session):
    """Whether the session does more than options can say, so that it has to send requests itself."""
    if session is None:
        return False
    requests = sys.modules.get("requests")
    if requests is None or type(session) is not requests.Session:
        return True
    adapters = getattr(session, "adapters", {})
    plain = all(type(adapter) is requests.adapters.HTTPAdapter for adapter in adapters.values())
    hooks = any((session.hooks or {}).values())
    auth = session.auth
    known = auth is None or isinstance(auth, (tuple, requests.auth.HTTPBasicAuth))
    replaced = "request" in vars(session) or "send" in vars(session)
    return not plain or hooks or replaced or not known or len(adapters) != 2


def _check_url(url):
    parsed = urllib.parse.urlparse(url)
    if not parsed.netloc:
        raise exceptions.InvalidURL(
            f"{url!r} is no address of a server: write it as http://host:port"
        )
    # Whatever the scheme, it was always HTTP.
    if parsed.scheme not in ("http", "https", "ws", "wss"):
        parsed = parsed._replace(scheme="http")
    return urllib.parse.urlunparse(parsed)


def _from_session(session, url, verify, found):
    """What a `requests.Session` knows."""
    given = {name.lower() for name, _ in found["headers"]}
    library = ("user-agent", "accept-encoding", "accept", "connection")
    for name, value in dict(getattr(session, "headers", None) or {}).items():
        if name.lower() not in given and value is not None:
            # What every session of the library has is not what the program has said.
            if name.lower() in library and _is_default(name, value):
                continue
            found["headers"].append((name, _as_bytes(value)))
    cookies = getattr(session, "cookies", None)
    if cookies:
        cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)
        add_cookie(found["headers"], cookie)
    auth = getattr(session, "auth", None)
    if auth is not None:
        if not isinstance(auth, tuple):
            auth = (auth.username, auth.password)
        if "authorization" not in given:
            token = base64.b64encode(":".join(auth).encode()).decode()
            found["headers"].append(("Authorization", f"Basic {token}".encode()))
    if verify is True and getattr(session, "verify", True) is not None:
        verify = getattr(session, "verify", True)
    cert = getattr(session, "cert", None)
    if cert:
        found["identity"] = read_identity(cert)
    secure = urllib.parse.urlparse(url).scheme in ("https", "wss")
    proxies = getattr(session, "proxies", None) or {}
    proxy = proxies.get("https" if secure else "http") or proxies.get("all")
    if proxy:
        found["proxy"] = proxy
    elif not getattr(session, "trust_env", True):
        found["proxy"] = None
    params = getattr(session, "params", None)
    if params:
        parsed = urllib.parse.urlparse(url)
        query = "&".join(part for part in (parsed.query, urllib.parse.urlencode(params)) if part)
        url = urllib.parse.urlunparse(parsed._replace(query=query))
    return url, verify


def _is_default(name, value):
    if name.lower() == "user-agent":
        return str(value).startswith("python-requests/")
    return True


def _from_websocket_options(given, found):
    """What websocket-client's `create_connection` takes, as far as it means something here."""
    headers = found["headers"]
    header = given.pop("header", None) or {}
    if not isinstance(header, dict):
        header = dict(line.split(":", 1) for line in header)
    headers.extend((name, _as_bytes(str(value).strip())) for name, value in header.items())
    cookie = given.pop("cookie", None)
    if cookie:
        add_cookie(headers, cookie)
    origin = given.pop("origin", None)
    if origin:
        headers.append(("Origin", _as_bytes(origin)))
    host = given.pop("host", None)
    if host:
        headers.append(("Host", _as_bytes(host)))
    given.pop("suppress_origin", None)
    given.pop("enable_multithread", None)
    timeout = given.pop("timeout", None)
    if timeout is not None:
        found["request_timeout"] = timeout
    _from_sslopt(dict(given.pop("sslopt", None) or {}), found)
    proxy_host = given.pop("http_proxy_host", None)
    port = given.pop("http_proxy_port", None)
    auth = given.pop("http_proxy_auth", None)
    kind = given.pop("proxy_type", None) or "http"
    if proxy_host:
        user = ""
        if auth:
            name, password = (urllib.parse.quote(part or "", safe="") for part in auth)
            user = f"{name}:{password}@"
        found["proxy"] = f"{kind}://{user}{proxy_host}:{port or 80}"
    no_proxy = given.pop("http_no_proxy", None)
    if no_proxy and "*" in no_proxy:
        found["proxy"] = None
    if given:
        names = ", ".join(sorted(given))
        raise TypeError(f"websocket_extra_options: {names} cannot be used here")


def _from_sslopt(given, found):
    import ssl

    authorities = given.pop("ca_certs", None) or given.pop("ca_cert_path", None)
    given.pop("ca_cert_path", None)
    if authorities:
        found["authorities"] = read_authorities(authorities)
    certificate, key = given.pop("certfile", None), given.pop("keyfile", None)
    password = given.pop("password", None)
    if password:
        raise TypeError("websocket_extra_options: sslopt: password: give the key unencrypted")
    if certificate:
        found["identity"] = read_identity((certificate, key) if key else certificate)
    if given.pop("cert_reqs", None) == ssl.CERT_NONE:
        found["accept_invalid_certificates"] = True
    if given.pop("check_hostname", True) is False:
        # Who the server says that it is cannot be checked by halves.
        found["accept_invalid_certificates"] = True
    if given:
        names = ", ".join(sorted(given))
        raise TypeError(f"websocket_extra_options: sslopt: {names} cannot be used here")


def add_cookie(headers, cookie):
    """Adds to the cookies that are sent."""
    for place, (name, value) in enumerate(headers):
        if name.lower() == "cookie":
            headers[place] = (name, value + b"; " + _as_bytes(cookie))
            return
    headers.append(("Cookie", _as_bytes(cookie)))


def read_authorities(place):
    """Certificates in PEM: those of a file, or of the files of a folder."""
    place = os.fspath(place)
    if not os.path.isdir(place):
        with open(place, "rb") as file:
            return file.read()
    found = []
    for name in sorted(os.listdir(place)):
        path = os.path.join(place, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found.append(file.read())
    return b"\n".join(found)


def read_identity(place):
    """A certificate and its key in PEM, from one file or two."""
    places = [place] if isinstance(place, (str, os.PathLike)) else place
    found = []
    for path in places:
        with open(path, "rb") as file:
            found.append(file.read())
    return b"\n".join(found)


def _environment_authorities():
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        place = os.environ.get(name)
        if place:
            return place
    return True


def _as_bytes(value):
    if isinstance(value, bytes):
        return value
    # As HTTP libraries of Python do.
    try:
        return str(value).encode("latin-1")
    except UnicodeEncodeError:
        return str(value).encode()
