"""What callers are told when there is no connection."""

import asyncio
import builtins
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from heartwire import engineio
from heartwire.engineio import exceptions

TRANSPORTS = ["polling", "websocket"]


def connect(url, kind, **kwargs):
    """Tries to connect. Returns what is raised, having seen that the client may try again."""
    arguments = {"request_timeout": kwargs.pop("request_timeout", 30)}
    if kind == "sync":
        client = engineio.Client(**arguments)
        try:
            client.connect(url, **kwargs)
        except Exception as error:
            assert client.state == "disconnected" and client.sid is None
            return error
    else:

        async def run():
            client = engineio.AsyncClient(**arguments)
            try:
                await client.connect(url, **kwargs)
            except Exception as error:
                assert client.state == "disconnected" and client.sid is None
                return error

        return asyncio.run(run())
    return None


@pytest.fixture(params=["sync", "async"])
def kind(request):
    return request.param


@pytest.fixture(params=TRANSPORTS)
def transport(request):
    return request.param


@pytest.fixture
def answering():
    """An HTTP server that gives the same answer to everything."""
    servers = []

    def start(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_nobody_listens(kind, transport):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = connect(url, kind, transports=[transport])
    assert type(error) is exceptions.ConnectionError
    assert isinstance(error, builtins.ConnectionError)
    assert isinstance(error, exceptions.EngineIOError)
    assert error.__cause__ is not None


def test_server_does_not_answer(kind, transport):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        error = connect(url, kind, transports=[transport], request_timeout=0.3)
    assert type(error) is exceptions.TimeoutError
    assert isinstance(error, builtins.TimeoutError)
    assert isinstance(error, exceptions.ConnectionError)


def test_server_refuses_and_says_why(asgi, kind):
    error = connect(f"{asgi.url}?reject=1", kind, transports=["polling"])
    assert type(error) is exceptions.ConnectionError
    assert error.args == (
        "Unexpected status code 401 in server response",
        {"message": "not today", "code": 7},
    )
    assert str(error) == "Unexpected status code 401 in server response"


def test_server_refuses_a_websocket(asgi, kind):
    error = connect(f"{asgi.url}?reject=1", kind, transports=["websocket"])
    assert type(error) is exceptions.ConnectionError


def test_answer_is_no_json(answering, kind, transport):
    error = connect(answering(500, b"broken"), kind, transports=[transport])
    assert type(error) is exceptions.ConnectionError
    assert error.args == ("Unexpected status code 500 in server response", None)


@pytest.mark.parametrize(
    "body", [b"hello", b"", b"\xff\xfe", b"0", b"0{}", b"4x", b'0{"sid":1}'], ids=repr
)
def test_server_speaks_something_else(answering, kind, body):
    error = connect(answering(200, body), kind, transports=["polling"])
    assert type(error) is exceptions.ConnectionError


def test_other_path(asgi, kind, transport):
    error = connect(asgi.url, kind, transports=[transport], engineio_path="elsewhere")
    assert isinstance(error, exceptions.ConnectionError)


@pytest.mark.parametrize("url", ["", "not a url", "http://", "localhost:5000", "//", "http://a:99999", "http://[a"])
def test_address_cannot_be_used(kind, transport, url):
    error = connect(url, kind, transports=[transport])
    assert isinstance(error, exceptions.ConnectionError) and isinstance(error, ValueError)


@pytest.mark.parametrize("transports", [["foo"], [], "foo", ["websockets", "ws"]])
def test_no_valid_transport(asgi, kind, transports):
    error = connect(asgi.url, kind, transports=transports)
    assert type(error) is ValueError and str(error).startswith("No valid transports provided: ")


def test_transport_may_be_a_string(asgi):
    client = engineio.Client()
    client.connect(asgi.url, transports="websocket")
    assert client.transports == ["websocket"] and client.transport() == "websocket"
    client.disconnect()


def test_scheme_does_not_matter(asgi):
    for scheme in ("http", "ws", "ftp"):
        for transport in TRANSPORTS:
            client = engineio.Client()
            client.connect(asgi.url.replace("http", scheme, 1), transports=[transport])
            assert client.transport() == transport
            client.disconnect()


def test_without_a_connection():
    client = engineio.Client()
    with pytest.raises(exceptions.SocketIsClosedError):
        client.send("x")
    with pytest.raises(ValueError):
        client.transport()
    client.disconnect()
    client.wait()
    assert client.state == "disconnected"


def test_without_a_connection_async():
    async def run():
        client = engineio.AsyncClient()
        with pytest.raises(exceptions.SocketIsClosedError):
            await client.send("x")
        with pytest.raises(ValueError):
            client.transport()
        await client.disconnect()
        await client.wait()

    asyncio.run(run())


def test_after_a_connection(asgi, monkeypatch):
    client = engineio.Client()
    client.connect(asgi.url)
    client.disconnect()
    with pytest.raises(exceptions.SocketIsClosedError):
        client.send("x")
    with pytest.raises(ValueError):
        client.transport()
    # As python-engineio does.
    monkeypatch.setattr(client, "strict", False)
    assert client.send("x") is None
    assert client.transport() == "websocket"


def test_unknown_event():
    known = "'connect', 'disconnect', 'message'"
    with pytest.raises(ValueError, match=f"^Invalid event 'foo': known are {known}$"):
        engineio.Client().on("foo")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://nowhere.invalid", "Cannot connect to http://nowhere.invalid/engine.io/: no address for"),
        # Whoever answers in plain text.
        ("https", "its address begins with http://"),
        ("http://127.0.0.1:1", "Connection refused by the server: cannot connect to http://127.0.0.1:1/"),
    ],
)
def test_connection_errors_say_what_to_look_for(asgi, kind, url, told):
    url = asgi.url.replace("http", "https", 1) if url == "https" else url
    error = connect(url, kind)
    assert type(error) is exceptions.ConnectionError
    assert told in str(error), error


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"request_timeout": "5"}, "request_timeout: "),
        ({"receive_limit": "x"}, "receive_limit: "),
        ({"reconnection": {"delays": 1}}, "reconnection: there is no 'delays', but delay, delay_max, "),
    ],
)
def test_arguments_of_another_type_are_named(arguments, told):
    with pytest.raises(TypeError, match=f"^{told}"):
        engineio.Client(**arguments).connect("http://localhost")


def test_json_errors_surface_in_send(asgi):
    client = engineio.Client()
    client.connect(asgi.url)
    with pytest.raises(TypeError):
        client.send({"a": object()})
    with pytest.raises(ValueError):
        loop = []
        loop.append(loop)
        client.send(loop)
    client.disconnect()


def test_arguments_are_not_changed(asgi):
    headers, options = {"Cookie": "a=b"}, {"header": {"X-A": "b"}}
    client = engineio.Client(websocket_extra_options=options)
    client.connect(asgi.url, headers=headers)
    client.disconnect()
    assert headers == {"Cookie": "a=b"} and options == {"header": {"X-A": "b"}}
