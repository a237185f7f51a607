"""python-engineio on uvicorn, sending messages back, and those that begin with a B to everybody: ``PORT``."""

import sys

import engineio
import uvicorn
from engineio import packet

server = engineio.AsyncServer(async_mode="asgi", async_handlers=False, http_compression=False)
sids = set()


@server.on("connect")
async def connect(sid, environ):
    sids.add(sid)


@server.on("disconnect")
async def disconnect(sid, reason=None):
    sids.discard(sid)


@server.on("message")
async def message(sid, data):
    if isinstance(data, str) and data.startswith("B"):
        # As python-socketio does: one packet for everybody.
        prepared = packet.Packet(packet.MESSAGE, data=data)
        for each in list(sids):
            await server.send_packet(each, prepared)
    else:
        await server.send(sid, data)


uvicorn.run(
    engineio.ASGIApp(server),
    host="127.0.0.1",
    port=int(sys.argv[1]),
    loop="uvloop",
    http="httptools",
    ws="websockets-sansio",
    ws_per_message_deflate=False,
    ws_ping_interval=None,
    log_level="error",
    access_log=False,
    backlog=4096,
    lifespan="off",
    timeout_keep_alive=60,
)
