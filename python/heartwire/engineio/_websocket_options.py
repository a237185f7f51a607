"""`websocket_extra_options`: what programs say about WebSockets, in the words of websocket-client or of
aiohttp. It concerns WebSockets alone. A word that has no meaning here is refused, never ignored."""

from __future__ import annotations

import os
import ssl
import urllib.parse
from collections.abc import Mapping
from typing import Any

from heartwire.engineio import _certificates, _ciphers

#: Why there is no option of websocket-client.
_NOT_FOR_THREADS = {
    "class_": "there is no object of websocket-client's",
    "dispatcher": "the network has a thread of its own",
    "fire_cont_frame": "messages arrive whole",
    "http_proxy_timeout": "what a proxy takes is a part of timeout",
    "redirect_limit": "ten redirects are followed",
    "skip_utf8_validation": "text is always checked",
    "socket": "the network opens its sockets itself, which sockopt is for",
    "suppress_host": "HTTP/1.1 wants a Host header",
}

#: Why there is no option of aiohttp.
_NOT_FOR_ASYNCIO = {
    "autoclose": "a WebSocket that is closed has ended",
    "autoping": "pings are always answered",
    "compress": "messages are not compressed",
    "decode_text": "text messages are strings",
    "fingerprint": "certificates are known by their authority",
    "heartbeat": "the server sends pings, as Engine.IO has it",
    "max_msg_size": "max_message of the client says that for every transport",
    "method": "WebSockets begin with GET",
    "proxy_headers": "a proxy is told a name and a password only, by proxy_auth",
    "receive_timeout": "the server says how long it may be silent, as ping_interval and ping_timeout",
    "timeout": "close_timeout of the client says that for every transport",
}

#: Why there is no option of `sslopt`.
_NOT_OF_TLS = {
    "cert_chain": "certfile may have a whole chain",
    "context": "what it holds cannot all be read; name ca_certs, certfile, ciphers and so on instead",
    "ecdh_curve": "the safest that both sides have is taken",
    "ssl_version": "TLS 1.2 and 1.3 are spoken, the newest that both sides have",
}


def apply_for_threads(
    given: Mapping[str, Any], url: str, found: dict[str, Any], tls: dict[str, Any]
) -> dict[str, Any]:
    """Reads the words of websocket-client's `create_connection`. Returns the options of TLS."""
    given = dict(given)
    headers: list[tuple[str, bytes]] = found["websocket_headers"]
    header = given.pop("header", None) or {}
    if not isinstance(header, dict):
        header = dict(line.split(":", 1) for line in header)
    _add_headers(headers, header)
    cookie = given.pop("cookie", None)
    if cookie:
        add_cookie(headers, cookie)
    host = given.pop("host", None)
    if host:
        headers.append(("Host", as_bytes(host)))
    origin = given.pop("origin", None)
    suppressed = given.pop("suppress_origin", False)
    if not suppressed and not _has(found["headers"] + headers, "origin"):
        headers.append(("Origin", as_bytes(origin or _origin_of(url))))
    timeout = given.pop("timeout", None)
    if timeout is not None:
        found["websocket_timeout"] = timeout
    subprotocols = given.pop("subprotocols", None)
    if subprotocols:
        found["subprotocols"] = list(subprotocols)
    sockopt = given.pop("sockopt", None)
    if sockopt:
        found["sockopt"] = [(level, name, value) for level, name, value in sockopt]
    tls = _apply_sslopt(given.pop("sslopt", None), tls)
    _apply_proxy(given, url, found)
    # These say what is so anyway.
    _drop_usual(
        given,
        {
            "enable_multithread": given.get("enable_multithread"),
            "fire_cont_frame": False,
            "skip_utf8_validation": False,
            "socket": None,
            "suppress_host": False,
        },
    )
    _refuse(given, _NOT_FOR_THREADS)
    return tls


def apply_for_asyncio(
    given: Mapping[str, Any], url: str, found: dict[str, Any], tls: dict[str, Any]
) -> dict[str, Any]:
    """Reads the words of aiohttp's `ClientSession.ws_connect`. Returns the options of TLS."""
    given = dict(given)
    headers: list[tuple[str, bytes]] = found["websocket_headers"]
    _add_headers(headers, given.pop("headers", None) or {})
    origin = given.pop("origin", None)
    if origin:
        headers.append(("Origin", as_bytes(origin)))
    protocols = given.pop("protocols", None)
    if protocols:
        found["subprotocols"] = list(protocols)
    params = given.pop("params", None)
    if params:
        pairs = params.items() if hasattr(params, "items") else params
        found["queries"] += [("websocket", str(key), str(value)) for key, value in pairs]
    login = given.pop("auth", None)
    if login:
        headers.append(("Authorization", as_bytes(login.encode())))
    given_tls = given.pop("ssl_context", None) or given.pop("ssl", True)
    if given_tls is False or given.pop("verify_ssl", True) is False:
        tls = {"accept_any": True}
    elif given_tls is not None and given_tls is not True:
        if not isinstance(given_tls, ssl.SSLContext):
            raise TypeError(
                f"websocket_extra_options: ssl: {type(given_tls).__name__} is not available, "
                "only False or an SSLContext"
            )
        tls = _certificates.from_context(given_tls, "websocket_extra_options: ssl")
    # aiohttp has no such word: what an SSLContext shows to servers cannot be read.
    sslopt = given.pop("sslopt", None)
    if sslopt:
        tls = _apply_sslopt(sslopt, tls)
    name = given.pop("server_hostname", None)
    if name:
        tls = {**tls, "server_name": name}
    proxy = given.pop("proxy", None)
    auth = given.pop("proxy_auth", None)
    if proxy:
        found["websocket_proxy"] = (with_user(str(proxy), auth), "")
    # These say what is so anyway.
    _drop_usual(
        given,
        {
            "autoclose": True,
            "autoping": True,
            "compress": 0,
            "decode_text": True,
            "heartbeat": None,
            "method": "GET",
            "proxy_headers": None,
            "receive_timeout": None,
        },
    )
    _refuse(given, _NOT_FOR_ASYNCIO)
    return tls


def _apply_sslopt(sslopt: Mapping[str, Any] | None, tls: dict[str, Any]) -> dict[str, Any]:
    if not sslopt:
        place = os.environ.get("WEBSOCKET_CLIENT_CA_BUNDLE")
        if place and not tls.get("accept_any"):
            return {**tls, "authorities": _certificates.read_authorities(place)}
        return tls
    given = dict(sslopt)
    # What is said here counts instead of the rest: whoever names authorities wants them to be asked.
    found = {key: value for key, value in tls.items() if key == "identity"}
    authorities = given.pop("ca_certs", None)
    folder = given.pop("ca_cert_path", None)
    authorities = authorities or folder or os.environ.get("WEBSOCKET_CLIENT_CA_BUNDLE")
    if authorities:
        found["authorities"] = _certificates.read_authorities(authorities)
    elif not tls.get("accept_any") and "authorities" in tls:
        found["authorities"] = tls["authorities"]
    certificate, key = given.pop("certfile", None), given.pop("keyfile", None)
    password = given.pop("password", None)
    if certificate:
        found["identity"] = _certificates.read_identity((certificate, key), password)
    if given.pop("cert_reqs", ssl.CERT_REQUIRED) == ssl.CERT_NONE:
        found["accept_any"] = True
    if not given.pop("check_hostname", True):
        found["accept_any_name"] = True
    name = given.pop("server_hostname", None)
    if name:
        found["server_name"] = name
    ciphers = given.pop("ciphers", None)
    if ciphers:
        found["cipher_suites"] = _ciphers.chosen(ciphers)
    version = given.pop("ssl_version", None)
    if version not in (None, ssl.PROTOCOL_TLS, ssl.PROTOCOL_TLS_CLIENT):
        given["ssl_version"] = version
    _refuse(given, _NOT_OF_TLS, "sslopt: ")
    return found


def _apply_proxy(given: dict[str, Any], url: str, found: dict[str, Any]) -> None:
    host, port = given.pop("http_proxy_host", None), given.pop("http_proxy_port", None)
    auth = given.pop("http_proxy_auth", None)
    kind = given.pop("proxy_type", None) or "http"
    excepted = given.pop("http_no_proxy", None) or []
    if isinstance(excepted, str):
        excepted = excepted.split(",")
    if host:
        found["websocket_proxy"] = (
            with_user(f"{kind}://{host}:{port or 80}", auth),
            ",".join(excepted),
        )
    elif "*" in excepted or urllib.parse.urlsplit(url).hostname in excepted:
        found["websocket_proxy"] = None


def with_user(url: str, auth: Any) -> str:
    """The address of a proxy, with the name and password that it asks for."""
    if not auth:
        return url
    user, password = (urllib.parse.quote(part or "", safe="") for part in tuple(auth)[:2])
    parsed = urllib.parse.urlsplit(url)
    place = parsed.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit(parsed._replace(netloc=f"{user}:{password}@{place}"))


def _origin_of(url: str) -> str:
    """What a page of the server itself would say."""
    parsed = urllib.parse.urlsplit(url)
    secure = parsed.scheme in ("https", "wss")
    host = f"[{parsed.hostname}]" if ":" in (parsed.hostname or "") else parsed.hostname
    usual = 443 if secure else 80
    port = "" if parsed.port in (None, usual) else f":{parsed.port}"
    return f"http{'s' if secure else ''}://{host}{port}"


def add_cookie(headers: list[tuple[str, bytes]], cookie: Any) -> None:
    """Adds to the cookies that are sent."""
    for place, (name, value) in enumerate(headers):
        if name.lower() == "cookie":
            headers[place] = (name, value + b"; " + as_bytes(cookie))
            return
    headers.append(("Cookie", as_bytes(cookie)))


def as_bytes(value: Any) -> bytes:
    """The value of a header."""
    if isinstance(value, bytes):
        return value
    # As HTTP libraries of Python do.
    try:
        return str(value).encode("latin-1")
    except UnicodeEncodeError:
        return str(value).encode()


def _add_headers(headers: list[tuple[str, bytes]], given: Mapping[str, Any]) -> None:
    headers.extend((str(name).strip(), as_bytes(_stripped(value))) for name, value in given.items())


def _stripped(value: Any) -> bytes | str:
    return value if isinstance(value, bytes) else str(value).strip()


def _has(headers: list[tuple[str, bytes]], wanted: str) -> bool:
    return any(name.lower() == wanted for name, _ in headers)


def _drop_usual(given: dict[str, Any], usual: Mapping[str, Any]) -> None:
    for key, value in usual.items():
        if key in given and given[key] == value:
            del given[key]


def _refuse(given: Mapping[str, Any], reasons: Mapping[str, str], place: str = "") -> None:
    for name in sorted(given):
        why = reasons.get(name, "it is not known here")
        raise TypeError(f"websocket_extra_options: {place}{name} is not available: {why}")
