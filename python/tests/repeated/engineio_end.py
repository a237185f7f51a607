"""A program that ends while a client is connected: `engineio_end.py WHAT URL NUMBER`."""

import asyncio
import faulthandler
import sys
import threading
import time

from heartwire import engineio

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]
URL, NUMBER = sys.argv[2], int(sys.argv[3])

faulthandler.dump_traceback_later(60, exit=True)


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
