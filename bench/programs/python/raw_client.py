"""A blocking socket and nothing else, the floor of what Python can do: ``websocket|repod PORT``.

With repod, messages are encoded and decoded by msgpack."""

import socket
import struct
import sys
import time

import measured
import msgpack

protocol, port = sys.argv[1], int(sys.argv[2])
stream = socket.create_connection(("127.0.0.1", port))
stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def receive(count):
    received = stream.recv(count)
    while len(received) < count:
        received += stream.recv(count - len(received))
    return received


def receive_frame():
    (length,) = struct.unpack(">I", receive(4))
    return msgpack.unpackb(receive(length))


trips = measured.RoundTrips()
if protocol == "repod":
    message = {"action": "e", "d": "x" * 48}
    assert receive_frame() == {"action": "connected"}
    while not trips.is_over():
        sent = time.perf_counter()
        payload = msgpack.packb(message)
        stream.sendall(struct.pack(">I", len(payload)) + payload)
        answer = receive_frame()
        trips.record(sent)
        assert answer == message
else:
    stream.sendall(
        b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    # The answer, and the open packet behind it.
    received = b""
    while b"}" not in received:
        received += stream.recv(4096)
    payload = b"4e" + b"x" * 63
    # Masked with zeros, as one who wants to be fast would do.
    message = bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload
    expected = bytes([0x81, len(payload)]) + payload
    while not trips.is_over():
        sent = time.perf_counter()
        stream.sendall(message)
        answer = receive(len(expected))
        trips.record(sent)
        assert answer == expected
measured.finish({"p50_us": trips.p50_us()})
