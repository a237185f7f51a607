"""The Engine.IO client without an event loop, against a server of ours."""

import threading

import pytest

from heartwire import engineio

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


@pytest.fixture(params=TRANSPORTS, ids="-".join)
def transports(request):
    return request.param


def test_messages_come_back_in_order(server, transports):
    client, received, done = engineio.Client(), [], threading.Event()

    @client.on("message")
    def on_message(data):
        received.append(data)
        if data == "last":
            done.set()

    client.connect(server.url, transports=transports)
    assert client.transport() == transports[-1]
    sent = [f"message {i}" for i in range(1000)] + ["", b"\x00\xff", b"", "12", "ünïcödé 🎈"]
    for message in [*sent, {"a": [1, None, 2.5]}, "last"]:
        client.send(message)
    assert done.wait(60)
    assert received == [*sent, {"a": [1, None, 2.5]}, "last"]
    client.disconnect()
    assert client.state == "disconnected"
