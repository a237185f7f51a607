"""Methods that programs replace, and what is written to logs."""

import asyncio
import logging
import queue

import pytest
from test_engineio_settings import async_requests_of, requests_of

from heartwire import engineio
from heartwire.engineio import packet


@pytest.fixture
def url(asgi, request):
    mark = "".join(c if c.isalnum() else "." for c in request.node.name)
    return f"{asgi.url}?test={mark}"


def test_address_and_timestamp_of_a_subclass(url):
    class Client(engineio.Client):
        stamps = 0

        def _get_engineio_url(self, url, engineio_path, transport):
            return super()._get_engineio_url(url, engineio_path, transport) + f"&own={transport}"

        def _get_url_timestamp(self):
            self.stamps += 1
            return f"&stamp={self.stamps}"

    client = Client()
    seen = requests_of(client, url)
    assert {transport for transport, _, _ in seen} == {"polling", "websocket"}
    for transport, _, query in seen:
        assert f"own={transport}" in query and "&t=" not in query
    stamped = [query.partition("stamp=")[2] for _, _, query in seen if "stamp=" in query]
    assert len(stamped) >= 2 and len(set(stamped)) == len(stamped)


def test_address_of_an_async_subclass(url):
    class Client(engineio.AsyncClient):
        def _get_engineio_url(self, url, engineio_path, transport):
            return super()._get_engineio_url(url, engineio_path, transport) + f"&own={transport}"

    async def make():
        return Client(handle_sigint=False), (lambda: asyncio.sleep(0))

    seen = async_requests_of(make, url)
    assert {transport for transport, _, _ in seen} == {"polling", "websocket"}
    assert all(f"own={transport}" in query for transport, _, query in seen)


def test_addresses_of_two_servers_are_refused():
    class Client(engineio.Client):
        def _get_engineio_url(self, url, engineio_path, transport):
            return f"http://{transport}.example/engine.io/?transport={transport}&EIO=4"

    with pytest.raises(ValueError, match="same place"):
        Client().connect("http://localhost")


def test_requests_of_a_subclass(url):
    class Client(engineio.Client):
        sent = ()

        def _send_request(self, method, url, headers=None, body=None, timeout=None):
            self.sent += (method,)
            headers = {**headers, "X-Own": "1"}
            return super()._send_request(method, url, headers, body, timeout)

    client = Client()
    seen = requests_of(client, url, ["polling"])
    assert seen and all(headers["x-own"] == "1" for _, headers, _ in seen)
    assert {"GET", "POST"} == set(client.sent)
    refusing = type("Refusing", (Client,), {"_send_request": lambda self, *_, **__: "no network"})
    with pytest.raises(engineio.exceptions.ConnectionError, match="no network"):
        refusing().connect(url, transports=["polling"])


def test_requests_of_an_async_subclass(url):
    class Client(engineio.AsyncClient):
        async def _send_request(self, method, url, headers=None, body=None, timeout=None):
            headers = {**headers, "X-Own": "1"}
            return await super()._send_request(method, url, headers, body, timeout)

    async def make():
        return Client(handle_sigint=False), (lambda: asyncio.sleep(0))

    seen = async_requests_of(make, url, ["polling"])
    assert seen and all(headers["x-own"] == "1" for _, headers, _ in seen)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_ways_to_connect_of_a_subclass(server, transport):
    calls = []

    def connect(self, url, headers, engineio_path):
        calls.append((url, headers, engineio_path))
        return getattr(engineio.Client, name)(self, url, headers, engineio_path)

    name = f"_connect_{transport}"
    client = type("Client", (engineio.Client,), {name: connect})()
    assert client.connect(server.url, {"X": "y"}, transports=[transport]) is True
    assert calls == [(server.url, {"X": "y"}, "engine.io")]
    client.disconnect()


def test_packets_of_a_subclass(server):
    class Client(engineio.Client):
        def __init__(self):
            super().__init__()
            self.seen = queue.Queue()

        def _receive_packet(self, pkt):
            self.seen.put((pkt.packet_type, pkt.data))
            super()._receive_packet(pkt)

    client, handled = Client(), queue.Queue()
    client.on("message", handled.put)
    client.connect(server.url)
    for data in ("text", b"bytes", {"a": 1}):
        client.send(data)
        assert client.seen.get(timeout=60) == (packet.MESSAGE, data)
        assert handled.get(timeout=60) == data
    client.disconnect()


def test_packets_of_an_async_subclass(server):
    class Client(engineio.AsyncClient):
        async def _receive_packet(self, pkt):
            seen.append(pkt.data)
            await super()._receive_packet(pkt)

    seen = []

    async def run():
        client, handled = Client(), asyncio.Queue()
        client.on("message", handled.put)
        await client.connect(server.url)
        await client.send("x")
        assert await handled.get() == "x"
        await client.disconnect()

    asyncio.run(run())
    assert seen == ["x"]


class Notes(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append((record.levelname, record.getMessage()))


@pytest.fixture
def notes():
    logger, notes = logging.getLogger("test of engineio"), Notes()
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(notes)
    notes.logger = logger
    yield notes
    logger.removeHandler(notes)


def test_log_of_a_connection(server, notes, until):
    client, seen = engineio.Client(logger=notes.logger), queue.Queue()
    client.on("message", seen.put)
    client.connect(server.url)
    sid = client.sid
    client.send("two\nlines \x1b[31m")
    assert seen.get(timeout=60) == "two\nlines \x1b[31m"
    client.send(b"secret")
    assert seen.get(timeout=60) == b"secret"
    client.disconnect()
    texts = [text for _, text in notes.lines]
    base = f"http://127.0.0.1:{server.port}/engine.io/?transport=polling&EIO=4"
    assert texts[0] == f"Attempting polling connection to {base}"
    assert texts[1].startswith("Polling connection accepted with {'sid': '")
    upgraded = base.replace("http", "ws", 1).replace("polling", "websocket")
    assert texts[2] == f"Attempting WebSocket upgrade to {upgraded}"
    assert texts[3] == "WebSocket upgrade was successful"
    assert texts[4:] == [
        r"Sending packet MESSAGE data two\nlines \x1b[31m",
        r"Received packet MESSAGE data two\nlines \x1b[31m",
        "Sending packet MESSAGE data <binary>",
        "Received packet MESSAGE data <binary>",
        "Sending packet CLOSE data None",
        "Exiting write loop task",
        "Exiting read loop task",
    ]
    # Who knows the whole of it can take the session over.
    assert all(sid not in text and text.isprintable() for text in texts)
    assert sid[:6] in texts[1]


def test_log_of_the_ends_of_connections(start_peer, notes):
    peer = start_peer("asgi")
    client = engineio.Client(logger=notes.logger)
    client.connect(peer.url, transports=["websocket"])
    client.send("!exit")
    client.wait()
    assert ("WARNING", "WebSocket connection was closed, aborting") in notes.lines
    assert notes.lines[-1] == ("INFO", "Exiting read loop task")


def test_log_of_a_status(notes):
    class Answer:
        headers = {}

        def __init__(self, status, content):
            self.status_code, self.content = status, content

    handshake = b'0{"sid":"abcdefghij","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'

    class Session:
        answers = [Answer(200, handshake), Answer(502, b"bad\ngateway")]

        def request(self, method, url, **_):
            return self.answers.pop(0)

    client = engineio.Client(http_session=Session(), logger=notes.logger)
    client.connect("http://localhost", transports=["polling"])
    client.wait()
    warning = "Unexpected status code 502 in server response, aborting"
    assert ("WARNING", warning) in notes.lines
    assert all(text.isprintable() for _, text in notes.lines)


@pytest.mark.parametrize("kind", ["threads", "async"])
def test_timestamp_that_raises_fails_the_request(server, kind):
    class Broken:
        stamps = 0

        def _get_url_timestamp(self):
            # It is asked for once before there are requests.
            self.stamps += 1
            if self.stamps > 1:
                raise LookupError("no clock")
            return "&t=1"

    class Client(Broken, engineio.Client):
        pass

    class AsyncClient(Broken, engineio.AsyncClient):
        pass

    async def connect():
        await asyncio.wait_for(AsyncClient(handle_sigint=False).connect(server.url), 60)

    with pytest.raises(engineio.exceptions.ConnectionError, match="LookupError: no clock"):
        if kind == "threads":
            Client().connect(server.url)
        else:
            asyncio.run(connect())
