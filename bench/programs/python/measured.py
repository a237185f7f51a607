"""What the programs here share: what the kernel knows of this process, and how results are told."""

import json
import os
import statistics
import time

WARM_UP = 0.3
MEASURED = 1.0


class RoundTrips:
    """Round trips within a time, of which the first part is a warm-up."""

    def __init__(self):
        self.start = time.perf_counter()
        self.seconds = []

    def is_over(self):
        return time.perf_counter() > self.start + WARM_UP + MEASURED

    def record(self, sent):
        now = time.perf_counter()
        if now > self.start + WARM_UP:
            self.seconds.append(now - sent)

    def p50_us(self):
        return statistics.median(self.seconds) * 1e6


def resident():
    """Bytes of memory."""
    return int(_status("self", "VmRSS:").split()[0]) * 1024


def waits():
    """How often threads of this process have waited for something."""
    tasks = os.listdir("/proc/self/task")
    return sum(int(_status(f"self/task/{task}", "voluntary_ctxt_switches:")) for task in tasks)


def nanoseconds(call, calls=200, seconds=0.3):
    """Nanoseconds of a call."""
    for _ in range(calls):
        call()
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        for _ in range(calls):
            call()
        count += calls
    return (time.perf_counter() - start) * 1e9 / count


def finish(report):
    """Prints the results and ends the process, whatever runs in it."""
    print(json.dumps(report), flush=True)
    os._exit(0)


def _status(process, name):
    with open(f"/proc/{process}/status") as status:
        return next(line.removeprefix(name) for line in status if line.startswith(name)).strip()
