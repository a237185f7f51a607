"""The cookies of an HTTP session of Python, which WebSockets send too, and what the server adds to them."""

import email.message
import http.cookiejar
import urllib.request
from http.cookies import CookieError, SimpleCookie


def of_session(session, url):
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


def keep(session, received):
    """Gives a session what servers have set: addresses, and cookies as they stood in the answers."""
    jar = _jar(session)
    for url, line in received:
        if isinstance(jar, http.cookiejar.CookieJar):
            jar.extract_cookies(_Answer(line), urllib.request.Request(url))
        elif hasattr(jar, "update_cookies"):
            import yarl

            try:
                jar.update_cookies(SimpleCookie(line), yarl.URL(url))
            except CookieError:
                # The library would not have taken it either.
                continue


def pairs(header):
    """Names and values of a `Cookie` header."""
    found = []
    for part in header.split(";"):
        name, sign, value = part.strip().partition("=")
        if sign and name:
            found.append((name, value))
    return found


def _jar(session):
    jar = getattr(session, "cookies", None)
    if jar is None:
        return getattr(session, "cookie_jar", None)
    # Some libraries wrap it.
    return getattr(jar, "jar", jar)


class _Answer:
    """An answer that has set a cookie, as far as a cookie jar looks at it."""

    def __init__(self, line):
        self._headers = email.message.Message()
        self._headers["Set-Cookie"] = line

    def info(self):
        return self._headers
