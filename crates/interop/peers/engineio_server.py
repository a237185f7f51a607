"""A server for the game: engineio_server.py threading|asgi"""

import logging
import socket
import sys

import engineio
from game import Referee, end_with_parent, say

kind = sys.argv[1]
end_with_parent()
referees = {}
# With the protocol named, asyncio turns off the delay of small packets.
listener = socket.socket(proto=socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
listener.listen(128)
port = listener.getsockname()[1]
options = {"max_http_buffer_size": 2_000_000, "cors_allowed_origins": "*"}

if kind == "threading":
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = engineio.Server(async_mode="threading", async_handlers=False, **options)

    @server.on("connect")
    def on_connect(sid, environ):
        referees[sid] = Referee()

    @server.on("message")
    def on_message(sid, data):
        if data == "close":
            return server.disconnect(sid)
        for answer in referees[sid].answers(data):
            server.send(sid, answer)

    app = engineio.WSGIApp(server)
    wsgi = make_server("127.0.0.1", port, app, threaded=True, fd=listener.fileno())
    say({"port": port})
    wsgi.serve_forever()
else:
    import uvicorn

    server = engineio.AsyncServer(async_mode="asgi", async_handlers=False, **options)

    @server.on("connect")
    async def on_connect(sid, environ):
        referees[sid] = Referee()

    @server.on("message")
    async def on_message(sid, data):
        if data == "close":
            return await server.disconnect(sid)
        for answer in referees[sid].answers(data):
            await server.send(sid, answer)

    app = engineio.ASGIApp(server)
    config = uvicorn.Config(app, log_level="error", ws_max_size=4_000_000)
    say({"port": port})
    uvicorn.Server(config).run(sockets=[listener])
