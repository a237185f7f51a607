"""What the tests of repod share: peers that do what a test says, and waiting."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import msgpack

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = Path(__file__).parent / "repod"
WATCHDOG = 60

GREETING = bytes.fromhex("0000001281a6616374696f6ea9636f6e6e6563746564")


def frame(value):
    """A frame, made by msgpack and not by what is tested."""
    payload = msgpack.packb(value, use_bin_type=True)
    return struct.pack(">I", len(payload)) + payload


def until(condition, what="the condition"):
    """Waits until `condition` is true, and returns what it is."""
    deadline = time.monotonic() + WATCHDOG
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} has not come"
        time.sleep(0.002)
    return value


def pump_until(pump, condition, what="the condition"):
    """Calls `pump` until `condition` is true."""

    def step():
        pump()
        return condition()

    return until(step, what)


class Peer:
    """A server that does what the test says."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(WATCHDOG)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        connection, _ = self.listener.accept()
        return Connection(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class Connection:
    """One end of a TCP connection."""

    def __init__(self, sock):
        sock.settimeout(WATCHDOG)
        self.socket = sock
        self.buffer = b""

    @classmethod
    def to(cls, port):
        return cls(socket.create_connection(("127.0.0.1", port), timeout=WATCHDOG))

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next message, or None at the end."""
        while True:
            if len(self.buffer) >= 4:
                end = 4 + struct.unpack(">I", self.buffer[:4])[0]
                if len(self.buffer) >= end:
                    payload, self.buffer = self.buffer[4:end], self.buffer[end:]
                    return msgpack.unpackb(payload, strict_map_key=False)
            data = self.socket.recv(65536)
            if not data:
                assert self.buffer == b"", "the end came within a frame"
                return None
            self.buffer += data

    def read_to_end(self):
        """Every byte until the end."""
        data, self.buffer = self.buffer, b""
        while piece := self.socket.recv(65536):
            data += piece
        return data

    def is_ended(self):
        """Whether the other end has ended the connection. Waits for it."""
        with contextlib.suppress(ConnectionError):
            return self.read_to_end() == b""
        return True

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def free_port():
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


PROCESSES = []


def python(*args, **options):
    """Starts Python. What a test leaves running is killed at its end."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **options.pop("env", {})}
    process = subprocess.Popen(
        [sys.executable, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )
    PROCESSES.append(process)
    return process


def kill_processes():
    """Ends what a test has started."""
    while PROCESSES:
        process = PROCESSES.pop()
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                stream.close()


def run(*args, **options):
    """Runs Python to its end. Returns what it has printed; it must not fail, nor complain."""
    process = python(*args, **options)
    out, err = process.communicate(timeout=WATCHDOG)
    assert process.returncode == 0, err
    assert err == ""
    return out


def interrupt(process):
    """Presses Ctrl-C."""
    process.send_signal(signal.SIGINT)
