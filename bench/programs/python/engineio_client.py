"""A client with threads: ``ours|theirs PORT``."""

import gc
import sys
import threading
import time

import measured

if sys.argv[1] == "ours":
    from heartwire import engineio

    flood = 200_000
else:
    import engineio

    flood = 10_000
url = f"http://127.0.0.1:{sys.argv[2]}"
crowd = 50
echo, counted = "e" + "x" * 63, "S" + "x" * 63


def connect(handler):
    client = engineio.Client()
    client.on("message", handler)
    client.connect(url, transports=["websocket"])
    return client


def ignore(data):
    pass


report = {}
handler = ignore
client = connect(lambda data: handler(data))
gc.collect()
before = measured.resident()
others = [connect(ignore) for _ in range(crowd)]
report["bytes_each"] = (measured.resident() - before) / crowd
for other in others:
    other.disconnect()

# The main thread waits for an event that the handler sets.
arrived = threading.Event()
answer = None


def keep(data):
    global answer
    answer = data
    arrived.set()


handler = keep
trips = measured.RoundTrips()
while not trips.is_over():
    sent = time.perf_counter()
    client.send(echo)
    arrived.wait()
    arrived.clear()
    trips.record(sent)
    assert answer == echo
report["p50_us"] = trips.p50_us()

# The handler answers by itself.
over = threading.Event()
trips = measured.RoundTrips()


def reply(data):
    global sent
    trips.record(sent)
    assert data == echo
    if trips.is_over():
        over.set()
    else:
        sent = time.perf_counter()
        client.send(echo)


handler = reply
sent = time.perf_counter()
client.send(echo)
over.wait()
report["reply_p50_us"] = trips.p50_us()

handler = keep
start = time.perf_counter()
for _ in range(flood):
    client.send(counted)
client.send("C")
arrived.wait()
arrived.clear()
assert int(answer) == flood, answer
report["send"] = flood / (time.perf_counter() - start)

# Where handlers have threads of their own, the last message may be handled early: so all are counted.
count = 0
counting = threading.Lock()


def count_one(data):
    global count
    with counting:
        count += 1
        if count > flood:
            arrived.set()


def look_for_end(data):
    if data == "D":
        arrived.set()


for name, command in (("receive", "F"), ("receive_json", "J")):
    handler = look_for_end if sys.argv[1] == "ours" else count_one
    count = 0
    start = time.perf_counter()
    client.send(f"{command}{flood}")
    arrived.wait()
    arrived.clear()
    report[name] = flood / (time.perf_counter() - start)
measured.finish(report)
