"""The original's client: sends 500 messages to a server that sends them back, and says how that went."""

import sys
import time

import repod

assert "heartwire" not in sys.modules


class Game(repod.ConnectionListener):
    count = 0
    sent = False
    running = True

    def Network_connected(self, data):
        if not self.sent:
            self.sent = True
            for n in range(500):
                self.send({"action": "echo", "n": n, "data": b"x" * n, "keys": {n: None}})

    def Network_echo(self, data):
        assert data == {
            "action": "echo", "n": self.count, "data": b"x" * self.count, "keys": {self.count: None},
        }
        self.count += 1
        if self.count == 500:
            print("500 in order")
            self.connection.close()

    def Network_disconnected(self, data):
        print("disconnected")
        self.running = False


game = Game()
game.connect("127.0.0.1", int(sys.argv[1]))
while game.running:
    game.pump()
    time.sleep(0.001)
