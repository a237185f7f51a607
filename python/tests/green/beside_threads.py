"""A program in which gevent has replaced everything but threads."""

import sys

from gevent import monkey

monkey.patch_all(thread=False)

import gevent

from heartwire import engineio

client = engineio.Client()
arrived = client.create_queue()
client.on("message", arrived.put)
turns = []


def turn():
    while True:
        turns.append(1)
        gevent.sleep(0.01)


gevent.spawn(turn)
client.connect(sys.argv[1])
client.send("hello")
print(arrived.get())
while len(turns) < 5:
    gevent.sleep(0.01)
client.disconnect()
print(client.state)
