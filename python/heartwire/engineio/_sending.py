"""Requests of polling sessions, sent by the session of an HTTP library.

That is left to the library where a program has taught it something: adapters, hooks, ways to
authenticate, or another library altogether. WebSockets are not opened this way.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heartwire.engineio import _cookies

if TYPE_CHECKING:
    from heartwire import _native

#: Polling has a GET under way while it posts.
_THREADS = 2


def send_in_threads(client: Any, http: Any, requests: _native.Requests) -> None:
    """Serves the requests of a connection until it has ended."""
    check(http)
    for number in range(1, _THREADS + 1):
        thread = threading.Thread(
            target=_serve,
            args=(client, http, requests),
            name=f"heartwire-requests-{number}",
            daemon=True,
        )
        thread.start()


def check(http: Any) -> None:
    """Raises `TypeError` for an HTTP session that cannot send requests."""
    if not hasattr(http, "request"):
        raise TypeError(f"http_session has no method request(): {http!r}")


def send_in_thread(client: Any, http: Any, exchange: _native.Exchange) -> None:
    """Serves one request."""
    name = "heartwire-requests"
    threading.Thread(target=_serve_one, args=(client, http, exchange), name=name, daemon=True).start()


def _serve(client: Any, http: Any, requests: _native.Requests) -> None:
    while (exchange := requests.take()) is not None:
        _serve_one(client, http, exchange)


def _serve_one(client: Any, http: Any, exchange: _native.Exchange) -> None:
    try:
        arguments = _arguments(client, exchange)
        if client._replaces("_send_request"):
            answer = client._send_request(*arguments)
        else:
            answer = send(client, http, *arguments)
        if answer is None or isinstance(answer, str):
            exchange.fail(answer or "no answer")
        else:
            exchange.succeed(answer.status_code, _answered(answer), answer.content)
    except Exception as error:
        exchange.fail(f"{type(error).__name__}: {error}")


def send(
    client: Any,
    http: Any,
    method: str,
    url: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    timeout: float | None = None,
) -> Any:
    """Sends a request by a session of requests, or one that is like it."""
    # `ssl_verify` counts where it says more than the default. What a session says has to be repeated:
    # requests would take what the environment says instead.
    verify = getattr(http, "verify", None) if client.ssl_verify is True else client.ssl_verify
    verify = {} if verify in (None, True) else {"verify": verify}
    try:
        return http.request(
            method,
            url,
            headers=headers,
            data=body,
            timeout=timeout,
            allow_redirects=False,
            **verify,
        )
    except Exception as error:
        shown = f"{type(error).__name__}: {error}"
        client.logger.info("HTTP %s request to %s failed with error %s.", method, url, shown)
        return shown


def _answered(answer: Any) -> list[tuple[str, str]]:
    """The headers of an answer. Those of requests are joined where there are several of a name, which
    cookies must not be."""
    raw: Any = getattr(getattr(answer, "raw", None), "headers", None)
    headers = raw if hasattr(raw, "getlist") else answer.headers
    return [(str(name), str(value)) for name, value in headers.items()]


async def send_in_task(client: Any, http: Any, exchange: _native.Exchange) -> None:
    """Serves one request."""
    try:
        arguments = _arguments(client, exchange)
        if client._replaces("_send_request"):
            answer = await client._send_request(*arguments)
        else:
            answer = await send_async(client, http, *arguments)
        if answer is None or isinstance(answer, str):
            exchange.fail(answer or "no answer")
        else:
            exchange.succeed(answer.status, _answered(answer), await answer.read())
    except asyncio.CancelledError:
        exchange.fail("the request was cancelled")
        raise
    except Exception as error:
        exchange.fail(f"{type(error).__name__}: {error}")


async def send_async(
    client: Any,
    http: Any,
    method: str,
    url: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    timeout: float | None = None,
) -> Any:
    """Sends a request by a session of aiohttp."""
    import aiohttp

    arguments = {} if client.ssl_verify else {"ssl": False}
    try:
        answer = await http.request(
            method,
            url,
            headers=headers,
            data=body,
            timeout=aiohttp.ClientTimeout(total=timeout),
            allow_redirects=False,
            **arguments,
        )
        # The connection is free for another request then.
        await answer.read()
        return answer
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        shown = f"{type(error).__name__}: {error}"
        client.logger.info("HTTP %s request to %s failed with error %s.", method, url, shown)
        return shown


def _arguments(
    client: Any, exchange: _native.Exchange
) -> tuple[str, str, dict[str, str], bytes | None, float]:
    """Method, address, headers, body and seconds."""
    url = exchange.url
    if exchange.method == "GET" and client._replaces("_get_url_timestamp"):
        url += client._get_url_timestamp()
    body = exchange.body or None
    return exchange.method, url, _headers(exchange), body, _timeout(client, exchange)


def _headers(exchange: _native.Exchange) -> dict[str, str]:
    # The session keeps cookies itself, and says who it is.
    return {
        name: value
        for name, value in exchange.headers
        if name != "cookie" and not (name == "user-agent" and value.startswith("heartwire/"))
    }


def _timeout(client: Any, exchange: _native.Exchange) -> float:
    """Seconds for an answer. A GET of an open session lasts until there is something to say."""
    seconds: float = client.request_timeout
    if exchange.method == "GET" and "sid=" in exchange.url:
        seconds += (client.ping_interval or 25) + (client.ping_timeout or 20)
    return seconds


def give_cookies(session: Any, headers: Mapping[str, Any] | None) -> None:
    """Hands the cookies that a program gives as a header to the session, which sends them."""
    jar = getattr(session, "cookies", None)
    if jar is None or not hasattr(jar, "set"):
        jar = getattr(session, "cookie_jar", None)
    for name, value in (headers or {}).items():
        if name.lower() != "cookie" or jar is None:
            continue
        for key, content in _cookies.pairs(str(value)):
            if hasattr(jar, "set"):
                jar.set(key, content)
            else:
                with contextlib.suppress(Exception):
                    jar.update_cookies({key: content})
