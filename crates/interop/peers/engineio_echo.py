"""A server that sends every message back: engineio_echo.py threading|asgi PING_INTERVAL_MS PING_TIMEOUT_MS

Everything but the pings is as it comes.
"""

import logging
import socket
import sys

import engineio
from game import end_with_parent, say

kind = sys.argv[1]
interval, timeout = (int(milliseconds) / 1000 for milliseconds in sys.argv[2:])
end_with_parent()
# With the protocol named, asyncio turns off the delay of small packets.
listener = socket.socket(proto=socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
listener.listen(128)
port = listener.getsockname()[1]
pings = {"ping_interval": interval, "ping_timeout": timeout}

if kind == "threading":
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = engineio.Server(async_mode="threading", **pings)

    @server.on("message")
    def on_message(sid, data):
        server.send(sid, data)

    wsgi = make_server("127.0.0.1", port, engineio.WSGIApp(server), threaded=True, fd=listener.fileno())
    say({"port": port})
    wsgi.serve_forever()
else:
    import uvicorn

    server = engineio.AsyncServer(async_mode="asgi", **pings)

    @server.on("message")
    async def on_message(sid, data):
        await server.send(sid, data)

    config = uvicorn.Config(engineio.ASGIApp(server), log_level="critical")
    say({"port": port})
    uvicorn.Server(config).run(sockets=[listener])
