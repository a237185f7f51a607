"""What programs say about HTTP and WebSockets: headers, cookies, proxies, certificates."""

import asyncio
import errno
import os
import queue
import re
import socket
import ssl
import struct
import threading

import aiohttp
import pytest
import requests
import trustme
import yarl

from heartwire import engineio
from heartwire.engineio import _certificates, exceptions

BOTH = ["polling", "websocket"]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def requests_of(client, url, transports=BOTH, **kwargs):
    """The requests that the server has seen of a connection, as (transport, headers, query)."""
    seen = queue.Queue()
    client.on("message", seen.put)
    client.connect(url, transports=transports, **kwargs)
    client.send("!requests")
    found = seen.get(timeout=60)
    client.disconnect()
    return own(found, url)


def own(found, url):
    mark = url.partition("?")[2]
    kinds = {"http": "polling", "websocket": "websocket"}
    return [
        (kinds[request["kind"]], request["headers"], request["query"])
        for request in found
        if mark in request["query"]
    ]


def async_requests_of(make, url, transports=BOTH, **kwargs):
    async def run():
        client, close = await make()
        seen = asyncio.Queue()
        client.on("message", seen.put)
        await client.connect(url, transports=transports, **kwargs)
        await client.send("!requests")
        found = await asyncio.wait_for(seen.get(), 60)
        await client.disconnect()
        await close()
        return own(found, url)

    return asyncio.run(run())


@pytest.fixture
def url(asgi, request):
    """The server, with a mark in the address by which a test knows its own requests."""
    mark = "".join(c if c.isalnum() else "." for c in request.node.name)
    return f"{asgi.url}?test={mark}"


class Subclass(requests.Session):
    """What a session has learnt, the native part cannot know: it sends requests itself."""

    sent = 0

    def request(self, *args, **kwargs):
        self.sent += 1
        return super().request(*args, **kwargs)


@pytest.mark.parametrize("kind", [requests.Session, Subclass])
def test_session_counts_on_every_transport(url, kind):
    session = kind()
    session.headers["X-Token"] = "secret"
    session.auth = ("user", "pass")
    session.cookies.set("own", "1", domain="127.0.0.1")
    session.cookies.set("other", "2", domain="example.com")
    session.params = {"p": "q"}
    client = engineio.Client(http_session=session)
    seen = requests_of(client, url, headers={"X-More": "m"})
    assert {transport for transport, _, _ in seen} == set(BOTH)
    for _, headers, query in seen:
        assert headers["x-token"] == "secret" and headers["x-more"] == "m"
        assert headers["authorization"] == "Basic dXNlcjpwYXNz"
        assert headers["cookie"] == "own=1"
        assert "p=q" in query
    if kind is Subclass:
        assert session.sent >= 2


def test_session_of_aiohttp_counts_on_every_transport(url):
    async def make():
        jar = aiohttp.CookieJar(unsafe=True)
        session = aiohttp.ClientSession(
            headers={"X-Token": "secret"}, auth=aiohttp.BasicAuth("user", "pass"), cookie_jar=jar
        )
        jar.update_cookies({"own": "1"}, yarl.URL(url))
        return engineio.AsyncClient(http_session=session, handle_sigint=False), session.close

    seen = async_requests_of(make, url)
    assert {transport for transport, _, _ in seen} == set(BOTH)
    for _, headers, _ in seen:
        assert headers["x-token"] == "secret"
        assert headers["authorization"] == "Basic dXNlcjpwYXNz"
        assert headers["cookie"] == "own=1"


@pytest.fixture
def cookie_server(start_peer):
    """Sets a cookie with each handshake, as load balancers do."""
    return start_peer("asgi", "--set-cookie")


@pytest.mark.parametrize("kind", [requests.Session, Subclass])
@pytest.mark.parametrize("transport", BOTH)
def test_session_learns_the_cookies_of_the_server(cookie_server, kind, transport):
    session = kind()
    session.cookies.set("route", "old", domain="127.0.0.1")
    client = engineio.Client(http_session=session)
    client.connect(cookie_server.url, transports=[transport])
    assert session.cookies.get("route", domain="127.0.0.1") == "a"
    assert session.cookies.get("second", path="/engine.io") == "b"
    client.disconnect()
    seen = requests_of(client, f"{cookie_server.url}?test=again", BOTH)
    for _, headers, _ in seen:
        assert sorted(headers["cookie"].split("; ")) == ["route=a", "second=b"]


def test_session_of_aiohttp_learns_the_cookies_of_the_server(cookie_server):
    async def run():
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            client = engineio.AsyncClient(http_session=session, handle_sigint=False)
            await client.connect(cookie_server.url, transports=["websocket"])
            await client.disconnect()
            found = session.cookie_jar.filter_cookies(yarl.URL(f"{cookie_server.url}/engine.io/"))
            return {name: morsel.value for name, morsel in found.items()}

    assert asyncio.run(run()) == {"route": "a", "second": "b"}


def test_websocket_options_concern_websockets_alone(url):
    given = {
        "header": {"X-Socket": "s"},
        "cookie": "socket=1",
        "origin": "http://origin.example",
        "host": "host.example",
        "timeout": 30,
    }
    client = engineio.Client(websocket_extra_options=given)
    seen = requests_of(client, url, headers={"Cookie": "every=1"})
    # What was given is the program's, and as good for another connection.
    assert len(given) == 5
    for transport, headers, _ in seen:
        if transport == "polling":
            assert "x-socket" not in headers and "origin" not in headers
            assert headers["cookie"] == "every=1" and headers["host"].startswith("127.0.0.1")
        else:
            assert headers["x-socket"] == "s" and headers["origin"] == "http://origin.example"
            assert headers["cookie"] == "every=1; socket=1" and headers["host"] == "host.example"
    assert {transport for transport, _, _ in seen} == set(BOTH)


def test_origin_of_websockets_without_an_event_loop(url):
    def origins(client, **kwargs):
        seen = requests_of(client, url, ["websocket"], **kwargs)
        return seen[-1][1].get("origin")

    assert origins(engineio.Client()) == url.partition("?")[0]
    given = {"Origin": "http://own.example"}
    assert origins(engineio.Client(), headers=given) == "http://own.example"
    suppressed = engineio.Client(websocket_extra_options={"suppress_origin": True})
    assert origins(suppressed) is None

    async def make():
        return engineio.AsyncClient(handle_sigint=False), (lambda: asyncio.sleep(0))

    assert "origin" not in async_requests_of(make, url, ["websocket"])[-1][1]


def test_websocket_options_in_the_words_of_aiohttp(url):
    async def make():
        given = {
            "headers": {"X-Socket": "s"},
            "origin": "http://origin.example",
            "protocols": ["chat"],
            "params": {"extra": "1"},
            "autoping": True,
        }
        client = engineio.AsyncClient(websocket_extra_options=given, handle_sigint=False)
        return client, (lambda: asyncio.sleep(0))

    for transport, headers, query in async_requests_of(make, url):
        is_socket = transport == "websocket"
        assert (headers.get("x-socket") == "s") == is_socket
        assert (headers.get("origin") == "http://origin.example") == is_socket
        assert (headers.get("sec-websocket-protocol") == "chat") == is_socket
        assert ("extra=1" in query) == is_socket


def test_timeout_of_websockets_is_not_that_of_requests(url):
    client = engineio.Client(request_timeout=60, websocket_extra_options={"timeout": 0.2})
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        place = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(exceptions.TimeoutError):
            client.connect(place, transports=["websocket"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sslopt": {"ciphers": "RC4"}}, "sslopt: ciphers: 'RC4' leaves none of ECDHE-"),
        ({"sslopt": {"ciphers": "ALL:!ECDHE"}}, "sslopt: ciphers: 'ALL:!ECDHE' leaves none"),
        ({"sslopt": {"ciphers": "ALL@SECLEVEL=0"}}, "sslopt: ciphers: ALL@SECLEVEL=0 is not available"),
        ({"sslopt": {"context": ssl.create_default_context()}}, "sslopt: context is not available"),
        ({"skip_utf8_validation": True}, "skip_utf8_validation is not available: text is always"),
        ({"dispatcher": object()}, "dispatcher is not available: the network has a thread"),
        ({"unheard_of": 1}, "unheard_of is not available: it is not known here"),
    ],
)
def test_what_cannot_be_used_is_named(given, told):
    client = engineio.Client(websocket_extra_options=given)
    with pytest.raises(TypeError, match=f"websocket_extra_options: {re.escape(told)}"):
        client.connect("http://127.0.0.1:1")
    assert client.state == "disconnected"


def test_what_cannot_be_used_of_aiohttp_is_named():
    async def run(given, told):
        client = engineio.AsyncClient(websocket_extra_options=given, handle_sigint=False)
        with pytest.raises(TypeError, match=f"websocket_extra_options: {told}"):
            await client.connect("http://127.0.0.1:1")

    asyncio.run(run({"heartbeat": 5}, "heartbeat is not available: the server sends pings"))
    asyncio.run(run({"max_msg_size": 5}, "max_msg_size is not available: max_message"))
    asyncio.run(run({"ssl": aiohttp.Fingerprint(bytes(32))}, "ssl: Fingerprint is not available"))


def test_login_of_websockets_in_the_words_of_aiohttp(url):
    async def make():
        given = {"auth": aiohttp.BasicAuth("me", "secret")}
        client = engineio.AsyncClient(websocket_extra_options=given, handle_sigint=False)
        return client, (lambda: asyncio.sleep(0))

    for transport, headers, _ in async_requests_of(make, url):
        # RFC 7617, § 2: name and password in base64.
        expected = "Basic bWU6c2VjcmV0" if transport == "websocket" else None
        assert headers.get("authorization") == expected


@pytest.mark.parametrize("transports", [["websocket"], BOTH])
def test_sockopt_is_for_websockets(server, transports):
    """Where the system refuses an option, it was asked to set it."""
    option = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = (socket.SOL_SOCKET, socket.SO_RCVBUF, struct.pack("i", 4096))
    client = engineio.Client(websocket_extra_options={"sockopt": [option, buffer]})
    client.connect(server.url, transports=transports)
    assert client.transport() == "websocket"
    client.disconnect()
    refused = engineio.Client(websocket_extra_options={"sockopt": [(socket.SOL_SOCKET, 9999, 1)]})
    if transports == BOTH:
        refused.connect(server.url, transports=transports)
        assert refused.transport() == "polling"
        refused.disconnect()
    else:
        with pytest.raises(exceptions.ConnectionError, match=os.strerror(errno.ENOPROTOOPT)):
            refused.connect(server.url, transports=transports)


@pytest.mark.parametrize(
    ("ciphers", "expected"),
    [
        ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("ECDHE+AESGCM:!AES256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("RC4-SHA:HIGH:!aNULL:!CHACHA20:!AES128", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ],
)
def test_ciphers_of_websockets(ciphers, expected):
    """A server that has all of OpenSSL's agrees on the one that the client leaves."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("127.0.0.1").configure_cert(context)
    given = {"sslopt": {"ciphers": ciphers, "cert_reqs": ssl.CERT_NONE}}
    client, agreed = engineio.Client(websocket_extra_options=given), queue.Queue()

    def serve():
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) as connection:
            agreed.put(connection.cipher()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(exceptions.ConnectionError):
            client.connect(f"https://127.0.0.1:{listener.getsockname()[1]}", transports=["websocket"])
        thread.join()
    assert agreed.get_nowait() == expected


class Proxy:
    """An HTTP proxy that notes what it is asked for, and refuses."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked = queue.Queue()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                head = connection.makefile("rb")
                lines = [head.readline().decode().strip()]
                while lines[-1]:
                    lines.append(head.readline().decode().strip())
                self.asked.put(lines)
                connection.sendall(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy():
    proxy = Proxy()
    yield proxy
    proxy.listener.close()


def test_proxy_of_websockets(asgi, proxy):
    host, port = "127.0.0.1", proxy.port
    given = {"http_proxy_host": host, "http_proxy_port": port, "http_proxy_auth": ("u", "p w")}
    client = engineio.Client(websocket_extra_options=given)
    client.connect(asgi.url)
    # Requests go their own way, so there is a connection.
    assert client.transport() == "polling"
    client.disconnect()
    asked = proxy.asked.get(timeout=60)
    assert asked[0] == f"CONNECT 127.0.0.1:{asgi.port} HTTP/1.1"
    values = {name.lower(): value for name, _, value in (line.partition(": ") for line in asked)}
    assert values["proxy-authorization"] == "Basic dTpwIHc="
    excepted = {**given, "http_no_proxy": ["127.0.0.1"]}
    client = engineio.Client(websocket_extra_options=excepted)
    client.connect(asgi.url)
    assert client.transport() == "websocket"
    client.disconnect()


def test_proxy_of_a_session(asgi, proxy):
    session = requests.Session()
    session.proxies = {"http": f"http://127.0.0.1:{proxy.port}"}
    client = engineio.Client(http_session=session)
    with pytest.raises(exceptions.ConnectionError):
        client.connect(asgi.url, transports=["polling"])
    assert proxy.asked.get(timeout=60)[0].startswith(f"GET {asgi.url}/engine.io/")
    session.proxies["no_proxy"] = "127.0.0.1"
    client.connect(asgi.url)
    assert client.transport() == "websocket"
    client.disconnect()
    session.proxies = {"ws": f"http://127.0.0.1:{proxy.port}"}
    client.connect(asgi.url)
    assert client.transport() == "polling"
    client.disconnect()
    assert proxy.asked.get(timeout=60)[0].startswith("CONNECT ")


# TLS.


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    for name in ("127.0.0.1", "elsewhere.example"):
        certificate = authority.issue_cert(name)
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    certificate = authority.issue_cert("client@example.com")
    certificate.private_key_pem.write_to_path(folder / "client.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "client.pem")
    return folder


@pytest.fixture(scope="module")
def right(authorities):
    from conftest import Peer

    certificate = authorities / "127.0.0.1.pem"
    peer = Peer("server.py", "asgi", "--certificate", certificate, scheme="https")
    yield peer
    peer.kill()


@pytest.fixture(scope="module")
def misnamed(authorities):
    """A server with a good certificate that is for another name."""
    from conftest import Peer

    certificate = authorities / "elsewhere.example.pem"
    peer = Peer("server.py", "asgi", "--certificate", certificate, scheme="https")
    yield peer
    peer.kill()


def transport_of(client, url, transports=BOTH):
    """The transport that a connection comes to, or "none"."""
    try:
        client.connect(url, transports=transports)
    except exceptions.ConnectionError as error:
        assert "certificate" in str(error).lower(), error
        return "none"
    found = client.transport()
    client.disconnect()
    return found


def socket_client(sslopt, **kwargs):
    return engineio.Client(websocket_extra_options={"sslopt": sslopt}, **kwargs)


def test_check_hostname_false_leaves_the_certificate_to_be_checked(authorities, right, misnamed):
    def check(authority, peer):
        sslopt = {"check_hostname": False, "ca_certs": str(authorities / authority)}
        return transport_of(socket_client(sslopt), peer.url, ["websocket"])

    assert check("ca.pem", right) == "websocket"
    assert check("ca.pem", misnamed) == "websocket"
    # The name is not looked at; who has signed is.
    assert check("other.pem", misnamed) == "none"
    strict = socket_client({"ca_certs": str(authorities / "ca.pem")})
    assert transport_of(strict, misnamed.url, ["websocket"]) == "none"


def test_trust_of_websockets_is_not_that_of_requests(authorities, right):
    trusting = socket_client({"cert_reqs": ssl.CERT_NONE, "check_hostname": False})
    assert transport_of(trusting, right.url, ["websocket"]) == "websocket"
    assert transport_of(trusting, right.url, ["polling"]) == "none"
    session = requests.Session()
    session.verify = str(authorities / "ca.pem")
    other = {"ca_certs": str(authorities / "other.pem")}
    assert transport_of(socket_client(other, http_session=session), right.url) == "polling"
    # Who names authorities wants them to be asked, whatever holds for requests.
    assert transport_of(socket_client(other, ssl_verify=False), right.url) == "polling"


def test_ssl_verify(authorities, right, misnamed):
    assert transport_of(engineio.Client(), right.url) == "none"
    assert transport_of(engineio.Client(ssl_verify=False), misnamed.url) == "websocket"
    path = authorities / "ca.pem"
    assert transport_of(engineio.Client(ssl_verify=path), right.url) == "websocket"
    assert transport_of(engineio.Client(ssl_verify=path), misnamed.url) == "none"


@pytest.mark.parametrize("kind", [requests.Session, Subclass])
def test_trust_of_a_session(authorities, right, monkeypatch, kind):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "other.pem"))
    session = kind()
    session.verify = str(authorities / "ca.pem")
    assert transport_of(engineio.Client(http_session=session), right.url) == "websocket"
    session.verify = str(authorities / "other.pem")
    assert transport_of(engineio.Client(http_session=session), right.url) == "none"


def test_trust_of_a_session_of_aiohttp(authorities, right):
    async def run(authority):
        context = ssl.create_default_context(cafile=authorities / authority)
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = engineio.AsyncClient(http_session=session, handle_sigint=False)
            found = []
            for transport in BOTH:
                try:
                    await client.connect(right.url, transports=[transport])
                    found.append(client.transport())
                    await client.disconnect()
                except exceptions.ConnectionError:
                    found.append("none")
            return found

    assert asyncio.run(run("ca.pem")) == BOTH
    assert asyncio.run(run("other.pem")) == ["none", "none"]


def test_environment(authorities, right, monkeypatch):
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(authorities / "ca.pem"))
    assert transport_of(engineio.Client(), right.url, ["websocket"]) == "websocket"
    assert transport_of(engineio.Client(), right.url, ["polling"]) == "none"
    monkeypatch.delenv("WEBSOCKET_CLIENT_CA_BUNDLE")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(authorities / "ca.pem"))
        assert transport_of(engineio.Client(), right.url) == "websocket"
        monkeypatch.delenv(name)


def test_file_of_authorities_that_is_written_anew(authorities, right, tmp_path):
    """It is read once, but for that."""
    file = tmp_path / "trusted.pem"
    for name, found in [("ca.pem", "websocket"), ("other.pem", "none")] * 2:
        file.write_bytes((authorities / name).read_bytes())
        read = _certificates.read_authorities(file)
        assert read is _certificates.read_authorities(file)
        assert read == file.read_bytes()
        for _ in range(2):
            assert transport_of(engineio.Client(ssl_verify=file), right.url) == found


def test_name_that_the_server_is_asked_for(authorities, right, misnamed):
    sslopt = {"ca_certs": str(authorities / "ca.pem"), "server_hostname": "elsewhere.example"}
    assert transport_of(socket_client(sslopt), misnamed.url, ["websocket"]) == "websocket"
    assert transport_of(socket_client(sslopt), right.url, ["websocket"]) == "none"


@pytest.mark.parametrize("encrypted", [False, True])
def test_certificate_of_the_client(authorities, start_peer, tmp_path, encrypted):
    from cryptography.hazmat.primitives import serialization

    peer = start_peer(
        "asgi",
        "--certificate",
        authorities / "127.0.0.1.pem",
        "--authorities",
        authorities / "ca.pem",
        scheme="https",
    )
    sslopt = {
        "ca_certs": str(authorities / "ca.pem"),
        "certfile": str(authorities / "client.pem"),
        "keyfile": str(authorities / "client.key"),
    }
    if encrypted:
        key = serialization.load_pem_private_key((authorities / "client.key").read_bytes(), None)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
        (tmp_path / "client.key").write_bytes(secret)
        sslopt |= {"keyfile": str(tmp_path / "client.key"), "password": "open sesame"}
    client = socket_client(sslopt)
    client.connect(peer.url, transports=["websocket"])
    client.disconnect()
    without = socket_client({"ca_certs": str(authorities / "ca.pem")})
    with pytest.raises(exceptions.ConnectionError):
        without.connect(peer.url, transports=["websocket"])
    session = requests.Session()
    session.verify = str(authorities / "ca.pem")
    session.cert = (str(authorities / "client.pem"), str(authorities / "client.key"))
    client = engineio.Client(http_session=session)
    assert transport_of(client, peer.url) == "websocket"
