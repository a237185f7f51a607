"""`AsyncClient` on uvloop, an event loop that is not asyncio's own."""

import asyncio
import signal
import subprocess
import sys

import aiohttp
import pytest
import uvloop

from heartwire import engineio
from heartwire.engineio import base_client


TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


def run(coroutine):
    """As `asyncio.run` does, and waits until every task that was begun is done."""

    async def watched():
        before = asyncio.all_tasks()
        await coroutine
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0)

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(asyncio.wait_for(watched(), 110))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.mark.parametrize("transports", TRANSPORTS, ids="-".join)
def test_conversation(server, transports):
    async def talk():
        client, arrived, ends = engineio.AsyncClient(handle_sigint=False), asyncio.Queue(), []
        client.on("message", arrived.put)
        client.on("disconnect", ends.append)
        for _ in range(2):
            await client.connect(server.url, transports=transports)
            assert client.transport() == transports[-1]
            for number in range(500):
                await client.send({"number": number})
            await client.send(b"bytes")
            assert [await arrived.get() for _ in range(500)] == [{"number": i} for i in range(500)]
            assert await arrived.get() == b"bytes"
            await client.disconnect()
            assert client.state == "disconnected"
        assert ends == ["client disconnect"] * 2

    run(talk())


def test_functions_run_in_order_between_other_tasks(server):
    """And what is sent while too much waits to be sent waits without stopping them."""

    async def talk():
        client = engineio.AsyncClient(handle_sigint=False, send_limits=(10, 1 << 20))
        arrived, done, turns = [], asyncio.Event(), 0

        @client.on("message")
        def on_message(data):
            arrived.append(data)
            if len(arrived) == 500:
                done.set()

        async def take_turns():
            nonlocal turns
            while not done.is_set():
                turns += 1
                await asyncio.sleep(0)

        await client.connect(server.url)
        others = asyncio.create_task(take_turns())
        for number in range(500):
            await client.send(f"n{number}")
        await done.wait()
        await others
        assert arrived == [f"n{number}" for number in range(500)]
        assert turns > 10
        await client.disconnect()

    run(talk())


def test_ends(start_peer):
    async def talk():
        for command, reason in (("!close", "server disconnect"), ("!exit", "transport error")):
            client, ends = engineio.AsyncClient(handle_sigint=False), []
            client.on("disconnect", ends.append)
            peer = start_peer("asgi")
            await client.connect(peer.url)
            await client.send(command)
            await client.wait()
            assert ends == [reason]
        with pytest.raises(engineio.exceptions.ConnectionError):
            await client.connect(peer.url)

    run(talk())


def test_requests_by_a_session_of_aiohttp(server):
    async def talk():
        async with aiohttp.ClientSession() as session:
            client = engineio.AsyncClient(http_session=session, handle_sigint=False)
            arrived = asyncio.Queue()
            client.on("message", arrived.put)
            await client.connect(server.url, transports=["polling"])
            await client.send("through aiohttp")
            assert await arrived.get() == "through aiohttp"
            await client.disconnect()

    run(talk())


def test_loop_that_is_closed_takes_the_connection_with_it(start_peer):
    peer = start_peer("asgi")
    client = engineio.AsyncClient(handle_sigint=False)

    async def connect():
        await client.connect(peer.url, transports=["websocket"])
        await client.send("last words")

    loop = uvloop.new_event_loop()
    loop.run_until_complete(connect())
    loop.close()

    async def again():
        arrived = asyncio.Queue()
        client.on("message", arrived.put)
        await client.connect(peer.url, transports=["websocket"])
        # They travel while there is no loop.
        while True:
            await client.send("!received last")
            if await arrived.get() == ["last words"]:
                break
        await client.disconnect()

    run(again())
    assert client.state == "disconnected" and client not in base_client.connected_clients


PROGRAM = """
import asyncio, os, signal, sys
import uvloop
from heartwire import engineio

async def main():
    client = engineio.AsyncClient()
    client.on("disconnect", print)
    await client.connect(sys.argv[1])
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
    await client.wait()
    await asyncio.sleep(60)

uvloop.run(main())
"""


def test_ctrl_c(server):
    command = [sys.executable, "-c", PROGRAM, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.stdout == "client disconnect\n"
    assert done.returncode not in (0, -signal.SIGKILL)
