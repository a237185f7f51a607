"""Which handlers of a client are called, in which thread, with which reason and state."""

import asyncio
import threading

import pytest

from heartwire import engineio
from heartwire.engineio import base_client

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


@pytest.fixture(params=TRANSPORTS, ids="-".join)
def transports(request):
    return request.param


class Record:
    """A client, and what its handlers have seen."""

    def __init__(self, **kwargs):
        self.client = engineio.Client(**kwargs)
        self.seen = []
        self.messages = []
        self.ended = threading.Event()
        self.client.on("connect", self.on_connect)
        self.client.on("message", self.messages.append)
        self.client.on("disconnect", self.on_disconnect)

    def on_connect(self):
        self.seen.append(("connect", threading.current_thread(), self.client.state))

    def on_disconnect(self, reason):
        self.seen.append((reason, threading.current_thread(), self.client.state))
        self.sid = self.client.sid
        self.ended.set()


def test_connect_is_handled_in_the_callers_thread_before_the_upgrade(asgi):
    record = Record()
    transport = []
    record.client.on("connect", lambda: transport.append(record.client.transport()))
    record.client.connect(asgi.url)
    assert transport == ["polling"]
    assert record.client.transport() == "websocket"
    record.client.disconnect()


def test_disconnect_is_handled_once_in_the_callers_thread(asgi, transports):
    record = Record()
    assert record.client.connect(asgi.url, transports=transports)
    sid = record.client.sid
    assert sid and record.client in base_client.connected_clients
    record.client.disconnect()
    record.client.disconnect()
    main = threading.current_thread()
    assert record.seen == [
        ("connect", main, "connected"),
        ("client disconnect", main, "disconnecting"),
    ]
    assert record.sid == sid and record.client.sid is None
    assert record.client.state == "disconnected"
    assert record.client not in base_client.connected_clients


def test_disconnect_has_the_reason_that_the_caller_gives(asgi, transports):
    record = Record()
    record.client.connect(asgi.url, transports=transports)
    record.client.disconnect(reason="bored")
    assert record.seen[-1][0] == "bored"


def test_server_disconnects(asgi, transports):
    record = Record()
    record.client.connect(asgi.url, transports=transports)
    sid = record.client.sid
    record.client.send("!close")
    record.client.wait()
    assert [(name, state) for name, _, state in record.seen] == [
        ("connect", "connected"),
        ("server disconnect", "disconnecting"),
    ]
    assert record.seen[-1][1] is not threading.current_thread()
    assert record.sid == sid and record.client.sid is None
    assert record.client.state == "disconnected"


def test_connection_breaks(start_peer, transports):
    record, peer = Record(), start_peer("asgi")
    record.client.connect(peer.url, transports=transports)
    peer.kill()
    record.client.wait()
    assert [(name, state) for name, _, state in record.seen] == [
        ("connect", "connected"),
        ("transport error", "connected"),
    ]
    assert record.seen[-1][1] is not threading.current_thread()
    assert record.client.state == "disconnected"
    assert record.client not in base_client.connected_clients


def test_disconnect_within_the_message_handler(asgi, transports):
    record = Record()
    handled = threading.Event()

    def on_message(data):
        record.client.disconnect()
        handled.set()

    record.client.on("message", on_message)
    record.client.connect(asgi.url, transports=transports)
    record.client.send("x")
    record.client.wait()
    assert handled.wait(60)
    assert [name for name, *_ in record.seen] == ["connect", "client disconnect"]
    assert record.client.state == "disconnected"


def test_disconnect_within_the_connect_handler(asgi, transports):
    record = Record()

    def on_connect():
        record.client.send("last words")
        record.client.disconnect()

    record.client.on("connect", on_connect)
    record.client.connect(asgi.url, transports=transports)
    record.client.wait()
    assert [name for name, *_ in record.seen] == ["client disconnect"]
    assert record.client.state == "disconnected"


@pytest.mark.parametrize("how", ["server", "client", "break"])
def test_disconnect_and_send_within_the_disconnect_handler(start_peer, transports, how):
    record, peer = Record(), start_peer("asgi")

    def on_disconnect(reason):
        record.seen.append(reason)
        try:
            record.client.send("too late")
        except engineio.exceptions.SocketIsClosedError:
            pass
        record.client.disconnect()

    record.client.on("disconnect", on_disconnect)
    record.client.connect(peer.url, transports=transports)
    if how == "server":
        record.client.send("!close")
    elif how == "break":
        peer.kill()
    else:
        record.client.disconnect()
    record.client.wait()
    assert record.client.state == "disconnected"
    assert len(record.seen) == 2


def test_connect_handler_raises(asgi, transports):
    record = Record()

    def on_connect():
        raise RuntimeError("no")

    record.client.on("connect", on_connect)
    with pytest.raises(engineio.exceptions.ConnectionError, match="^Connect handler failed: no$"):
        record.client.connect(asgi.url, transports=transports)
    assert record.seen == []
    assert record.client.state == "disconnected" and record.client.sid is None
    assert record.client not in base_client.connected_clients
    record.client.on("connect", record.on_connect)
    record.client.connect(asgi.url, transports=transports)
    record.client.disconnect()
    assert [name for name, *_ in record.seen] == ["connect", "client disconnect"]


def test_message_handler_raises(asgi, transports, monkeypatch, until):
    record, hooked = Record(), []
    monkeypatch.setattr(threading, "excepthook", hooked.append)

    def on_message(data):
        if data == "raise":
            raise RuntimeError(data)
        record.messages.append(data)

    record.client.on("message", on_message)
    record.client.connect(asgi.url, transports=transports)
    for data in ("raise", "a", "raise", "b"):
        record.client.send(data)
    until(lambda: record.messages == ["a", "b"])
    record.client.send("!close")
    record.client.wait()
    assert [args.exc_type for args in hooked] == [RuntimeError, RuntimeError]
    assert record.seen[-1][0] == "server disconnect"


@pytest.mark.parametrize("how", ["server", "client", "break"])
def test_disconnect_handler_raises(start_peer, transports, how, caplog):
    peer = start_peer("asgi")
    record = Record()

    def on_disconnect(reason):
        raise RuntimeError("no")

    record.client.on("disconnect", on_disconnect)
    record.client.connect(peer.url, transports=transports)
    if how == "server":
        record.client.send("!close")
    elif how == "break":
        peer.kill()
    else:
        record.client.disconnect()
    record.client.wait()
    assert record.client.state == "disconnected"
    assert "disconnect handler error" in caplog.text


def test_disconnect_handler_may_leave_out_the_reason(asgi):
    record, calls = Record(), []
    record.client.on("disconnect", lambda: calls.append("no reason"))
    record.client.connect(asgi.url)
    record.client.disconnect()
    assert calls == ["no reason"]


def test_disconnect_handler_that_raises_type_error_is_called_once(asgi, caplog):
    record, calls = Record(), []

    def on_disconnect(reason):
        calls.append(reason)
        raise TypeError("of its own")

    record.client.on("disconnect", on_disconnect)
    record.client.connect(asgi.url)
    record.client.disconnect()
    assert calls == ["client disconnect"]
    assert "of its own" in caplog.text


def test_messages_sent_in_the_connect_handler_arrive_in_order(asgi, transports, until):
    record = Record()

    def on_connect():
        for i in range(100):
            record.client.send(f"early {i}")

    record.client.on("connect", on_connect)
    record.client.connect(asgi.url, transports=transports)
    record.client.send("after")
    until(lambda: len(record.messages) == 101)
    assert record.messages == [f"early {i}" for i in range(100)] + ["after"]
    record.client.disconnect()


@pytest.mark.parametrize("how", ["server", "client", "break"])
def test_async_reasons(start_peer, transports, how):
    peer = start_peer("asgi")

    async def run():
        client, seen = engineio.AsyncClient(), []

        @client.on("connect")
        async def on_connect():
            seen.append(("connect", client.state))

        @client.on("disconnect")
        async def on_disconnect(reason):
            assert client.sid
            seen.append((reason, client.state))
            await asyncio.sleep(0)
            await client.disconnect()

        await client.connect(peer.url, transports=transports)
        assert client.transport() == transports[-1]
        if how == "server":
            await client.send("!close")
        elif how == "break":
            peer.kill()
        else:
            await client.disconnect()
        await client.wait()
        assert client.state == "disconnected" and client.sid is None
        assert client not in base_client.connected_clients
        return seen

    expected = {
        "server": ("server disconnect", "disconnecting"),
        "client": ("client disconnect", "disconnecting"),
        "break": ("transport error", "connected"),
    }
    assert asyncio.run(run()) == [("connect", "connected"), expected[how]]


def test_async_handlers_raise(asgi, transports, caplog):
    async def run():
        client, messages, reported = engineio.AsyncClient(), [], []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context["exception"]))

        @client.on("message")
        def on_message(data):
            if data == "raise":
                raise RuntimeError(data)
            messages.append(data)

        @client.on("disconnect")
        async def on_disconnect():
            raise RuntimeError("at the end")

        await client.connect(asgi.url, transports=transports)
        for data in ("raise", "a"):
            await client.send(data)
        while messages != ["a"]:
            await asyncio.sleep(0.005)
        await client.send("!close")
        await client.wait()
        assert [str(error) for error in reported] == ["raise"]
        assert client.state == "disconnected"

    asyncio.run(run())
    assert "disconnect handler error" in caplog.text
    assert "at the end" in caplog.text


def test_async_connect_handler_raises(asgi, transports):
    async def run():
        client = engineio.AsyncClient()

        @client.on("connect")
        async def on_connect():
            raise RuntimeError("no")

        with pytest.raises(engineio.exceptions.ConnectionError, match="^Connect handler failed: no$"):
            await client.connect(asgi.url, transports=transports)
        assert client.state == "disconnected"
        client.handlers.clear()
        await client.connect(asgi.url, transports=transports)
        await client.disconnect()

    asyncio.run(run())
