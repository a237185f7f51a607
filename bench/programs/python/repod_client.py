"""A client, used as its manual says: ``ours|theirs PORT``. Theirs is asked for messages in a loop that sleeps;
ours waits for them."""

import logging
import sys
import time

import measured

logging.disable(logging.CRITICAL)
ours = sys.argv[1] == "ours"
if ours:
    from heartwire.repod import Client, ConnectionListener
else:
    from repod.client import Client, ConnectionListener
port = int(sys.argv[2])
crowd = 30
echo = {"action": "e", "d": "x" * 48}


def connect():
    client = Client("127.0.0.1", port)
    client.start_background()
    return client


report = {}
first = connect()
time.sleep(0.3)
before = measured.resident()
others = [connect() for _ in range(crowd)]
time.sleep(0.5)
report["bytes_each"] = (measured.resident() - before) / crowd
waits = measured.waits()
time.sleep(2)
# This thread has waited once, for the time to pass.
report["idle_wakes_per_second"] = (measured.waits() - waits - 1) / 2 / (crowd + 1)
for other in others:
    other.close()


class Listener(ConnectionListener):
    answer = None

    def Network_e(self, data):
        self.answer = data


trips = measured.RoundTrips()
if ours:
    while not trips.is_over():
        sent = time.perf_counter()
        first.send(echo)
        answer = first.recv()
        while answer["action"] == "connected":
            answer = first.recv()
        trips.record(sent)
        assert answer == echo
else:
    listener = Listener()
    listener.connect("127.0.0.1", port)
    time.sleep(0.3)
    while not trips.is_over():
        sent = time.perf_counter()
        listener.answer = None
        listener.send(echo)
        while listener.answer is None:
            listener.pump()
            time.sleep(0.01)
        trips.record(sent)
        assert listener.answer == echo
report["p50_us"] = trips.p50_us()
measured.finish(report)
