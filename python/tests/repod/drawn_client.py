"""The original's examples that draw, with nobody to look at it: `drawn_client.py SOURCE EXAMPLE PORT`."""

import runpy
import sys
import time
from unittest.mock import MagicMock

import heartwire

heartwire.install()
sys.modules["pygame"] = sys.modules["pyray"] = canvas = MagicMock()
source, example, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
names = runpy.run_path(f"{source}/examples/{example}/client.py")
deadline = time.monotonic() + 60


def tag():
    client = names["TagClient"]("127.0.0.1", port)
    places = []

    def should_close():
        if client.my_id in client.players:
            player = client.players[client.my_id]
            places.append((player["x"], player["y"]))
        time.sleep(0.001)
        assert time.monotonic() < deadline
        return bool(places) and len(set(places)) > 3

    canvas.window_should_close = should_close
    keys = canvas.KeyboardKey
    ways = [keys.KEY_D, keys.KEY_S, keys.KEY_A, keys.KEY_W]
    # A wall or an obstacle may be in the way, but not in all of them.
    canvas.is_key_down = lambda key: key is ways[int(time.monotonic() * 4) % 4]
    client.run()
    assert client.status.startswith("joined as player")
    client.connection.close()
    print("joined and moved")


def whiteboard():
    clients = [names["WhiteboardClient"]("127.0.0.1", port)]

    def pump_until(condition):
        while not condition():
            for client in clients:
                client.pump()
            time.sleep(0.001)
            assert time.monotonic() < deadline

    def strokes(client):
        return {
            key: [stroke["points"] for stroke in player["lines"]]
            for key, player in client.players.items()
            if player["lines"]
        }

    def draw(client, color):
        point = {"action": "startline", "point": (1, 2), "color": list(color), "thickness": 3}
        client.send(point)
        client.send({"action": "drawpoint", "point": (3, 4)})

    draw(clients[0], (255, 0, 0))
    pump_until(lambda: [len(lines[0]) for lines in strokes(clients[0]).values()] == [2])
    clients.append(names["WhiteboardClient"]("127.0.0.1", port))
    pump_until(lambda: len(strokes(clients[1])) == 1)
    draw(clients[1], (0, 0, 255))
    pump_until(
        lambda: all(
            [len(lines[0]) for lines in strokes(client).values()] == [2, 2] for client in clients
        )
    )
    for client in clients:
        assert client.players_label == "2 players"
        client.connection.close()
    print("drawn by both")


{"tag": tag, "whiteboard": whiteboard}[example]()
