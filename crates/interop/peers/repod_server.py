"""A server for the game of repod: repod_server.py"""

import asyncio

from game import end_with_parent, say
from repod import Channel, Server
from repod_game import DATA, same


class Referee(Channel["RefereeServer"]):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.count = 0
        self.first_wrong = None
        self.others = []

    def wrong(self, what):
        self.first_wrong = self.first_wrong or what

    def Network_up(self, data):
        if data != {"action": "up", "n": self.count}:
            self.wrong(f"{data!r} instead of {self.count}")
        self.count += 1

    def Network_flood(self, data):
        for n in range(data["count"]):
            self.send({"action": "down", "n": n})

    def Network_report(self, data):
        self.send({"action": "report", "count": self.count, "first_wrong": self.first_wrong})

    def Network_value(self, data):
        index = data["index"]
        if not same(data["value"], DATA[index]):
            self.wrong(f"value {index} has arrived changed")
        self.send({"action": "value", "index": index, "value": DATA[index]})

    def Network_everybody(self, data):
        self.server.send_to_all(data)

    def Network_kick(self, data):
        # It has no method for that.
        self._writer.close()

    def Network_left(self, data):
        self.send({"action": "left", "list": self.server.left})
        self.server.left = []

    def network_received(self, data):
        self.others.append(data)
        self.send(data)


class RefereeServer(Server[Referee]):
    channel_class = Referee

    def __init__(self):
        super().__init__("127.0.0.1", 0)
        self.left = []

    def on_disconnect(self, channel):
        self.left.append({"count": channel.count, "wrong": channel.first_wrong, "others": channel.others})


async def main():
    server = RefereeServer()
    await server.start()
    say({"port": server._tcp_server.sockets[0].getsockname()[1]})
    await server.run()


end_with_parent()
asyncio.run(main())
