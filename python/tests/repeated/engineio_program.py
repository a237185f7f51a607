"""Does something with Engine.IO clients a hundred times: `engineio_program.py WHAT URL PID`, where PID is
the server's process."""

import asyncio
import gc
import logging
import multiprocessing
import os
import queue
import signal
import socket
import sys
import threading
import weakref

from repeating import TIMES, Keyboard, run_child, times, until, wait_for_interrupt

from heartwire import engineio
from heartwire.engineio import base_client

URL, SERVER = sys.argv[2], int(sys.argv[3])
# In its debug mode it tells what takes long, which is no fault on a busy machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


def connected(n, **kwargs):
    client = engineio.Client(**kwargs)
    client.connect(URL, transports=TRANSPORTS[n % 3])
    return client


def echo(client):
    seen = client.create_queue()
    client.on("message", seen.put)
    client.send("x")
    assert seen.get(timeout=30) == "x"


# Other processes.


def fork():
    for n in times():
        client = connected(n)
        echo(client)
        run_child(use_in_child, client, n)
        echo(client)
        client.disconnect()


def use_in_child(client, n):
    assert client.state == "disconnected" and client.sid is None
    try:
        client.send("x")
    except engineio.exceptions.SocketIsClosedError:
        pass
    else:
        raise AssertionError("the child has sent something on its parent's connection")
    client.disconnect()
    client.wait()
    client.connect(URL, transports=TRANSPORTS[n % 3])
    echo(client)
    other = connected(n)
    echo(other)
    other.disconnect()
    client.disconnect()


def fork_from_an_event_loop():
    async def main(n):
        client = engineio.AsyncClient()
        await client.connect(URL, transports=TRANSPORTS[n % 3])
        run_child(check_that_it_has_no_connection, client)
        seen = asyncio.Queue()
        client.on("message", seen.put_nowait)
        await client.send("x")
        assert await asyncio.wait_for(seen.get(), 30) == "x"
        await client.disconnect()

    for n in times():
        asyncio.run(main(n))


def check_that_it_has_no_connection(client):
    assert client.state == "disconnected" and client.sid is None


def work(n):
    client = connected(n, handle_sigint=False)
    echo(client)
    client.disconnect()


def multiprocess():
    client = connected(2)
    echo(client)
    for n in times():
        run_in(multiprocessing.get_context("fork"), n)
    # What starts afresh shares nothing.
    for method in ("spawn", "forkserver"):
        run_in(multiprocessing.get_context(method), 2)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, range(6))
        pool.close()
        pool.join()
    echo(client)
    client.disconnect()


def run_in(context, n):
    process = context.Process(target=work, args=[n])
    process.start()
    process.join()
    assert process.exitcode == 0
    process.close()


# Ctrl-C. Every client tells each connection's end once, and can be used again.


def interrupt_connect():
    keyboard = Keyboard()
    with socket.create_server(("127.0.0.1", 0), backlog=TIMES) as deaf:
        silent = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        for n in times():
            client, ends = engineio.Client(request_timeout=100), []
            client.on("disconnect", ends.append)
            try:
                # With a server that says nothing, and at any moment of what goes well.
                keyboard.soon(0, 0.02)
                client.connect(silent if n % 2 else URL, transports=TRANSPORTS[n % 3])
                wait_for_interrupt()
            except KeyboardInterrupt:
                pass
            assert client.state == "disconnected"
            assert ends in ([], ["client disconnect"]), ends
            use_again(client, n)


def interrupt_wait():
    keyboard = Keyboard()
    for n in times():
        client, ends = connected(n), []
        client.on("disconnect", ends.append)
        try:
            keyboard.soon(0, 0.01)
            client.wait()
            wait_for_interrupt()
        except KeyboardInterrupt:
            pass
        assert (client.state, ends) == ("disconnected", ["client disconnect"])
        use_again(client, n)


def interrupt_disconnect():
    keyboard = Keyboard()
    for n in times():
        client, ends = connected(n), []
        client.on("disconnect", ends.append)
        if n % 2:
            # A server that does not answer any more: `disconnect()` waits until it is interrupted.
            os.kill(SERVER, signal.SIGSTOP)
        for _ in range(20):
            client.send(bytes(10_000))
        try:
            keyboard.soon(0, 0.02)
            client.disconnect()
            wait_for_interrupt()
        except KeyboardInterrupt:
            pass
        finally:
            os.kill(SERVER, signal.SIGCONT)
        assert (client.state, ends) == ("disconnected", ["client disconnect"])
        use_again(client, n)


def interrupt_event_loop():
    """The client's handler of Ctrl-C disconnects it and ends the loop, which `asyncio.run` tells in one of
    several ways."""
    keyboard = Keyboard()

    async def main(n, ends):
        client = engineio.AsyncClient()
        client.on("disconnect", ends.append)
        await client.connect(URL, transports=TRANSPORTS[n % 3])
        keyboard.soon(0, 0.01)
        await client.wait()
        await asyncio.sleep(30)
        raise AssertionError("it was not interrupted")

    for n in times():
        ends = []
        try:
            asyncio.run(main(n, ends))
        except (KeyboardInterrupt, asyncio.CancelledError, RuntimeError):
            pass
        assert ends == ["client disconnect"], (n, ends)
        assert base_client.connected_clients == []


def use_again(client, n):
    client.handlers.clear()
    client.connect(URL, transports=TRANSPORTS[n % 3])
    echo(client)
    client.disconnect()


# Exceptions of handlers.


class Broken(Exception):
    pass


def break_down(*_):
    raise Broken


class Records(logging.Handler):
    """What is logged."""

    def __init__(self):
        super().__init__()
        self.texts = []
        logger = logging.getLogger("engineio.client")
        logger.setLevel(logging.ERROR)
        logger.addHandler(self)

    def emit(self, record):
        assert record.exc_info[0] is Broken
        self.texts.append(record.getMessage())


def exceptions():
    records, raised = Records(), queue.Queue()
    threading.excepthook = lambda arguments: raised.put(arguments.exc_type)
    for n in times():
        client = engineio.Client()
        client.on("connect", break_down)
        try:
            client.connect(URL, transports=TRANSPORTS[n % 3])
        except engineio.exceptions.ConnectionError as error:
            assert isinstance(error.__cause__, Broken)
        assert client.state == "disconnected"
        client.handlers.clear()
        client.on("message", break_down)
        client.on("disconnect", break_down)
        client.connect(URL, transports=TRANSPORTS[n % 3])
        for _ in range(3):
            client.send("x")
            assert raised.get(timeout=30) is Broken
        echo(client)
        client.disconnect()
        assert client.state == "disconnected"
        assert raised.empty()
        use_again(client, n)
        assert records.texts == ["connect handler error", "disconnect handler error"]
        records.texts.clear()


def exceptions_in_an_event_loop():
    records, raised = Records(), []

    async def abreak_down(*_):
        raise Broken

    async def main(n):
        raised.clear()
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: raised.append(type(context["exception"]))
        )
        handler = abreak_down if n % 2 else break_down
        client = engineio.AsyncClient()
        client.on("connect", handler)
        try:
            await client.connect(URL, transports=TRANSPORTS[n % 3])
        except engineio.exceptions.ConnectionError as error:
            assert isinstance(error.__cause__, Broken)
        assert client.state == "disconnected"
        client.handlers.clear()
        client.on("message", handler)
        client.on("disconnect", handler)
        await client.connect(URL, transports=TRANSPORTS[n % 3])
        for count in range(1, 4):
            await client.send("x")
            async with asyncio.timeout(30) if sys.version_info >= (3, 11) else asyncio.Lock():
                while len(raised) < count:
                    # What a task has raised is told when nothing refers to it any more.
                    await asyncio.sleep(0.001)
                    gc.collect()
        seen = asyncio.Queue()
        client.on("message", seen.put_nowait)
        await client.send("x")
        assert await asyncio.wait_for(seen.get(), 30) == "x"
        await client.disconnect()
        assert client.state == "disconnected"
        assert raised == [Broken] * 3
        assert records.texts == ["connect handler error", "disconnect handler error"]
        records.texts.clear()

    for n in times():
        asyncio.run(main(n))


# Garbage.


def collect():
    """A client that is connected is not collected, and one that has ended is."""
    for n in times():
        client = connected(n)
        seen, known = client.create_queue(), weakref.ref(client)
        client.on("message", seen.put)
        client.send("x")
        del client
        gc.collect()
        assert seen.get(timeout=30) == "x"
        known().disconnect()
        until(lambda: gc.collect() is not None and known() is None)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("done")
