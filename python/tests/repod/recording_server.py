"""A server that tells what it receives: `recording_server.py PORT`. On the original, or with `-m heartwire
run` on this package."""

import asyncio
import json
import sys

import repod


class Player(repod.Channel):
    def network_received(self, data):
        print(json.dumps(data), flush=True)


class Game(repod.Server):
    channel_class = Player

    def on_connect(self, channel, addr):
        print("connected", flush=True)

    def on_disconnect(self, channel):
        print("disconnected", flush=True)


async def main():
    game = Game("127.0.0.1", int(sys.argv[1]))
    await game.start()
    print(repod.__name__, flush=True)
    await game.run()


asyncio.run(main())
