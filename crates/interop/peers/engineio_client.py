"""Plays the game with a server: engineio_client.py sync|async URL WAY COUNT"""

import asyncio
import sys

import engineio
from game import Player, end_with_parent, say, transports

kind, url, way, count = sys.argv[1:]
player = Player(int(count))
end_with_parent()


def run_sync():
    class InOrder(engineio.Client):
        # The library starts a thread a message, which loses their order.
        def _trigger_event(self, event, *args, **kwargs):
            kwargs["run_async"] = False
            return super()._trigger_event(event, *args, **kwargs)

    client = InOrder()
    ended = client.create_event()

    @client.on("connect")
    def on_connect():
        for message in player.opening():
            client.send(message)

    @client.on("message")
    def on_message(data):
        answer = player.answer(data)
        if answer is False:
            player.seen["transport"] = client.transport()
            ended.set()
        elif answer is not None:
            client.send(answer)

    @client.on("disconnect")
    def on_disconnect(reason):
        player.seen["reason"] = reason
        ended.set()

    client.connect(url, transports=transports(way))
    ended.wait()
    client.disconnect()


async def run_async():
    client = engineio.AsyncClient()
    ended = asyncio.Event()
    incoming = asyncio.Queue()

    @client.on("connect")
    async def on_connect():
        for message in player.opening():
            await client.send(message)

    # A plain function: coroutines run as tasks, which loses their order.
    @client.on("message")
    def on_message(data):
        incoming.put_nowait(data)

    @client.on("disconnect")
    async def on_disconnect(reason):
        player.seen["reason"] = reason
        ended.set()

    async def play():
        while True:
            answer = player.answer(await incoming.get())
            if answer is False:
                player.seen["transport"] = client.transport()
                ended.set()
                return
            if answer is not None:
                await client.send(answer)

    playing = asyncio.create_task(play())
    await client.connect(url, transports=transports(way))
    await ended.wait()
    playing.cancel()
    await client.disconnect()


if kind == "sync":
    run_sync()
else:
    asyncio.run(run_async())
say(player.seen)
