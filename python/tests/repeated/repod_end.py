"""A program that ends while clients and servers are connected: `repod_end.py WHAT NUMBER`."""

import faulthandler
import logging
import sys
import threading
import time

from heartwire.repod import Channel, Client, ConnectionListener, Server

NUMBER = int(sys.argv[2])

faulthandler.dump_traceback_later(60, exit=True)
# In its debug mode it tells what takes long, which is no fault on a busy machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)


class Player(Channel):
    def network_received(self, data):
        self.send(data)


class Game(Server[Player]):
    channel_class = Player


game = Game(port=0)
game.start_background()


def chatter(client):
    client.start_background()
    while True:
        client.send({"action": "a"})
        client.recv(0.01)


def fresh():
    """Nobody has waited for anything."""
    Client("127.0.0.1", game.port).start_background()
    listener = ConnectionListener()
    listener.connect("127.0.0.1", game.port)


def busy():
    for _ in range(3):
        client = Client("127.0.0.1", game.port)
        threading.Thread(target=chatter, args=[client], daemon=True).start()
    listener = ConnectionListener()
    listener.connect("127.0.0.1", game.port)
    time.sleep(NUMBER / 250)
    listener.pump()


def closed():
    """What was sent before the end is still on its way."""
    client = Client("127.0.0.1", game.port)
    client.start_background()
    for _ in range(100):
        client.send({"action": "a", "data": bytes(1000)})
    client.close()


def served():
    """A server that its program calls, and has not called for a while."""
    other = Game(port=0)
    other.listen()
    client = Client("127.0.0.1", other.port)
    client.start_background()
    client.send({"action": "a"})
    time.sleep(NUMBER / 1000)
    other.pump()


globals()[sys.argv[1]]()
print("done")
