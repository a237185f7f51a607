"""What `AsyncClient` takes of a session and of contexts of aiohttp, and what it refuses by name. Nothing is
left out silently: a WebSocket that trusts whom the session does not would be worse than none."""

import asyncio
import queue
import re
import socket
import ssl
import threading

import aiohttp
import aiohttp.abc
import pytest
import trustme

from heartwire import engineio
from heartwire.engineio import exceptions


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 110))


class OwnConnector(aiohttp.TCPConnector):
    pass


class OwnResolver(aiohttp.abc.AbstractResolver):
    async def resolve(self, host, port=0, family=socket.AF_INET):
        entry = {"hostname": host, "host": "127.0.0.1", "port": port}
        return [{**entry, "family": family, "proto": 0, "flags": socket.AI_NUMERICHOST}]

    async def close(self):
        pass


async def middleware(request, handler):
    return await handler(request)


def connecting(**kwargs):
    return lambda: {"connector": aiohttp.TCPConnector(**kwargs)}


REFUSED = [
    (lambda: {"connector": OwnConnector()}, "connector: OwnConnector"),
    (lambda: {"connector": aiohttp.UnixConnector("/nowhere")}, "connector: UnixConnector"),
    (connecting(resolver=OwnResolver()), "connector: resolver: OwnResolver"),
    (connecting(family=socket.AF_INET), "connector: family"),
    (connecting(local_addr=("127.0.0.1", 0)), "connector: local_addr"),
    (connecting(ssl=aiohttp.Fingerprint(bytes(32))), "connector: ssl: Fingerprint"),
    (lambda: {"middlewares": [middleware]}, "middlewares"),
]


@pytest.mark.parametrize(("arguments", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_what_websockets_would_leave_out_is_refused(server, arguments, told):
    async def connect():
        async with aiohttp.ClientSession(**arguments()) as session:
            client = engineio.AsyncClient(http_session=session, handle_sigint=False)
            message = f"http_session: {told} is not available for WebSockets: "
            for transports in (["websocket"], None):
                with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
                    await client.connect(server.url, transports=transports)
                assert client.state == "disconnected"
            if "Unix" in told:
                return
            # Requests are the session's own.
            arrived = asyncio.Queue()
            client.on("message", arrived.put)
            await client.connect(server.url, transports=["polling"])
            await client.send("polled")
            assert await arrived.get() == "polled"
            await client.disconnect()

    run(connect())


def test_sessions_that_say_nothing_of_that_are_taken(server):
    async def connect():
        for arguments in ({}, connecting(limit=7, ttl_dns_cache=5)(), {"trust_env": True}):
            async with aiohttp.ClientSession(**arguments) as session:
                client = engineio.AsyncClient(http_session=session, handle_sigint=False)
                await client.connect(server.url)
                assert client.transport() == "websocket"
                await client.disconnect()

    run(connect())


def context(**attributes):
    made = ssl.create_default_context()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def ciphers(wanted):
    made = ssl.create_default_context()
    made.set_ciphers(wanted)
    return made


CONTEXTS = [
    (lambda: context(minimum_version=ssl.TLSVersion.TLSv1_3), "minimum_version"),
    (lambda: context(maximum_version=ssl.TLSVersion.TLSv1_2), "maximum_version"),
    (lambda: context(options=context().options | ssl.OP_NO_TLSv1_3), "options"),
    (lambda: context(verify_flags=ssl.VERIFY_CRL_CHECK_LEAF), "verify_flags"),
    (lambda: ciphers("AES256-SHA"), "set_ciphers()"),
]


@pytest.mark.filterwarnings("ignore:ssl.OP_NO.*:DeprecationWarning")
@pytest.mark.parametrize("where", ["session", "option"])
@pytest.mark.parametrize(("make", "told"), CONTEXTS, ids=[told for _, told in CONTEXTS])
def test_contexts_that_ask_for_more_than_there_is_are_refused(make, told, where):
    made = make()

    async def connect():
        connector = aiohttp.TCPConnector(ssl=made if where == "session" else True)
        extra = {"ssl": made} if where == "option" else None
        place = "websocket_extra_options" if where == "option" else "http_session: connector"
        async with aiohttp.ClientSession(connector=connector) as session:
            client = engineio.AsyncClient(
                http_session=session, websocket_extra_options=extra, handle_sigint=False
            )
            message = re.escape(f"{place}: ssl: {told} is not available: ")
            with pytest.raises(TypeError, match=f"^{message}"):
                await client.connect("https://127.0.0.1:1")

    run(connect())


def test_ciphers_of_a_context_are_those_of_websockets():
    """A server that has all of OpenSSL's, and prefers others, agrees on what the client leaves."""
    authority, agreed = trustme.CA(), queue.Queue()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    trusting.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")

    def serve():
        connection, _ = listener.accept()
        with serving.wrap_socket(connection, server_side=True) as connection:
            agreed.put(connection.cipher()[0])

    async def connect(url):
        client = engineio.AsyncClient(websocket_extra_options={"ssl": trusting}, handle_sigint=False)
        with pytest.raises(exceptions.ConnectionError):
            await client.connect(url, transports=["websocket"])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        run(connect(f"https://127.0.0.1:{listener.getsockname()[1]}"))
        thread.join()
    assert agreed.get_nowait() == "ECDHE-ECDSA-CHACHA20-POLY1305"


def test_certificate_of_the_client(start_peer, tmp_path):
    """That of a context cannot be read: `sslopt` says which it is."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    own = authority.issue_cert("client@example.com")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    peer = start_peer(
        "asgi", "--certificate", tmp_path / "server.pem", "--authorities", tmp_path / "ca.pem", scheme="https"
    )
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    trusting.load_cert_chain(tmp_path / "client.pem")
    sslopt = {"ca_certs": str(tmp_path / "ca.pem"), "certfile": str(tmp_path / "client.pem")}

    async def connect():
        connector = aiohttp.TCPConnector(ssl=trusting)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = engineio.AsyncClient(
                http_session=session, websocket_extra_options={"sslopt": sslopt}, handle_sigint=False
            )
            await client.connect(peer.url)
            assert client.transport() == "websocket"
            await client.disconnect()

    run(connect())
