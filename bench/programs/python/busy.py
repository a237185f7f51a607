"""How long a client lives while one call holds the interpreter's lock: ``ours|theirs PORT``. The server has a ping
interval of 300 ms and a timeout of 200 ms."""

import sys
import threading
import time

import measured

if sys.argv[1] == "ours":
    from heartwire import engineio
else:
    import engineio
url = f"http://127.0.0.1:{sys.argv[2]}"

start = time.perf_counter()
sum(range(5_000_000))
per_second = 5_000_000 / (time.perf_counter() - start)


def lives(seconds):
    arrived = threading.Event()
    client = engineio.Client()
    client.on("message", lambda data: arrived.set())
    client.connect(url, transports=["websocket"])
    time.sleep(0.15)
    sum(range(int(seconds * per_second)))
    time.sleep(0.7)
    try:
        client.send("hello")
        return arrived.wait(1)
    except Exception:
        return False
    finally:
        client.disconnect()


survived = 0
for seconds in (0.1, 0.5, 1, 2, 4):
    if not lives(seconds):
        break
    survived = seconds
measured.finish({"survived_seconds": survived})
