"""python-socketio's own server, on asyncio. Prints its port."""

import socket
import sys

import socketio
import uvicorn

server = socketio.AsyncServer(async_mode="asgi", ping_interval=25, ping_timeout=20)
received = []


@server.event
async def echo(sid, *data):
    return data


@server.event
async def note(sid, data):
    received.append(data)


@server.event
async def notes(sid, prefix):
    return [data for data in received if data.startswith(prefix)]


@server.event
async def count(sid, total):
    for i in range(total):
        await server.emit("number", i, to=sid)


@server.event
async def ask(sid):
    await server.emit("question", "why?", to=sid)


@server.event
async def header(sid, name):
    return server.get_environ(sid).get(name)


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
listener.listen(100)
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(socketio.ASGIApp(server), log_level="critical", ws="websockets-sansio")
uvicorn.Server(config).run(sockets=[listener])
