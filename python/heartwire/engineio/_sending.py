"""Requests of polling sessions, sent by the session of an HTTP library.

That is left to the library where a program has taught it something: adapters, hooks, ways to
authenticate, or another library altogether. WebSockets are not opened this way.
"""

import asyncio
import contextlib
import threading

#: Polling has a GET under way while it posts.
_THREADS = 2


def send_in_threads(client, requests):
    """Serves the requests of a connection until it has ended."""
    session = client.http
    if not hasattr(session, "request"):
        raise TypeError(f"http_session has no method request(): {session!r}")
    for number in range(1, _THREADS + 1):
        thread = threading.Thread(
            target=_serve,
            args=(client, session, requests),
            name=f"heartwire-requests-{number}",
            daemon=True,
        )
        thread.start()


def _serve(client, session, requests):
    while (exchange := requests.take()) is not None:
        try:
            answer = session.request(
                exchange.method,
                exchange.url,
                headers=_headers(exchange),
                data=exchange.body or None,
                timeout=_timeout(client, exchange),
                allow_redirects=False,
                **_verify(client, session),
            )
            exchange.succeed(answer.status_code, list(answer.headers.items()), answer.content)
        except Exception as error:
            exchange.fail(f"{type(error).__name__}: {error}")


def _verify(client, session):
    """As python-engineio does: `ssl_verify` counts where it says more than the default."""
    return {} if client.ssl_verify is True else {"verify": client.ssl_verify}


async def send_in_task(client, exchange):
    """Serves one request, with a session of aiohttp."""
    session = client.http
    try:
        arguments = {}
        if client.ssl_verify is False:
            arguments["ssl"] = False
        import aiohttp

        async with session.request(
            exchange.method,
            exchange.url,
            headers=_headers(exchange),
            data=exchange.body or None,
            timeout=aiohttp.ClientTimeout(total=_timeout(client, exchange)),
            allow_redirects=False,
            **arguments,
        ) as answer:
            body = await answer.read()
            exchange.succeed(answer.status, list(answer.headers.items()), body)
    except asyncio.CancelledError:
        exchange.fail("the request was cancelled")
        raise
    except Exception as error:
        exchange.fail(f"{type(error).__name__}: {error}")


def _headers(exchange):
    # The session keeps cookies itself.
    return {name: value for name, value in exchange.headers if name != "cookie"}


def _timeout(client, exchange):
    """Seconds for an answer. A GET of an open session lasts until there is something to say."""
    if exchange.method == "GET" and "sid=" in exchange.url:
        beat = (client.ping_interval or 25) + (client.ping_timeout or 20)
        return beat + client.request_timeout
    return client.request_timeout


def give_cookies(session, headers):
    """Hands the cookies that a program gives as a header to the session, which sends them."""
    jar = getattr(session, "cookies", None)
    if jar is None or not hasattr(jar, "set"):
        jar = getattr(session, "cookie_jar", None)
    for name, value in (headers or {}).items():
        if name.lower() != "cookie" or jar is None:
            continue
        for pair in str(value).split(";"):
            key, _, content = pair.strip().partition("=")
            if not key:
                continue
            if hasattr(jar, "set"):
                jar.set(key, content)
            else:
                with contextlib.suppress(Exception):
                    jar.update_cookies({key: content})
