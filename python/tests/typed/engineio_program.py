"""A program of a client without an event loop, for type checkers: it is not run."""

import logging
import queue
import threading
from typing import Any, assert_type

import heartwire
from heartwire import engineio
from heartwire.engineio import exceptions, json, packet, payload

assert_type(heartwire.__version__, str)
heartwire.install(strict=True)

client = engineio.Client(
    logger=logging.getLogger("game"),
    json=json,
    request_timeout=2.5,
    ssl_verify="authorities.pem",
    websocket_extra_options={"origin": "http://example.org"},
    reconnection={"delay": 0.1, "attempts": 3, "retry_first": True},
    when_full="raise",
    dispatch="inline",
)


@client.on("connect")
def on_connect() -> None:
    client.send("hello")


@client.on("message")
def on_message(data: object) -> None:
    print(data)


def on_disconnect(reason: str) -> None:
    if reason != engineio.Client.reason.CLIENT_DISCONNECT:
        print("lost")


client.on("disconnect", on_disconnect)
# What is registered keeps its type.
assert_type(on_message(1), None)

try:
    client.connect("http://localhost:5000", headers={"x-token": "a"}, transports=["websocket"])
except exceptions.TimeoutError as error:
    # As a program would expect that knows only built-in classes.
    built_in: TimeoutError = error
except exceptions.ConnectionError as error:
    lost: ConnectionError = error

assert_type(client.transport(), str | None)
assert_type(client.sid, str | None)
assert_type(client.state == "connected", bool)
assert_type(client.pump(max_ms=5), int)
assert_type(client.fileno(), int)
assert_type(client.start_background_task(print, 1, sep=""), threading.Thread)
assert_type(client.create_event(), threading.Event)
waiting: queue.Queue[Any] = client.create_queue(maxsize=3)
client.send({"x": 1})
client.send(b"bytes")
client.sleep(0.1)
client.wait()
client.disconnect(abort=True, reason="bye")

hello = packet.Packet(packet.MESSAGE, "hello")
assert_type(hello.encode(), str | bytes | bytearray)
assert_type(payload.Payload([hello]).encode(), str)

# What a type checker has to object to.
client.on("mesage", on_message)  # type: ignore[call-overload]
client.connect(5000)  # type: ignore[arg-type]
client.pump(5)  # type: ignore[misc]
engineio.Client(when_full="drop")  # type: ignore[arg-type]
engineio.Client(reconnection={"dely": 1.0})  # type: ignore[arg-type]
engineio.Client(unknown=1)  # type: ignore[call-arg]
client.unknown()  # type: ignore[attr-defined]
