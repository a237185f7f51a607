"""The same done with python-engineio and with this package, side by side: what they log, and what the server
gets of what is sent."""

import asyncio
import collections
import datetime
import decimal
import enum
import logging
import queue
import re
import subprocess
import sys
import threading
import uuid

import engineio as original
import pytest

import heartwire.engineio

#: The package is the same for all versions of Python.
pytestmark = pytest.mark.slow

PACKAGES = {"original": original, "heartwire": heartwire.engineio}
TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


@pytest.fixture(params=TRANSPORTS, ids="-".join)
def transports(request):
    return request.param


class Log(logging.Handler):
    """What a client logs: level, words, and whether an exception is shown."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.logger = logging.Logger("log of a test", logging.INFO)
        self.logger.addHandler(self)
        self._changed = threading.Condition()

    def emit(self, record):
        with self._changed:
            self.lines.append((record.levelname, record.getMessage(), record.exc_info is not None))
            self._changed.notify_all()

    def wait_for(self, text):
        """Waits for a line."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(line[1] == text for line in self.lines), 60)


#: What python-engineio says of its own threads and requests, and of what one thread leaves to another. Of
#: heartbeats and the end of a poll it speaks, and this package does not: they are no business of Python's.
UNIQUE = re.compile(
    "Sending polling GET request|Waiting for write loop task|packet queue is empty"
    "|HTTP GET request to .* failed|Unexpected error receiving packet|WebSocket connection is closing"
    "|(Received|Sending) packet (NOOP|PING|PONG)"
)


def comparable(log, port):
    """The lines of a log as far as they have to be the same."""
    lines = []
    for level, text, has_exception in log.lines:
        if UNIQUE.match(text):
            continue
        # An id is another one each time, and this package shows the beginning alone.
        text = re.sub("'sid': '[^']*'", "'sid': ...", text).replace(f":{port}/", ":port/")
        lines.append((level, text, has_exception))
    return lines


def logs_of(test, peer):
    """The logs of a client of each package for which `test` is run."""
    found = {}
    for name, package in PACKAGES.items():
        log = Log()
        test(package.Client(logger=log.logger, handle_sigint=False), peer, log)
        found[name] = comparable(log, peer.port)
    return found["original"], found["heartwire"]


@pytest.fixture(scope="module")
def peer():
    """python-engineio's server. The original leaves a polling session when there is a ping."""
    from conftest import Peer

    peer = Peer("server.py", "asgi", "--ping-interval", 1)
    yield peer
    peer.kill()


def up_to(text, lines):
    """A log without what its threads say, each when it comes to it, after a line."""
    texts = [line[1] for line in lines]
    return lines[: texts.index(text) + 1]


def test_log_of_a_conversation(peer, transports):
    def talk(client, peer, log):
        seen = queue.Queue()
        client.on("message", seen.put)
        client.connect(f"{peer.url}/ignored?a=b", transports=transports)
        for data in ("text", {"a": 1}, b"bytes"):
            client.send(data)
            assert seen.get(timeout=60) == data
        client.disconnect()
        log.wait_for("Exiting write loop task")
        log.wait_for("Exiting read loop task")

    last = "Sending packet CLOSE data None"
    expected, found = (up_to(last, log) for log in logs_of(talk, peer))
    assert found == expected
    assert len(found) > 6


# The original's server may end a polling session before it has told the client, who is refused then.
@pytest.mark.parametrize("transports", TRANSPORTS[1:], ids="-".join)
def test_log_when_the_server_disconnects(peer, transports):
    def listen(client, peer, log):
        client.connect(peer.url, transports=transports)
        client.send("!close")
        log.wait_for("Received packet CLOSE data ")

    last = "Received packet CLOSE data "
    expected, found = (up_to(last, log) for log in logs_of(listen, peer))
    assert found == expected


def test_log_when_the_server_dies(start_peer, transports):
    found = {}
    for name, package in PACKAGES.items():
        peer, log, lost = start_peer("asgi"), Log(), threading.Event()
        client = package.Client(logger=log.logger, handle_sigint=False)
        client.on("disconnect", lambda _, lost=lost: lost.set())
        client.connect(peer.url, transports=transports)
        client.send("!exit")
        assert lost.wait(60)
        # What the network has said follows, where that is known.
        left_out = ("Exiting ", "Transport error: ")
        found[name] = [line for line in comparable(log, peer.port) if not line[1].startswith(left_out)]
    (*expected, told), (*found, own) = found["original"], found["heartwire"]
    assert found == expected
    if transports == ["polling"]:
        # The original warns in the words of an HTTP library.
        assert told[0] == "WARNING"
        told = ("WARNING", "Connection refused by the server, aborting", False)
    assert own == told


def test_log_of_a_connect_handler_that_raises(peer, transports):
    def refuse():
        raise LookupError("no")

    def connect(client, peer, _):
        client.on("connect", refuse)
        with pytest.raises(Exception, match="^Connect handler failed: no$"):
            client.connect(peer.url, transports=transports)

    expected, found = logs_of(connect, peer)
    assert found == expected
    assert found[-1] == ("ERROR", "connect handler error", True)


@pytest.mark.parametrize("transports", TRANSPORTS[1:], ids="-".join)
def test_log_of_a_disconnect_handler_that_raises(peer, transports):
    def refuse(_):
        raise LookupError("no")

    def disconnect(client, peer, log):
        client.on("disconnect", refuse)
        client.connect(peer.url, transports=transports)
        client.send("!close")
        log.wait_for("disconnect handler error")

    last = "disconnect handler error"
    expected, found = (up_to(last, log) for log in logs_of(disconnect, peer))
    # It says that it answers with a packet, which it drops.
    expected.remove(("INFO", "Sending packet CLOSE data None", False))
    assert found == expected


LOGGERS = """
import logging, sys
{install}
import engineio
kind, first, second = engineio.AsyncClient if sys.argv[1] == "async" else engineio.Client, *sys.argv[2:]
def make(logger):
    if logger == "preset":
        logging.getLogger("engineio.client").setLevel(logging.WARNING)
        logger = True
    return kind(logger={{"True": True, "False": False}}.get(logger, logger), handle_sigint=False).logger
for name in (first, second):
    made = make(name)
    if isinstance(made, str):
        print(made)
    else:
        handlers = [type(handler).__name__ for handler in made.handlers]
        print(made.name, logging.getLevelName(made.level), made.propagate, handlers)
"""


@pytest.mark.parametrize("kind", ["threads", "async"])
@pytest.mark.parametrize(
    "first, second", [("False", "True"), ("True", "False"), ("preset", "False"), ("own", "True")]
)
def test_loggers(kind, first, second):
    """Of the clients of a program, the first says which level counts for all."""
    printed = []
    for install in ("", "import heartwire; heartwire.install()"):
        command = [sys.executable, "-c", LOGGERS.format(install=install), kind, first, second]
        printed.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert printed[0] == printed[1]
    assert printed[0].count("\n") == 2


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    pass


class Shown:
    def __str__(self):
        return "shown"


Pair = collections.namedtuple("Pair", "a b")

#: What programs send.
SENT = [
    "",
    "text",
    "4",
    "12",
    "-5",
    "1.5",
    "true",
    "null",
    '"quoted"',
    '{"a": 1}',
    " [1]",
    "b",
    "bAQID",
    "grüße ☃ 🎉",
    "a\x00b\n",
    Text("of a subclass"),
    b"\x00\xff",
    b"4text",
    bytearray(b"mutable"),
    {},
    [],
    {"a": [1, 2.5, None, True, "ü"]},
    {1: "key of a number", None: 2, True: 3},
    [float("nan"), float("inf"), -float("inf")],
    [2**80, -(2**63)],
    collections.OrderedDict(b=1, a=2),
    [Pair(1, 2), (3, 4)],
    [[], [[]], {"a": {}}],
    None,
    0,
    5,
    -7,
    1.5,
    True,
    False,
    2**80,
    (1, 2),
    Pair(1, 2),
    frozenset([1]),
    range(3),
    Number.ONE,
    Shown(),
    decimal.Decimal("1.10"),
    datetime.date(2020, 1, 2),
    uuid.UUID(int=1),
    1j,
    float("nan"),
]


@pytest.mark.parametrize("kind", ["threads", "async"])
def test_server_gets_what_it_gets_of_the_original(peer, transports, kind):
    """By type and value; and each message comes back as it comes back to the original."""
    at_server, answered = {}, {}
    for name, package in PACKAGES.items():
        run = exchange if kind == "threads" else exchange_async
        *answered[name], kinds = run(package, peer.url, transports)
        at_server[name] = kinds[-len(SENT) :]
    assert len(at_server["original"]) == len(SENT)
    assert at_server["heartwire"] == at_server["original"]
    assert answered["heartwire"] == answered["original"]


def described(data):
    return f"{type(data).__name__} {data!r}"


def exchange(package, url, transports):
    """The answers to what is sent, one by one, and what the server says of all of it."""
    client, answers = package.Client(handle_sigint=False), queue.Queue()
    client.on("message", answers.put)
    client.connect(url, transports=transports)
    found = []
    for data in SENT:
        client.send(data)
        found.append(described(answers.get(timeout=60)))
    client.send("!kinds")
    kinds = answers.get(timeout=60)
    # It need not say goodbye: the original takes half a minute for it.
    client.disconnect(abort=True)
    return [*found, kinds]


def exchange_async(package, url, transports):
    async def run():
        client, answers = package.AsyncClient(handle_sigint=False), asyncio.Queue()
        client.on("message", answers.put)
        await client.connect(url, transports=transports)
        found = []
        for data in SENT:
            await client.send(data)
            found.append(described(await asyncio.wait_for(answers.get(), 60)))
        await client.send("!kinds")
        kinds = await asyncio.wait_for(answers.get(), 60)
        await client.disconnect(abort=True)
        return [*found, kinds]

    return asyncio.run(run())


@pytest.mark.parametrize("kind", [memoryview, bytearray, lambda data: memoryview(data)[::2]])
def test_whatever_has_bytes_arrives_as_bytes(server, transports, kind):
    """Of a memoryview, the original sends what `str` makes of it."""
    client, answers = heartwire.engineio.Client(), queue.Queue()
    client.on("message", answers.put)
    client.connect(server.url, transports=transports)
    data = kind(b"0123456789")
    client.send(data)
    assert answers.get(timeout=60) == bytes(data)
    client.disconnect()


@pytest.mark.parametrize(
    "data, error",
    [({"a": object()}, TypeError), ([b"bytes"], TypeError), ({(1, 2): 3}, TypeError)],
)
def test_what_has_no_json_is_told_by_send(server, data, error):
    """The original's thread that sends dies of it."""
    client = heartwire.engineio.Client()
    client.connect(server.url)
    with pytest.raises(error):
        client.send(data)
    assert client.state == "connected"
    client.disconnect()


def test_text_that_is_no_unicode_is_told_by_send(server):
    client = heartwire.engineio.Client()
    client.connect(server.url)
    with pytest.raises(UnicodeEncodeError):
        client.send("\ud800")
    # In JSON it is written in ASCII.
    answers = queue.Queue()
    client.on("message", answers.put)
    client.send(["\ud800"])
    assert answers.get(timeout=60) == ["\ud800"]
    client.disconnect()
