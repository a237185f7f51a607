"""The cookies of an HTTP session of Python, which WebSockets send too, and what the server adds to them."""

from __future__ import annotations

import email.message
import http.cookiejar
import urllib.request
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any


def of_session(session: Any, url: str) -> list[tuple[str, str]]:
    """Names and values of the cookies that a session has for a server."""
    jar = _jar(session)
    if isinstance(jar, http.cookiejar.CookieJar):
        request = urllib.request.Request(url)
        jar.add_cookie_header(request)
        return pairs(request.get_header("Cookie") or "")
    if hasattr(jar, "filter_cookies"):
        import yarl

        found = jar.filter_cookies(yarl.URL(url))
        return [(name, morsel.coded_value) for name, morsel in found.items()]
    if isinstance(jar, dict):
        return [(str(name), str(value)) for name, value in jar.items()]
    return []


def keep(session: Any, received: Iterable[tuple[str, str]]) -> None:
    """Gives a session what servers have set: addresses, and cookies as they stood in the answers."""
    jar = _jar(session)
    for url, line in received:
        if isinstance(jar, http.cookiejar.CookieJar):
            answer: Any = _Answer(line)
            jar.extract_cookies(answer, urllib.request.Request(url))
        elif hasattr(jar, "update_cookies"):
            import yarl

            try:
                jar.update_cookies(SimpleCookie(line), yarl.URL(url))
            except CookieError:
                # The library would not have taken it either.
                continue


def pairs(header: str) -> list[tuple[str, str]]:
    """Names and values of a `Cookie` header."""
    found = []
    for part in header.split(";"):
        name, sign, value = part.strip().partition("=")
        if sign and name:
            found.append((name, value))
    return found


def _jar(session: Any) -> Any:
    jar = getattr(session, "cookies", None)
    if jar is None:
        return getattr(session, "cookie_jar", None)
    # Some libraries wrap it.
    return getattr(jar, "jar", jar)


class _Answer:
    """An answer that has set a cookie, as far as a cookie jar looks at it."""

    def __init__(self, line: str) -> None:
        self._headers = email.message.Message()
        self._headers["Set-Cookie"] = line

    def info(self) -> email.message.Message:
        return self._headers
