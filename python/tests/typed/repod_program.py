"""A client and a server of repod, for type checkers: they are not run."""

from typing import Any, assert_type

from heartwire import repod

client = repod.Client(
    "localhost", 5071, reconnect=repod.Backoff(initial=0.1), tls=repod.TLS(verify=False)
)
client.start_background()
assert_type(client.send({"action": "login"}), int)
assert_type(client.recv(timeout=1.0), dict[Any, Any] | None)
assert_type(client.state, str)
assert_type(client.stats, repod.Statistics)
assert_type(client.round_trip, repod.RoundTrip | None)
for event in client.events():
    print(event["action"])
if client.disconnected is not None:
    assert_type(client.disconnected["unsent"], int)
client.close()


class Game(repod.ConnectionListener):
    def Network_chat(self, data: dict[str, Any]) -> None:
        print(data["text"])


game = Game()
game.connect("localhost", 5071)
game.pump(max_ms=2)


class Player(repod.Channel["World"]):
    def Network_chat(self, data: dict[str, Any]) -> None:
        assert_type(self.server, World)
        self.server.send_to_all(data)


class World(repod.Server[Player]):
    channel_class = Player

    def on_connect(self, channel: Player, addr: tuple[str, int]) -> None:
        channel.send({"action": "welcome"})


world = World(port=0, handler_error="close")
world.start_background().stop()

frame = repod.encode({"action": "ping"})
assert_type(frame, bytes)
assert_type(repod.decode(frame[4:]), dict[Any, Any])

# What a type checker has to object to.
client.send("login")  # type: ignore[arg-type]
repod.Client(host=1)  # type: ignore[arg-type]
repod.Server(handler_error="ignore")  # type: ignore[arg-type]
world.unknown()  # type: ignore[attr-defined]
