"""Plays the game of repod with a server: repod_client.py PORT COUNT"""

import sys
import time

from game import end_with_parent, say
from repod import ConnectionListener
from repod_game import ACTIONS, DATA, same

port, count = map(int, sys.argv[1:])
end_with_parent()


class Player(ConnectionListener):
    def __init__(self):
        self.seen = {
            "connected": 0, "down": 0, "values": 0, "actions": 0, "everybody": None, "report": None,
            "goodbye": 0, "disconnected": 0, "wrong": None,
        }
        self.over = False
        self.connect("127.0.0.1", port)

    def wrong(self, what):
        self.seen["wrong"] = self.seen["wrong"] or what

    def Network_connected(self, data):
        self.seen["connected"] += 1

    def Network_socketConnect(self, data):
        for n in range(count):
            self.send({"action": "up", "n": n})
        self.send({"action": "flood", "count": count})

    def Network_down(self, data):
        if data != {"action": "down", "n": self.seen["down"]}:
            self.wrong(f"{data!r} instead of {self.seen['down']}")
        self.seen["down"] += 1
        if self.seen["down"] == count:
            self.send_value()

    def send_value(self):
        index = self.seen["values"]
        self.send({"action": "value", "index": index, "value": DATA[index]})

    def Network_value(self, data):
        index = self.seen["values"]
        if data["index"] != index or not same(data["value"], DATA[index]):
            self.wrong(f"value {index} has arrived changed")
        self.seen["values"] += 1
        if self.seen["values"] < len(DATA):
            self.send_value()
        else:
            self.send({"action": ACTIONS[0], "n": 0})

    def network_received(self, data):
        index = self.seen["actions"]
        if not same(data, {"action": ACTIONS[index], "n": index}):
            self.wrong(f"{data!r} came back from {ACTIONS[index]!r}")
        self.seen["actions"] += 1
        if self.seen["actions"] < len(ACTIONS):
            self.send({"action": ACTIONS[index + 1], "n": index + 1})
        else:
            self.send({"action": "everybody", "text": "żółw"})

    def Network_everybody(self, data):
        self.seen["everybody"] = data
        self.send({"action": "report"})

    def Network_report(self, data):
        self.seen["report"] = data
        self.send({"action": "kick"})

    def Network_goodbye(self, data):
        if data != {"action": "goodbye", "n": self.seen["goodbye"]}:
            self.wrong(f"{data!r} instead of goodbye {self.seen['goodbye']}")
        self.seen["goodbye"] += 1

    def Network_error(self, data):
        self.wrong(data["error"])
        self.over = True

    def Network_disconnected(self, data):
        self.seen["disconnected"] += 1
        self.over = True


player = Player()
while not player.over:
    player.pump()
    time.sleep(0.001)
player.pump()
say(player.seen)
