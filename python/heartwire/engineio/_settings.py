"""From the arguments that python-engineio's clients take, to the options of the native part."""

from __future__ import annotations

import base64
import os
import sys
import urllib.parse
from collections.abc import Mapping
from typing import Any

from heartwire.engineio import _certificates, _cookies, _websocket_options, exceptions
from heartwire.engineio._websocket_options import as_bytes

#: What `reconnection` may say.
_RECONNECTION = ("delay", "delay_max", "randomization_factor", "attempts", "retry_first")


def options(
    client: Any, url: str, headers: Mapping[str, Any] | None, path: str
) -> tuple[str, dict[str, Any], list[tuple[str, str]]]:
    """The address, the options for a connection of `client`, and the cookies that it has for the
    server."""
    url = _check_url(url)
    sent = [(str(name), as_bytes(value)) for name, value in (headers or {}).items()]
    found: dict[str, Any] = {
        "path": path,
        "headers": sent,
        "websocket_headers": [],
        "queries": [],
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
        for name in given:
            if name not in _RECONNECTION:
                raise TypeError(f"reconnection: there is no {name!r}, but {', '.join(_RECONNECTION)}")
        found["retry_first"] = given.pop("retry_first", False)
        found["reconnect"] = given
    session = client.http
    cookies: list[tuple[str, str]] = []
    tls: dict[str, Any] = {}
    if session is None:
        tls = _verification(client.ssl_verify, True)
        websocket_tls = tls
    else:
        endpoint = urllib.parse.urlsplit(_web_url(url))._replace(path=f"/{path.strip('/')}/")
        cookies = _cookies.of_session(session, endpoint.geturl())
        if is_left_to_session(session):
            # What is said here is for WebSockets: requests are the session's own.
            websocket_tls = _from_left_session(session, client.ssl_verify, url, found)
        else:
            url, tls = _from_session(session, client.ssl_verify, url, found)
            websocket_tls = tls
    extra = client.websocket_extra_options
    if client.is_asyncio_based():
        websocket_tls = _websocket_options.apply_for_asyncio(extra, url, found, websocket_tls)
    else:
        websocket_tls = _websocket_options.apply_for_threads(extra, url, found, websocket_tls)
    _combine_cookies(found)
    named = {
        name
        for header, value in sent
        if header.lower() == "cookie"
        for name, _ in _cookies.pairs(value.decode("latin-1"))
    }
    cookies = [(name, value) for name, value in cookies if name not in named]
    url = _adopt_urls(client, url, path, found)
    if tls:
        found["tls"] = tls
    if websocket_tls != tls:
        found["websocket_tls"] = websocket_tls
    return url, found, cookies


def is_left_to_session(session: Any) -> bool:
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
    left: bool = not plain or hooks or replaced or not known or len(adapters) != 2
    return left


def _adopt_urls(client: Any, url: str, path: str, found: dict[str, Any]) -> str:
    """Lets methods that a program has replaced say where requests go. Returns the address."""
    if client._replaces("_get_url_timestamp"):
        # Requests are left to Python then, which asks again for each.
        found["timestamp_requests"] = False
        stamp = client._get_url_timestamp().lstrip("&")
        found["queries"] += [
            ("websocket", key, value)
            for key, value in urllib.parse.parse_qsl(stamp, keep_blank_values=True)
        ]
    if not client._replaces("_get_engineio_url"):
        return url
    places = {}
    for way in client.transports:
        parsed = urllib.parse.urlparse(client._get_engineio_url(url, path, way))
        places[(_web_url(parsed.scheme), parsed.netloc, parsed.path)] = parsed
        pairs = urllib.parse.parse_qsl(parsed.query, keep_blank_values=True)
        found["queries"] += [
            (way, key, value) for key, value in pairs if key not in ("transport", "EIO")
        ]
    if len(places) > 1:
        raise ValueError("_get_engineio_url() has to name the same place for all transports")
    ((scheme, place, found["path"]),) = places
    return f"{scheme}://{place}/"


def _check_url(url: str) -> str:
    try:
        parsed = urllib.parse.urlparse(url)
        _ = parsed.port
    except ValueError as error:
        raise exceptions.InvalidURL(f"{url!r} is no address of a server: {error}") from error
    if not parsed.netloc:
        raise exceptions.InvalidURL(
            f"{url!r} is no address of a server: write it as http://host:port"
        )
    # Whatever the scheme, it was always HTTP.
    if parsed.scheme not in ("http", "https", "ws", "wss"):
        parsed = parsed._replace(scheme="http")
    return urllib.parse.urlunparse(parsed)


def _web_url(url: str) -> str:
    """The same address, as requests have it."""
    return "http" + url[2:] if url.startswith("ws") else url


def _verification(verify: Any, trust_env: bool) -> dict[str, Any]:
    """The options of TLS for what `ssl_verify` or `session.verify` says."""
    if verify is True:
        verify = _certificates.authorities_of_environment(trust_env) or True
    if isinstance(verify, (str, os.PathLike)):
        return {"authorities": _certificates.read_authorities(verify)}
    return {} if verify else {"accept_any": True}


def _from_session(
    session: Any, ssl_verify: Any, url: str, found: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """What a `requests.Session` knows, for every request. Returns the address and the options of TLS."""
    found["headers"] += _headers(session, found["headers"])
    proxies, trust_env = dict(session.proxies or {}), session.trust_env
    proxy = _proxy(proxies, _web_url(url))
    excepted = proxies.get("no_proxy") or ""
    if proxy:
        found["proxy"] = (proxy, excepted)
    elif not trust_env:
        found["proxy"] = None
    _websocket_proxy(proxies, url, found)
    parsed = urllib.parse.urlparse(url)
    params = urllib.parse.urlencode(_pairs(session.params), doseq=True)
    query = "&".join(part for part in (parsed.query, params) if part)
    return urllib.parse.urlunparse(parsed._replace(query=query)), _tls(session, ssl_verify)


def _from_left_session(
    session: Any, ssl_verify: Any, url: str, found: dict[str, Any]
) -> dict[str, Any]:
    """What a session that sends requests itself has to say about WebSockets. Returns the options of TLS."""
    found["websocket_headers"] += _headers(session, found["headers"])
    found["queries"] += [
        ("websocket", str(key), str(value))
        for key, values in _pairs(getattr(session, "params", None))
        for value in (values if isinstance(values, (list, tuple)) else [values])
    ]
    if hasattr(session, "connector"):
        return _from_aiohttp(session, ssl_verify, found)
    proxies = getattr(session, "proxies", None)
    proxies = dict(proxies) if isinstance(proxies, dict) else {}
    proxy = _proxy(proxies, _web_url(url))
    if proxy:
        found["websocket_proxy"] = (proxy, proxies.get("no_proxy") or "")
    elif not getattr(session, "trust_env", True):
        found["websocket_proxy"] = None
    _websocket_proxy(proxies, url, found)
    return _tls(session, ssl_verify)


def _from_aiohttp(session: Any, ssl_verify: Any, found: dict[str, Any]) -> dict[str, Any]:
    if "websocket" not in found["transports"]:
        return {}
    _check_aiohttp(session)
    proxy = getattr(session, "_default_proxy", None)
    if proxy:
        auth = getattr(session, "_default_proxy_auth", None)
        found["websocket_proxy"] = (_websocket_options.with_user(str(proxy), auth), "")
    elif not session.trust_env:
        found["websocket_proxy"] = None
    if not ssl_verify:
        return {"accept_any": True}
    import ssl

    given = getattr(session.connector, "_ssl", True)
    if isinstance(given, ssl.SSLContext):
        return _certificates.from_context(given, "http_session: connector: ssl")
    if not isinstance(given, bool):
        _refuse_of_aiohttp(f"connector: ssl: {type(given).__name__}", "only a bool or an SSLContext is")
    return _verification(given is not False and ssl_verify, session.trust_env)


def _check_aiohttp(session: Any) -> None:
    """Raises `TypeError` for what a session of aiohttp does with WebSockets, and the native part cannot."""
    aiohttp = sys.modules.get("aiohttp")
    if aiohttp is None:
        return
    connector = session.connector
    if connector is not None and type(connector) is not aiohttp.TCPConnector:
        _refuse_of_aiohttp(f"connector: {type(connector).__name__}", "the network opens its sockets itself")
    resolver = getattr(connector, "_resolver", None)
    known = (aiohttp.ThreadedResolver, aiohttp.AsyncResolver, aiohttp.DefaultResolver)
    if resolver is not None and type(resolver) not in known:
        _refuse_of_aiohttp(f"connector: resolver: {type(resolver).__name__}", "the system is asked for names")
    if getattr(connector, "_local_addr_infos", None):
        _refuse_of_aiohttp("connector: local_addr", "the system chooses it")
    if getattr(connector, "family", 0):
        _refuse_of_aiohttp("connector: family", "every address of the server is tried")
    if getattr(session, "_middlewares", None):
        _refuse_of_aiohttp("middlewares", "they are for requests")


def _refuse_of_aiohttp(name: str, why: str) -> None:
    raise TypeError(
        f"http_session: {name} is not available for WebSockets: {why}; "
        "connect with transports=['polling'] to have every request sent by the session"
    )


def _tls(session: Any, ssl_verify: Any) -> dict[str, Any]:
    verify = ssl_verify
    own = getattr(session, "verify", True)
    if verify is True and own is not None:
        verify = own
    tls = _verification(verify, getattr(session, "trust_env", True))
    cert = getattr(session, "cert", None)
    if cert:
        tls["identity"] = _certificates.read_identity(cert)
    return tls


def _headers(session: Any, before: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The headers of a session, but those that have been given already."""
    given = {name.lower() for name, _ in before}
    library = ("user-agent", "accept-encoding", "accept", "connection")
    found: list[tuple[str, bytes]] = []
    for name, value in dict(getattr(session, "headers", None) or {}).items():
        if name.lower() in given or value is None:
            continue
        # What every session of the library has is not what the program has said.
        if name.lower() in library and _is_default(name, value):
            continue
        found.append((str(name), as_bytes(value)))
    auth: Any = getattr(session, "auth", None)
    if hasattr(auth, "username") and hasattr(auth, "password"):
        auth = (auth.username, auth.password)
    elif hasattr(auth, "login"):
        auth = (auth.login, auth.password)
    if type(auth) is tuple and "authorization" not in given:
        token = base64.b64encode(":".join(map(str, auth)).encode()).decode()
        found = [(name, value) for name, value in found if name.lower() != "authorization"]
        found.append(("Authorization", f"Basic {token}".encode()))
    return found


def _is_default(name: str, value: Any) -> bool:
    if name.lower() == "user-agent":
        return str(value).startswith(("python-requests/", "python-httpx/"))
    return True


def _proxy(proxies: dict[str, str], url: str) -> str | None:
    """The proxy that a session of requests would take."""
    if not proxies:
        return None
    parsed = urllib.parse.urlsplit(url)
    kind, host = parsed.scheme, parsed.hostname
    for key in (f"{kind}://{host}", kind, f"all://{host}", "all"):
        if proxies.get(key):
            return proxies[key]
    return None


def _websocket_proxy(proxies: dict[str, str], url: str, found: dict[str, Any]) -> None:
    secure = urllib.parse.urlsplit(url).scheme in ("https", "wss")
    proxy = proxies.get("wss" if secure else "ws")
    if proxy:
        found["websocket_proxy"] = (proxy, proxies.get("no_proxy") or "")


def _pairs(params: Any) -> list[tuple[Any, Any]]:
    if not params:
        return []
    if isinstance(params, str):
        return urllib.parse.parse_qsl(params, keep_blank_values=True)
    return list(params.items()) if hasattr(params, "items") else list(params)


def _combine_cookies(found: dict[str, Any]) -> None:
    """A WebSocket's own cookies come beside those of every request, not in their place."""
    own = found["websocket_headers"]
    every = b"; ".join(value for name, value in found["headers"] if name.lower() == "cookie")
    if every and any(name.lower() == "cookie" for name, _ in own):
        found["websocket_headers"] = [
            (name, every + b"; " + value if name.lower() == "cookie" else value)
            for name, value in own
        ]
