"""A program that keeps Python to itself stays connected."""

import json
import queue
import subprocess
import sys

import pytest

from heartwire import engineio

#: Seconds between pings, and for an answer to one.
INTERVAL, TIMEOUT = 0.3, 0.2

#: Seconds for which the programs compute: with this package, and with the original.
SECONDS, SHORT = 30, 3

PROGRAM = """
import ctypes, json, os, sys, time
{imports}
url, transport, how, seconds = *sys.argv[1:4], int(sys.argv[4])
client = engineio.Client()
lost = []
client.on('disconnect', lambda *_: lost.append(1))
client.connect(url, transports=[transport])
sid = client.sid
if how == 'call':
    # A call into C that does not let go of the interpreter.
    ctypes.PyDLL(None).sleep(seconds)
else:
    sys.setswitchinterval(1000)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    sys.setswitchinterval(0.005)
answers = client.create_queue()
client.on('message', answers.put)
try:
    client.send('still there?')
    answer = answers.get(timeout=2 if lost else 30)
except Exception as error:
    answer = type(error).__name__
print(json.dumps([sid, len(lost), answer]), flush=True)
os._exit(0)
"""

OURS, THEIRS = "from heartwire import engineio", "import engineio"

KINDS = [
    (imports, seconds, transport, how)
    for imports, seconds in ((OURS, SECONDS), (THEIRS, SHORT))
    for transport in ("websocket", "polling")
    for how in ("call", "loop")
]


def run(url, kinds):
    """Runs a program of each kind, all at the same time. Returns what they print, by kind."""
    programs = {}
    for imports, seconds, transport, how in kinds:
        text = PROGRAM.format(imports=imports)
        command = [sys.executable, "-W", "ignore", "-c", text, url, transport, how, str(seconds)]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        programs[imports, seconds, transport, how] = started
    try:
        return {
            kind: json.loads(program.communicate(timeout=150)[0]) for kind, program in programs.items()
        }
    finally:
        for program in programs.values():
            program.kill()
            program.communicate()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_connections_survive_programs_that_compute(start_peer):
    """That of the original does not.

    A machine that lets nobody run for longer than one end waits for the other ends a connection for which
    nothing was wrong. It holds up the server as well, which notes that: then, and only then, a program runs
    again.
    """
    peer = start_peer(INTERVAL, TIMEOUT, script="heartbeats.py")
    observer, records = engineio.Client(reconnection=True), queue.Queue()
    observer.on("message", records.put)
    observer.connect(peer.url)
    try:
        left = KINDS
        for _ in range(3):
            left = held_up(run(peer.url, left), observer, records)
            if not left:
                break
        assert not left, "this machine has kept the server waiting, three times"
    finally:
        observer.disconnect()


def held_up(results, observer, records):
    """The programs of which nothing can be said, because the machine has held up everybody."""
    found = []
    for kind, (sid, lost, answer) in results.items():
        observer.send(f"!record {sid}")
        heartbeats = records.get(timeout=60)
        told = (kind, lost, answer, heartbeats)
        if kind[0] == THEIRS:
            assert heartbeats["reason"] is not None and answer != "still there?", told
        elif heartbeats["late"] > TIMEOUT / 2 and answer != "still there?":
            found.append(kind)
        else:
            assert (lost, answer) == (0, "still there?"), told
            # At most the last ping is not answered yet; and there was one at least each second.
            assert heartbeats["pings"] - heartbeats["pongs"] in (0, 1), told
            assert heartbeats["pings"] >= SECONDS, told
    return found
