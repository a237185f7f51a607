"""A program whose threads gevent or eventlet has replaced: `program.py LIBRARY URL SCENARIO...`. Says on
standard output what it has done."""

import importlib
import sys

LIBRARY, URL, *SCENARIOS = sys.argv[1:]

if "imported_before" in SCENARIOS:
    import heartwire.engineio

if LIBRARY == "gevent":
    from gevent import monkey

    monkey.patch_all()
else:
    import eventlet

    eventlet.monkey_patch()

import collections
import http.server
import json
import os
import queue
import signal
import socket
import threading
import time

from heartwire import engineio

sleep = importlib.import_module(LIBRARY).sleep

#: Turns of a thread that does nothing else: it stands when somebody does not let others run.
turns = 0


def take_turns():
    global turns
    while True:
        turns += 1
        sleep(0.001)


def await_turns(count=20):
    goal = turns + count
    while turns < goal:
        sleep(0.001)


class Slow(http.server.BaseHTTPRequestHandler):
    """A server of polling sessions on threads of the program. It answers when others have had turns."""

    protocol_version = "HTTP/1.1"
    received = []
    left = threading.Event()

    def do_GET(self):
        if "sid=" in self.path:
            self.left.wait()
            return self.answer("1")
        await_turns()
        times = {"pingInterval": 25000, "pingTimeout": 20000}
        shake = {"sid": "a", "upgrades": [], "maxPayload": 1000000, **times}
        return self.answer("0" + json.dumps(shake))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        await_turns()
        self.received += body.split("\x1e")
        if "1" in self.received:
            self.left.set()
        return self.answer("ok")

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def slow_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.daemon_threads = True
    # Clients leave without a word.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def others_run_while_it_waits():
    """Each wait takes turns of others."""
    client = engineio.Client(send_limits=(2, 1000), request_timeout=30)
    counts = {}

    def count(name, function, *args, **kwargs):
        before = turns
        function(*args, **kwargs)
        counts[name] = turns - before

    count("connect", client.connect, slow_server(), transports=["polling"])
    # One is under way and two wait: the rest has to.
    count("send", lambda: [client.send(f"{i}") for i in range(8)])
    ender = threading.Thread(target=lambda: (await_turns(), client.disconnect()))
    ender.start()
    count("wait", client.wait)
    ender.join()
    assert Slow.received == [f"4{i}" for i in range(8)] + ["1"], Slow.received
    Slow.received.clear()
    Slow.left.clear()
    client.connect(slow_server(), transports=["polling"])
    client.send("last")
    count("disconnect", client.disconnect)
    assert Slow.received == ["4last", "1"], Slow.received
    # The server's answers take twenty turns each, and the end takes as many.
    assert all(count >= 10 for count in counts.values()), counts
    count("sleep", client.sleep, 0.2)
    assert counts["sleep"] > 0


def messages_in_order():
    client = engineio.Client()
    main = threading.get_ident()
    for transports in (["polling"], ["websocket"], None):
        arrived, running, most = client.create_queue(), [], []

        @client.on("message")
        def on_message(data):
            assert threading.get_ident() != main
            running.append(data)
            most.append(len(running))
            # As programs do that use a database: others have their turn, for less than is waited for.
            sleep(0)
            running.remove(data)
            arrived.put(data)

        assert client.connect(URL, transports=transports)
        for number in range(500):
            client.send({"number": number})
        assert [arrived.get() for _ in range(500)] == [{"number": i} for i in range(500)]
        assert max(most) == 1
        client.disconnect()
        assert client.state == "disconnected"
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("heartwire")], names


def handlers_that_wait():
    """For other handlers: by what the client has made, and by what it has not."""
    for make in ("create_queue", None):
        client = engineio.Client()
        answers, done = client.create_queue() if make else queue.Queue(), queue.Queue()

        @client.on("message")
        def on_message(data):
            if data == "ask":
                client.send("answer")
                done.put(answers.get())
            else:
                answers.put(data)

        client.connect(URL)
        client.send("ask")
        assert done.get() == "answer"
        client.disconnect()


def ordered_handlers():
    client = engineio.Client(ordered=True)
    began, ended, last = [], [], threading.Event()

    @client.on("message")
    def on_message(data):
        began.append(data)
        assert began == [*ended, data]
        client.sleep(0.1 if data == "a" else 0)
        ended.append(data)
        if data == "c":
            client.disconnect()
            last.set()

    client.connect(URL)
    for data in "abc":
        client.send(data)
    last.wait()
    assert ended == ["a", "b", "c"]
    client.wait()


def connecting_again():
    """Within the disconnect handler, and by itself; with what is said to the end."""
    client = engineio.Client(reconnection={"delay": 0.01})
    events = client.create_queue()
    client.on("connect", lambda: events.put("connect"))
    client.on("disconnect", lambda reason: (sleep(0.1), events.put(reason)))
    client.on("message", events.put)
    relay = Relay()
    client.connect(relay.url)
    relay.cut()
    expected = ["connect", "transport error", "connect"]
    assert [events.get() for _ in expected] == expected
    client.send("still")
    assert events.get() == "still"
    client.disconnect()
    assert events.get() == "client disconnect"

    client = engineio.Client()
    arrived = []

    @client.on("disconnect")
    def on_disconnect(reason):
        if reason == "transport error":
            client.connect(URL)
            client.send("again")

    @client.on("message")
    def on_message(data):
        arrived.append(data)
        client.disconnect()

    client.connect(relay.url)
    relay.cut()
    client.wait()
    assert arrived == ["again"]


class Relay:
    """A port that leads to the server, on threads of the program."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.ends = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", int(URL.rpartition(":")[2])))
            self.ends += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=pair, daemon=True).start()

    def copy(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.ends.clear()


def requests_of_a_session():
    """An HTTP library of the program sends requests, while handlers wait."""
    import requests

    session = requests.Session()
    seen = collections.Counter()
    session.hooks["response"].append(lambda answer, **_: seen.update([answer.request.method]))
    client = engineio.Client(http_session=session)
    arrived = queue.Queue()

    @client.on("connect")
    def on_connect():
        client.send("early")
        await_turns()

    @client.on("message")
    def on_message(data):
        await_turns()
        arrived.put(data)

    client.connect(URL, transports=["polling"])
    for number in range(3):
        client.send(f"{number}")
    assert [arrived.get() for _ in range(4)] == ["early", "0", "1", "2"]
    client.disconnect()
    assert seen["GET"] > 1 and seen["POST"] > 1, seen


def pumped():
    client = engineio.Client(dispatch="inline")
    arrived, main = [], threading.get_ident()

    @client.on("message")
    def on_message(data):
        arrived.append((threading.get_ident(), data))
        if data == "last":
            client.disconnect()

    client.connect(URL)
    client.send("first")
    while not client.pump():
        await_turns(1)
    client.send("last")
    client.wait()
    assert arrived == [(main, "first"), (main, "last")]


def interrupted():
    """While it waits, a thread sends the signal: the connection ends, and then the program."""
    client = engineio.Client()
    told = []
    client.on("disconnect", told.append)
    client.connect(URL)
    threading.Thread(target=lambda: (await_turns(), os.kill(os.getpid(), signal.SIGINT))).start()
    try:
        client.wait()
        # It has ended, and the interruption is about to come.
        while True:
            sleep(1)
    except KeyboardInterrupt:
        pass
    assert told == ["client disconnect"], told
    assert client.state == "disconnected"


def forked():
    """The child has no connection, nor waits for that of its parent."""
    client = engineio.Client()
    arrived = client.create_queue()
    client.on("message", arrived.put)
    client.connect(URL)
    child = os.fork()
    if child == 0:
        assert client.state == "disconnected"
        own = engineio.Client()
        own.on("message", arrived.put)
        own.connect(URL)
        own.send("child")
        assert arrived.get() == "child"
        own.disconnect()
        # Whatever comes for the parent costs this process nothing.
        before = time.process_time()
        sleep(0.3)
        os._exit(0 if time.process_time() - before < 0.2 else 3)
    client.send("parent")
    assert arrived.get() == "parent"
    assert os.waitpid(child, 0)[1] == 0
    client.disconnect()


def imported_before():
    """The package was imported before threads were replaced."""
    messages_in_order()
    handlers_that_wait()


threading.Thread(target=take_turns, daemon=True).start()
for scenario in SCENARIOS:
    globals()[scenario]()
    print(scenario, flush=True)
