"""A program that ends while a client is connected: `engineio_end.py WHAT URL NUMBER`."""

import asyncio
import faulthandler
import logging
import sys
import threading
import time

from heartwire import engineio
from heartwire.engineio import _threads

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]
URL, NUMBER = sys.argv[2], int(sys.argv[3])

faulthandler.dump_traceback_later(60, exit=True)
# In its debug mode it tells what takes long, which is no fault on a busy machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)


def connected():
    client = engineio.Client()
    client.connect(URL, transports=TRANSPORTS[NUMBER % 3])
    return client


def idle():
    connected()


def sending():
    client = connected()
    for _ in range(1000):
        client.send("x" * 100)


def handlers():
    client = connected()
    client.on("message", lambda data: client.send(data))
    client.send("round and round")
    time.sleep(NUMBER / 1000)


def blocked():
    client, reached = connected(), threading.Event()

    @client.on("message")
    def on_message(data):
        reached.set()
        threading.Event().wait()

    client.send("x")
    assert reached.wait(60)


def busy(work):
    client, reached = connected(), threading.Event()

    @client.on("message")
    def on_message(data):
        reached.set()
        while True:
            work()

    client.send("x")
    assert reached.wait(60)


def computing():
    busy(lambda: None)


def waking():
    busy(lambda: time.sleep(0.001))


def starting():
    """The network wants another thread for handlers, for which it uses the interpreter, when that ends."""
    client, reached, original = connected(), threading.Event(), _threads.start

    def start_slowly():
        reached.set()
        time.sleep(0.05)
        original()

    _threads.start = start_slowly
    never = client.create_event()
    client.on("message", lambda data: never.wait())
    client.send("x")
    client.send("y")
    assert reached.wait(60)


async def open_asynchronously():
    client = engineio.AsyncClient()
    await client.connect(URL, transports=TRANSPORTS[NUMBER % 3])
    client.on("message", lambda data: None)
    for _ in range(100):
        await client.send("x" * 100)
    return client


def asynchronous():
    asyncio.run(open_asynchronously())


def loop_ended():
    global client
    client = asyncio.run(open_asynchronously())


globals()[sys.argv[1]]()
print("done")
