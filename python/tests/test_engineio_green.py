"""Programs whose modules gevent has replaced."""

import subprocess
import sys

PROGRAM = """
import sys
from gevent import monkey
monkey.patch_all(thread={thread})
import gevent
from heartwire import engineio

client = engineio.Client()
arrived = client.create_queue()
client.on("message", arrived.put)
turns = []

def turn():
    while True:
        turns.append(1)
        gevent.sleep(0.01)

gevent.spawn(turn)
client.connect(sys.argv[1])
client.send("hello")
print(arrived.get())
while len(turns) < 5:
    gevent.sleep(0.01)
client.disconnect()
print(client.state)
"""


def run(url, thread, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(thread=thread))
    # gevent's own warnings are not ours.
    command = [sys.executable, "-W", "ignore", script, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_greenlets_beside_threads(server, tmp_path):
    done = run(server.url, False, tmp_path)
    assert (done.stdout, done.stderr) == ("hello\ndisconnected\n", "")


def test_greenlets_in_place_of_threads_are_refused(server, tmp_path):
    done = run(server.url, True, tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert "RuntimeError: gevent has replaced threads" in done.stderr
