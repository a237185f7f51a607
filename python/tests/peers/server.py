"""python-engineio's own server, on asyncio or on threads, as the other side of tests.

Prints its port. It sends every message back, except those that begin with "!", which tell it what to do.
"""

import argparse
import os
import socket

import engineio


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["asgi", "wsgi"])
    parser.add_argument("--ping-interval", type=float, default=25)
    parser.add_argument("--ping-timeout", type=float, default=20)
    parser.add_argument("--max-http-buffer-size", type=int, default=1_000_000)
    parser.add_argument("--no-upgrades", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--set-cookie", action="store_true")
    parser.add_argument("--certificate")
    parser.add_argument("--authorities")
    return parser.parse_args()


GIVEN = options()

#: Requests, with their headers.
requests = []

#: Messages of all clients.
received = []

settings = {
    "ping_interval": GIVEN.ping_interval,
    "ping_timeout": GIVEN.ping_timeout,
    "max_http_buffer_size": GIVEN.max_http_buffer_size,
    "allow_upgrades": not GIVEN.no_upgrades,
    "cors_allowed_origins": "*",
}


def judge(environ):
    """What the handler of `connect` returns."""
    if "reject=1" in environ.get("QUERY_STRING", ""):
        return {"message": "not today", "code": 7}
    return None


def command(text):
    """The answers to a message that begins with "!"."""
    name, _, rest = text[1:].partition(" ")
    if name == "burst":
        return [f"burst {i}" for i in range(int(rest))]
    if name == "say":
        return [rest]
    if name == "requests":
        return [requests]
    if name == "received":
        return [[message for message in received if str(message).startswith(rest)]]
    if name == "kinds":
        return [[f"{type(message).__name__} {message!r}" for message in received]]
    if name == "exit":
        os._exit(1)
    if name == "bytes":
        return [bytes(int(rest))]
    raise ValueError(text)


def listen():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", GIVEN.port))
    listener.listen(100)
    print(listener.getsockname()[1], flush=True)
    return listener


def run_asgi():
    import uvicorn

    server = engineio.AsyncServer(async_mode="asgi", **settings)

    @server.on("connect")
    def on_connect(sid, environ):
        return judge(environ)

    @server.on("message")
    async def on_message(sid, data):
        if not (isinstance(data, str) and data.startswith("!")):
            received.append(data)
            await server.send(sid, data)
        elif data == "!close":
            await server.disconnect(sid)
        else:
            for answer in command(data):
                await server.send(sid, answer)

    inner = engineio.ASGIApp(server)

    async def app(scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
            note = {
                "kind": scope["type"],
                "method": scope.get("method", "GET"),
                "path": scope["path"],
                "query": scope["query_string"].decode(),
                "headers": headers,
            }
            requests.append(note)
        await inner(scope, receive, with_cookies(send) if GIVEN.set_cookie else send)

    def with_cookies(send):
        cookies = [(b"set-cookie", b"route=a; Path=/"), (b"set-cookie", b"second=b")]

        async def send_with_cookies(event):
            if event["type"] in ("http.response.start", "websocket.accept"):
                event = {**event, "headers": [*event.get("headers", []), *cookies]}
            await send(event)

        return send_with_cookies

    arguments = {}
    if GIVEN.certificate:
        arguments["ssl_certfile"] = GIVEN.certificate
    if GIVEN.authorities:
        import ssl

        arguments["ssl_ca_certs"] = GIVEN.authorities
        arguments["ssl_cert_reqs"] = ssl.CERT_REQUIRED
    config = uvicorn.Config(app, log_level="critical", ws="websockets-sansio", **arguments)
    uvicorn.Server(config).run(sockets=[listen()])


def run_wsgi():
    from werkzeug.serving import WSGIRequestHandler, make_server

    server = engineio.Server(async_mode="threading", async_handlers=False, **settings)

    @server.on("connect")
    def on_connect(sid, environ):
        return judge(environ)

    @server.on("message")
    def on_message(sid, data):
        if not (isinstance(data, str) and data.startswith("!")):
            received.append(data)
            server.send(sid, data)
        elif data == "!close":
            server.start_background_task(server.disconnect, sid)
        else:
            for answer in command(data):
                server.send(sid, answer)

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_):
            pass

    listener = listen()
    app = engineio.WSGIApp(server)
    port = listener.getsockname()[1]
    serving = make_server(
        "127.0.0.1", port, app, threaded=True, request_handler=Quiet, fd=listener.fileno()
    )
    serving.daemon_threads = True
    serving.serve_forever()


run_asgi() if GIVEN.kind == "asgi" else run_wsgi()
