"""The original's server: sends messages back, and tells what happens."""

import asyncio
import sys

import repod

assert "heartwire" not in sys.modules


class Player(repod.Channel):
    count = 0

    def Network_echo(self, data):
        self.count += 1
        self.send(data)

    def Network_count(self, data):
        print("counted", self.count, flush=True)


class Game(repod.Server):
    channel_class = Player

    async def start(self):
        await super().start()
        print("listening", flush=True)

    def on_connect(self, channel, addr):
        print("connected", flush=True)

    def on_disconnect(self, channel):
        print("disconnected", flush=True)


async def main():
    game = Game("127.0.0.1", int(sys.argv[1]))
    await game.start()
    await game.run()


asyncio.run(main())
