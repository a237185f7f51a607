"""A server that sends every message back: repod_echo.py"""

import asyncio

from game import end_with_parent, say
from repod import Channel, Server


class Echo(Channel["EchoServer"]):
    def network_received(self, data):
        self.send(data)


class EchoServer(Server[Echo]):
    channel_class = Echo


async def main():
    server = EchoServer("127.0.0.1", 0)
    await server.start()
    say({"port": server._tcp_server.sockets[0].getsockname()[1]})
    await server.run()


end_with_parent()
asyncio.run(main())
