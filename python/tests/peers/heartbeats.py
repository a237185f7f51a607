"""python-engineio's own server, on asyncio, which records its heartbeats: `heartbeats.py INTERVAL TIMEOUT`.

Prints its port. It sends every message back, but answers "!record SID" with what has become of a session:
the pings that it was sent and has answered, why it has ended, and by how many seconds this process, which
has nothing else to do, was late itself at any time in the last two before the end.
"""

import asyncio
import socket
import sys
import time

import engineio
import uvicorn

INTERVAL, TIMEOUT = float(sys.argv[1]), float(sys.argv[2])

#: Seconds between looks at the clock.
TICK = 0.01

#: By session: pings, pongs, the reason of the end, and how late this process was.
sessions = {}

#: When this process was late, and by how much.
late = []


class Socket(engineio.async_socket.AsyncSocket):
    async def send(self, pkt):
        if pkt.packet_type == engineio.packet.PING:
            sessions[self.sid]["pings"] += 1
        await super().send(pkt)

    async def receive(self, pkt):
        if pkt.packet_type == engineio.packet.PONG:
            sessions[self.sid]["pongs"] += 1
        await super().receive(pkt)


engineio.async_socket.AsyncSocket = Socket
# It tells clients whole seconds: what is missing to one is told them, and not waited for.
server = engineio.AsyncServer(
    async_mode="asgi", ping_interval=(INTERVAL, 1 - INTERVAL), ping_timeout=TIMEOUT
)


@server.on("connect")
def on_connect(sid, environ):
    sessions[sid] = {"pings": 0, "pongs": 0, "reason": None, "late": 0.0}


@server.on("message")
async def on_message(sid, data):
    name, _, asked = data.partition(" ")
    if name == "!record":
        data = sessions[asked]
    await server.send(sid, data)


@server.on("disconnect")
def on_disconnect(sid, reason):
    session = sessions[sid]
    session["reason"] = reason
    now = time.monotonic()
    # The clock is behind by what has passed since its last tick.
    session["late"] = max([now - clock.ticked - TICK, *(by for when, by in late if when > now - 2)])


async def clock():
    clock.ticked = time.monotonic()
    while True:
        await asyncio.sleep(TICK)
        now = time.monotonic()
        if now - clock.ticked > 2 * TICK:
            late.append((now, now - clock.ticked - TICK))
        clock.ticked = now


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    ticking = asyncio.create_task(clock())
    await asyncio.sleep(0)
    print(listener.getsockname()[1], flush=True)
    app = engineio.ASGIApp(server)
    config = uvicorn.Config(app, log_level="critical", ws="websockets-sansio")
    await uvicorn.Server(config).serve(sockets=[listener])
    ticking.cancel()


asyncio.run(main())
