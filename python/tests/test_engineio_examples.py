"""The examples of the API's description, as they stand there but for addresses and the import."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

EXAMPLES = Path(__file__).parent / "examples"

SERVERS = ["heartwire", "asgi", "wsgi"]


@pytest.fixture(params=SERVERS)
def url(request, start_peer, serve):
    """A server: ours, or python-engineio's."""
    return (serve() if request.param == "heartwire" else start_peer(request.param)).url


@pytest.fixture(params=["heartwire run", "own import"])
def start(request, tmp_path):
    """Starts an example, unchanged or with the import of this package."""
    running = []

    def start(name, addresses, before="", after=""):
        text = (EXAMPLES / name).read_text()
        for old, new in addresses.items():
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
        program = subprocess.Popen([*command, script], stdout=pipe, stderr=pipe, text=True)
        running.append(program)
        return program

    yield start
    for program in running:
        program.kill()
        program.communicate()


def websocket(url):
    return url.replace("http:", "ws:")


@pytest.mark.slow
def test_basic(start, url):
    program = start("basic.py", {"http://localhost:5000": url})
    assert program.stdout.readline() == "Connected!\n"
    assert program.stdout.readline() == "Server says: Hello from client\n"
    assert program.poll() is None
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert err.endswith("KeyboardInterrupt\n") and program.returncode != 0


@pytest.mark.slow
def test_handlers(start, url):
    before = "import engineio\nclient = engineio.Client()\n"
    after = f"\nclient.connect('{url}')\nclient.sleep(0.5)\nclient.disconnect()\n"
    out, err = start("handlers.py", {}, before, after).communicate(timeout=60)
    lines = ["Connected to server", "Message: Hello Server!", "Disconnected from server"]
    assert (out.splitlines(), err) == (lines, "")


@pytest.mark.slow
def test_headers(start, start_peer):
    peer = start_peer("asgi")
    after = """
import json
seen = client.create_queue()
client.on('message', seen.put)
client.send('!requests')
for request in seen.get(timeout=60):
    assert request['headers']['authorization'] == 'Bearer token123', request
    assert request['headers']['user-agent'] == 'MyApp/1.0', request
print(client.transport())
client.disconnect()
"""
    program = start("headers.py", {"https://api.example.com": peer.url}, "", after)
    assert program.communicate(timeout=60) == ("websocket\n", "")


@pytest.mark.slow
def test_tls(start, start_peer, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    peer = start_peer("asgi", "--certificate", tmp_path / "server.pem", scheme="https")
    addresses = {
        "https://secure-server.com": peer.url,
        "/path/to/ca-bundle.crt": str(tmp_path / "ca.pem"),
    }
    after = "\nprint(client.transport())\nclient.disconnect()\n"
    assert start("tls.py", addresses, "", after).communicate(timeout=60) == ("websocket\n", "")
    other = trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "ca.pem")
    program = start("tls.py", addresses, "", after)
    out, err = program.communicate(timeout=60)
    assert out == "" and "certificate" in err.lower()


@pytest.mark.slow
def test_transports(start, url):
    """The second connection needs a client that is not connected."""
    addresses = {"ws://localhost:5000": websocket(url), "http://localhost:5000": url}
    out, err = start("transports.py", addresses).communicate(timeout=60)
    assert err.endswith("ValueError: Client is not in a disconnected state\n")
    polling = "# Only use polling"
    between = {**addresses, polling: f"client.disconnect()\n{polling}"}
    after = "\nprint(client.transport())\nclient.disconnect()\n"
    program = start("transports.py", between, "", after)
    assert program.communicate(timeout=60) == ("polling\n", "")


@pytest.mark.slow
def test_reconnection(start, start_peer):
    peer = start_peer("asgi")
    addresses = {"http://localhost:5000": peer.url, "time.sleep(5)": "time.sleep(1)"}
    program = start("reconnection.py", addresses)
    assert program.stdout.readline() == "Connected to server\n"
    for _ in range(2):
        peer.kill()
        peer = start_peer("asgi", "--port", peer.port)
        line = program.stdout.readline()
        assert line == "Disconnected, attempting to reconnect...\n"
        line = program.stdout.readline()
        if line.startswith("Reconnection failed"):
            pytest.skip("the server was slower than the example waits")
        assert line == "Connected to server\n"
    assert program.poll() is None


@pytest.mark.slow
def test_json_module(start, url):
    after = """
seen = client.create_queue()
client.on('message', seen.put)
client.send({'a': [1, 2.5, None]})
print(seen.get(timeout=60))
client.disconnect()
"""
    program = start("json_module.py", {"http://localhost:5000": url}, "", after)
    assert program.communicate(timeout=60) == ("{'a': [1, 2.5, None]}\n", "")
