"""The examples of the API's description, as they stand there but for the import."""

import fcntl
import inspect
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from relay import Relay

from heartwire import engineio

EXAMPLES = Path(__file__).parent / "examples"
TARGET = Path(__file__).parent.parent.parent / "target"

#: Ours, and python-engineio's.
SERVERS = ["heartwire", "asgi", "wsgi"]

pytestmark = pytest.mark.slow


@pytest.fixture(params=SERVERS)
def start_server(request, serve, start_peer):
    """Starts a server of one kind. Returns its port."""

    def start():
        return (serve() if request.param == "heartwire" else start_peer(request.param)).port

    start.kind = request.param
    return start


@pytest.fixture
def relay(start_server):
    """Where the examples look for a server: port 5000 of localhost. Where that is taken by somebody else,
    they are given another one."""
    TARGET.mkdir(exist_ok=True)
    # Tests that run at the same time have it one after the other.
    with (TARGET / "port-5000.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target = start_server()
        try:
            relay = Relay(target, 5000)
        except OSError:
            relay = Relay(target)
        yield relay
        relay.close()


@pytest.fixture(params=["heartwire run", "own import"])
def start(request, tmp_path):
    """Starts an example, unchanged or with the import of this package."""
    running = []

    def start(name, changes=(), before="", after="", **environment):
        text = (EXAMPLES / name).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        text = before + text + after
        command = [sys.executable, "-u"]
        if request.param == "own import":
            text = text.replace("import engineio\n", "from heartwire import engineio\n")
        else:
            command += ["-m", "heartwire", "run"]
        script = tmp_path / name
        script.write_text(text)
        pipe = subprocess.PIPE
        program = subprocess.Popen(
            [*command, script], stdout=pipe, stderr=pipe, text=True, env={**os.environ, **environment}
        )
        running.append(program)
        return program

    yield start
    for program in running:
        program.kill()
        program.communicate()


def port(relay):
    """What to change for a relay: nothing, where it has the port of the examples."""
    return [] if relay.port == 5000 else [("localhost:5000", f"localhost:{relay.port}")]


def test_basic(start, relay):
    program = start("basic.py", port(relay))
    assert program.stdout.readline() == "Connected!\n"
    assert program.stdout.readline() == "Server says: Hello from client\n"
    assert program.poll() is None
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert err.endswith("KeyboardInterrupt\n") and program.returncode != 0


def test_handlers(start, relay):
    before = "import engineio\nclient = engineio.Client()\n"
    after = f"\nclient.connect('http://localhost:{relay.port}')\nclient.sleep(0.5)\nclient.disconnect()\n"
    program = start("handlers.py", (), before, after)
    assert program.communicate(timeout=60) == (
        "Connected to server\nMessage: Hello Server!\nDisconnected from server\n",
        "",
    )


def test_headers(start, start_server, tmp_path):
    """The example's host is a proxy's matter, and the certificate's."""
    authority = trustme.CA()
    relay = Relay(start_server(), certificate=authority.issue_cert("api.example.com"))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    after = "\nprint(client.transport())\nclient.disconnect()\n"
    trusted, proxy = str(tmp_path / "ca.pem"), f"http://127.0.0.1:{relay.port}"
    program = start("headers.py", (), "", after, REQUESTS_CA_BUNDLE=trusted, HTTPS_PROXY=proxy)
    assert program.communicate(timeout=60) == ("websocket\n", "")
    relay.close()
    # What follows the head of the WebSocket's request is no HTTP.
    heads = re.findall(rb"(?:GET|POST) /engine\.io/.*?\r\n\r\n", bytes(relay.seen), re.DOTALL)
    assert any(b"transport=polling" in head for head in heads)
    assert any(b"transport=websocket" in head for head in heads)
    for head in heads:
        lines = [line.lower() for line in head.split(b"\r\n")]
        assert b"host: api.example.com" in lines
        assert b"authorization: bearer token123" in lines
        assert b"user-agent: myapp/1.0" in lines


@pytest.mark.parametrize("kind", ["heartwire", "asgi"])
def test_tls(start, serve, start_peer, tmp_path, kind):
    """The server ends the TLS itself. Only the path of the certificates is changed."""
    authority = trustme.CA()
    certificate = authority.issue_cert("secure-server.com")
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(cert)
    certificate.private_key_pem.write_to_path(key)
    if kind == "heartwire":
        server = serve("--tls-cert", cert, "--tls-key", key)
    else:
        both = tmp_path / "both.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(both)
        server = start_peer("asgi", "--certificate", both)
    relay = Relay(server.port, is_proxy=True)
    changes = [("/path/to/ca-bundle.crt", str(trusted))]
    after = "\nprint(client.transport())\nclient.disconnect()\n"

    def run():
        proxy = f"http://127.0.0.1:{relay.port}"
        return start("tls.py", changes, "", after, HTTPS_PROXY=proxy).communicate(timeout=60)

    assert run() == ("websocket\n", "")
    trustme.CA().cert_pem.write_to_path(trusted)
    out, err = run()
    assert out == "" and "certificate" in err.lower()
    relay.close()


def test_transports(start, relay):
    """The second connection needs a client that is not connected."""
    out, err = start("transports.py", port(relay)).communicate(timeout=60)
    assert err.endswith("ValueError: Client is not in a disconnected state\n")
    polling = "# Only use polling"
    between = [*port(relay), (polling, f"client.disconnect()\n{polling}")]
    after = "\nprint(client.transport())\nclient.disconnect()\n"
    program = start("transports.py", between, "", after)
    assert program.communicate(timeout=60) == ("polling\n", "")


def test_reconnection(start, relay, start_server):
    """The example waits for five seconds, and tries once: the next server is there before."""
    program = start("reconnection.py", port(relay))
    assert program.stdout.readline() == "Connected to server\n"
    # Each time takes five seconds.
    for _ in range(2 if start_server.kind == "heartwire" else 1):
        relay.lead_to(start_server())
        assert program.stdout.readline() == "Disconnected, attempting to reconnect...\n"
        assert program.stdout.readline() == "Connected to server\n"
    assert program.poll() is None


def test_json_module(start, relay):
    """ujson's are the functions that are called: what they are given and give back is told."""
    before = """
import ujson
for name in ("dumps", "loads"):
    def call(*args, name=name, original=getattr(ujson, name), **kwargs):
        print(name)
        return original(*args, **kwargs)
    setattr(ujson, name, call)
"""
    after = """
seen = client.create_queue()
client.on('message', seen.put)
client.send({'a': [1, 2.5, None]})
print(seen.get(timeout=60))
client.disconnect()
"""
    program = start("json_module.py", port(relay), before, after)
    out, err = program.communicate(timeout=60)
    assert err == ""
    told = out.splitlines()
    assert told[-1] == "{'a': [1, 2.5, None]}"
    assert told.count("dumps") == 1 and "loads" in told[:-1]


class Declared:
    """The methods that the description declares, and their defaults."""

    def connect(self, url, headers=None, transports=None, engineio_path="engine.io"): ...
    def wait(self): ...
    def disconnect(self, abort=False, reason=None): ...
    def send(self, data): ...
    def on(self, event, handler=None): ...
    def transport(self): ...
    def start_background_task(self, target, *args, **kwargs): ...
    def sleep(self, seconds=0): ...
    def create_queue(self, *args, **kwargs): ...
    def get_queue_empty_exception(self): ...
    def create_event(self, *args, **kwargs): ...


@pytest.mark.parametrize("name", [name for name, value in vars(Declared).items() if callable(value)])
def test_declarations(name):
    """Each can be called as it is declared. More is taken by keyword only."""

    def parameters(kind):
        return [
            (each.name, each.kind, each.default)
            for each in inspect.signature(getattr(kind, name)).parameters.values()
            if each.kind is not each.KEYWORD_ONLY
        ]

    assert parameters(engineio.Client) == parameters(Declared)


def test_declared_options():
    given = {
        "logger": False,
        "json": None,
        "request_timeout": 7,
        "http_session": None,
        "ssl_verify": False,
        "handle_sigint": False,
        "websocket_extra_options": {"origin": "x"},
        "timestamp_requests": False,
    }
    defaults = {
        "request_timeout": 5,
        "ssl_verify": True,
        "handle_sigint": True,
        "websocket_extra_options": {},
        "timestamp_requests": True,
    }

    def taken(client):
        return {name: getattr(client, name) for name in defaults}

    assert taken(engineio.Client()) == defaults
    expected = {name: given[name] for name in defaults}
    assert taken(engineio.Client(**given)) == taken(engineio.Client(*given.values())) == expected


def test_declared_constants():
    reason = engineio.Client.reason
    assert reason.CLIENT_DISCONNECT == "client disconnect"
    assert reason.SERVER_DISCONNECT == "server disconnect"
    assert reason.TRANSPORT_ERROR == "transport error"
    assert engineio.Client.event_names == ["connect", "disconnect", "message"]
