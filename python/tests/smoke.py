"""What has to work wherever the package is installed, with nothing beside it: clients of both protocols
against the server that is given, from threads and from asyncio, and a game's server.

    python smoke.py target/debug/heartwire
"""

import asyncio
import os
import queue
import re
import subprocess
import sys
from importlib import metadata, resources

import heartwire
from heartwire import engineio, repod

#: Seconds for anything to happen, on the slowest machine.
PATIENCE = 60


def check_package():
    files = resources.files("heartwire")
    assert (files / "py.typed").is_file() and (files / "_native/__init__.pyi").is_file()
    assert metadata.version("heartwire") == heartwire.__version__
    licences = metadata.metadata("heartwire").get_all("License-File")
    assert sorted(licences) == ["LICENSE-APACHE", "LICENSE-MIT"], licences
    told = subprocess.run(
        [sys.executable, "-m", "heartwire", "--version"], check=True, capture_output=True, text=True
    )
    assert told.stdout == f"heartwire {heartwire.__version__}\n", told.stdout


def talk(url, transports):
    client, arrived = engineio.Client(), queue.Queue()
    client.on("message", arrived.put)
    client.on("disconnect", arrived.put)
    client.connect(url, transports=transports)
    for data in ("text", b"bytes", {"x": [1, None]}):
        client.send(data)
        assert arrived.get(timeout=PATIENCE) == data
    assert client.transport() == transports[-1]
    client.disconnect()
    assert arrived.get(timeout=PATIENCE) == client.reason.CLIENT_DISCONNECT


async def talk_async(url):
    client, arrived = engineio.AsyncClient(), asyncio.Queue()
    client.on("message", arrived.put)
    await client.connect(url)
    await client.send("text")
    assert await asyncio.wait_for(arrived.get(), PATIENCE) == "text"
    await client.disconnect()


def play(port):
    client = repod.Client("127.0.0.1", port)
    client.start_background()
    client.send({"action": "say", "text": "hello", "bytes": b"\0"})
    while (message := client.recv(PATIENCE)) is not None and message["action"] != "say":
        assert message["action"] == "connected", message
    assert message == {"action": "say", "text": "hello", "bytes": b"\0"}, message
    client.close()


class Player(repod.Channel["Game"]):
    def Network_say(self, data):
        self.server.send_to_all(data)


class Game(repod.Server[Player]):
    channel_class = Player


def main():
    check_package()
    command = [sys.argv[1], "serve", "--engineio", "127.0.0.1:0", "--repod", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        lines = [server.stdout.readline() for _ in range(2)]
        web, game = (int(re.search(r":(\d+)[/ ]", line)[1]) for line in lines)
        try:
            for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
                talk(f"http://127.0.0.1:{web}", transports)
            asyncio.run(talk_async(f"http://127.0.0.1:{web}"))
            play(game)
        finally:
            server.kill()
    own = Game(port=0)
    thread = own.start_background()
    play(own.port)
    thread.stop()
    print(f"Python {sys.version.split()[0]}: {os.path.dirname(heartwire.__file__)}")


if __name__ == "__main__":
    main()
