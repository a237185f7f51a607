"""What the Python peers have in common."""

import json
import os
import sys
import threading

ODD = [
    "text", "", "ünïcödé 🎈 \u0000", "2probe", bytes([0, 1, 255]), b"", bytes([0x1E, 0x1E]),
    "x" * (1_000_000 - 1), b"\xfe" * 700_000,
]


class Referee:
    """A server's side: counts what comes up and answers."""

    def __init__(self):
        self.count = 0
        self.first_wrong = None

    def answers(self, data):
        """The messages to send for a message that came."""
        if isinstance(data, str) and data.startswith("up "):
            if data != f"up {self.count}":
                self.first_wrong = self.first_wrong or data
            self.count += 1
            return []
        if isinstance(data, str) and data.startswith("flood "):
            return [f"down {i}" for i in range(int(data[6:]))]
        if data == "report":
            return [json.dumps({"count": self.count, "first_wrong": self.first_wrong})]
        return [data]


class Player:
    """A client's side: says what to send, and notes what comes."""

    def __init__(self, count):
        self.count = count
        self.seen = {"odd": 0, "odd_sent": len(ODD), "down": 0, "wrong": None, "report": None}

    def opening(self):
        return [f"up {i}" for i in range(self.count)] + [f"flood {self.count}"]

    def answer(self, data):
        """The message to send for a message that came; `None` for none, `False` at the end."""
        seen = self.seen
        if seen["down"] < self.count:
            if data != f"down {seen['down']}":
                seen["wrong"] = seen["wrong"] or f"{data!r} instead of down {seen['down']}"
            seen["down"] += 1
            return "report" if seen["down"] == self.count else None
        if seen["report"] is None:
            # The library reads JSON by itself.
            seen["report"] = data if isinstance(data, dict) else json.loads(data)
            return ODD[0]
        if data != ODD[seen["odd"]]:
            seen["wrong"] = seen["wrong"] or f"odd message {seen['odd']} came back changed"
        seen["odd"] += 1
        return ODD[seen["odd"]] if seen["odd"] < len(ODD) else False


def say(value):
    print(json.dumps(value), flush=True)


def end_with_parent():
    """Ends this process when its standard input is closed."""

    def watch():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def transports(way):
    return ["polling", "websocket"] if way == "upgrade" else [way]
