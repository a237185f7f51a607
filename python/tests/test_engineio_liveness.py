"""A program that keeps Python to itself stays connected."""

import subprocess
import sys

import pytest

#: Seconds for which the program computes; far longer than a server waits for an answer.
SECONDS = 5

PROGRAM = """
import ctypes, sys, time
{imports}
client = engineio.Client()
lost = []
client.on('disconnect', lambda *_: lost.append(1))
client.connect(sys.argv[1], transports=[sys.argv[2]])
if sys.argv[3] == 'call':
    # A call into C that does not let go of the interpreter.
    ctypes.PyDLL(None).sleep({seconds})
else:
    sys.setswitchinterval(1000)
    end = time.monotonic() + {seconds}
    while time.monotonic() < end:
        pass
    sys.setswitchinterval(0.005)
answers = client.create_queue()
client.on('message', answers.put)
try:
    client.send('still there?')
    answer = answers.get(timeout=2)
except Exception as error:
    answer = type(error).__name__
print(len(lost), answer)
import os
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("how", ["call", "loop"])
def test_connection_survives_a_program_that_computes(start_peer, transport, how):
    # Half a second to answer a ping: long enough for a busy machine, far too short for the program.
    peer = start_peer("asgi", "--ping-interval", 0.3, "--ping-timeout", 0.5)

    def run(imports):
        program = PROGRAM.format(imports=imports, seconds=SECONDS)
        command = [sys.executable, "-W", "ignore", "-c", program, peer.url, transport, how]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        return done.stdout.split("\n")[0]

    assert run("from heartwire import engineio") == "0 still there?"
    # What it is compared with does not.
    assert run("import engineio") != "0 still there?"
