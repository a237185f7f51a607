"""A server that sends messages back: ``ours|theirs PORT``."""

import logging
import sys

if sys.argv[1] == "ours":
    from heartwire.repod import Channel, Server
else:
    from repod.channel import Channel
    from repod.server import Server

logging.disable(logging.CRITICAL)


class Echo(Channel):
    def Network_e(self, data):
        self.send(data)


class EchoServer(Server):
    channel_class = Echo


EchoServer("127.0.0.1", int(sys.argv[2])).launch()
