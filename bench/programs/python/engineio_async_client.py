"""A client for asyncio: ``ours|theirs asyncio|uvloop PORT``."""

import asyncio
import gc
import sys
import time

import measured

if sys.argv[1] == "ours":
    from heartwire import engineio

    flood = 200_000
else:
    import engineio

    flood = 20_000
url = f"http://127.0.0.1:{sys.argv[3]}"
crowd = 50
echo, counted = "e" + "x" * 63, "S" + "x" * 63


async def connect(handler):
    client = engineio.AsyncClient()
    client.on("message", handler)
    await client.connect(url, transports=["websocket"])
    return client


def ignore(data):
    pass


async def run():
    report = {}
    handler = ignore
    client = await connect(lambda data: handler(data))
    gc.collect()
    before = measured.resident()
    others = [await connect(ignore) for _ in range(crowd)]
    report["bytes_each"] = (measured.resident() - before) / crowd
    for other in others:
        await other.disconnect()

    arrived = asyncio.Event()
    answer = None

    def keep(data):
        nonlocal answer
        answer = data
        arrived.set()

    async def wait():
        await arrived.wait()
        arrived.clear()

    handler = keep
    trips = measured.RoundTrips()
    while not trips.is_over():
        sent = time.perf_counter()
        await client.send(echo)
        await wait()
        trips.record(sent)
        assert answer == echo
    report["p50_us"] = trips.p50_us()

    start = time.perf_counter()
    for _ in range(flood):
        await client.send(counted)
    await client.send("C")
    await wait()
    assert int(answer) == flood, answer
    report["send"] = flood / (time.perf_counter() - start)

    # Handlers may run as tasks, in any order: so all messages are counted.
    count = 0

    def count_one(data):
        nonlocal count
        count += 1
        if count > flood:
            arrived.set()

    handler = count_one
    start = time.perf_counter()
    await client.send(f"F{flood}")
    await wait()
    report["receive"] = flood / (time.perf_counter() - start)
    measured.finish(report)


if sys.argv[2] == "uvloop":
    import uvloop

    uvloop.run(run())
else:
    asyncio.run(run())
