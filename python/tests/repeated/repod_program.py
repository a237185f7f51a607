"""Does something with repod clients and servers a hundred times: `repod_program.py WHAT`."""

import collections
import gc
import logging
import multiprocessing
import queue
import socket
import sys
import weakref

from repeating import TIMES, Keyboard, run_child, times, until, wait_for_interrupt

from heartwire.repod import TLS, Channel, Client, ConnectionListener, Server


class Player(Channel["Game"]):
    def network_received(self, data):
        self.send(data)


class Game(Server[Player]):
    channel_class = Player

    def __init__(self):
        super().__init__(port=0)


def connected(port, **options):
    client = Client("127.0.0.1", port, **options)
    client.start_background()
    assert client.recv(30) == {"action": "connected"}
    return client


def echo(client):
    client.send({"action": "echo"})
    assert client.recv(30) == {"action": "echo"}


# Other processes.


def fork():
    game = Game()
    game.start_background()
    for _ in times():
        client = connected(game.port)
        echo(client)
        run_child(use_in_child, client, game, game.port)
        echo(client)
        client.close()
    game.shutdown()


def use_in_child(client, game, port):
    assert client.state == "closed" and client.recv(0) is None
    assert client.send({"action": "from the child"}) == 0
    client.close()
    client.start_background()
    assert client.recv(30) == {"action": "connected"}
    echo(client)
    client.close()
    assert game.channels == [] and game._tcp_server is None
    game.port = 0
    game.start_background()
    other = connected(game.port)
    echo(other)
    other.close()
    game.shutdown()
    echo(connected(port))


def work(port):
    client = connected(port)
    echo(client)
    client.close()


def multiprocess():
    game = Game()
    game.start_background()
    client = connected(game.port)
    for _ in times():
        run_in(multiprocessing.get_context("fork"), game.port)
    # What starts afresh shares nothing.
    for method in ("spawn", "forkserver"):
        run_in(multiprocessing.get_context(method), game.port)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, [game.port] * 6)
        pool.close()
        pool.join()
    echo(client)
    client.close()
    game.shutdown()


def run_in(context, port):
    process = context.Process(target=work, args=[port])
    process.start()
    process.join()
    assert process.exitcode == 0
    process.close()


# Ctrl-C.


def interrupt_connect():
    """A program that waits while its client connects."""
    keyboard = Keyboard()
    with socket.create_server(("127.0.0.1", 0), backlog=TIMES) as deaf:
        for n in times():
            # TLS takes an answer, which never comes.
            client = Client("127.0.0.1", deaf.getsockname()[1], tls=TLS(verify=False))
            try:
                keyboard.soon(0, 0.01)
                client.start_background()
                [client.recv, lambda: list(client.events()), client._receive_queue.get][n % 3]()
                wait_for_interrupt()
            except KeyboardInterrupt:
                pass
            assert client.state in ("idle", "connecting"), client.state
            client.close()
            until(lambda at=client: at.state in ("idle", "closed"))


def interrupt_wait():
    keyboard = Keyboard()
    game = Game()
    game.start_background()
    for n in times():
        client = connected(game.port)
        listener = ConnectionListener()
        listener._connection = client
        try:
            keyboard.soon(0, 0.01)
            if n % 4 == 0:
                while True:
                    listener.pump()
            [client.recv, lambda: list(client.events()), client._receive_queue.get][n % 3]()
            wait_for_interrupt()
        except KeyboardInterrupt:
            pass
        echo(client)
        client.close()
    game.shutdown()


def interrupt_close():
    """Ends of clients and of servers, at any moment; they can be used again."""
    keyboard = Keyboard()
    game = Game()
    game.start_background()
    for n in times():
        client, other = connected(game.port), Game()
        other.start_background()
        left = connected(other.port)
        try:
            keyboard.soon(0, 0.005)
            client.send({"action": "big", "data": bytes(1 << 20)})
            client.close()
            other.shutdown()
            wait_for_interrupt()
        except KeyboardInterrupt:
            pass
        client.close()
        until(lambda at=client: at.state == "closed")
        client._receive_queue._next_message()
        client.start_background()
        echo_after_all(client)
        client.close()
        other.shutdown()
        until(lambda at=left: at.state == "closed")
        assert other._tcp_server is None and other.channels == []
    game.shutdown()


def echo_after_all(client):
    """As `echo`, whatever has come before."""
    client.send({"action": "after all"})
    while (message := client.recv(30)) != {"action": "after all"}:
        assert message is not None


def interrupt_server():
    """`launch` returns, and the handlers of the end have run."""
    keyboard = Keyboard()

    class Closing(Channel):
        def on_close(self):
            self.server.closed += 1

    class Launched(Server[Closing]):
        channel_class = Closing
        closed = 0

        def on_connect(self, channel, addr):
            keyboard.soon(0, 0.01)

        async def start(self):
            await super().start()
            self.client = Client("127.0.0.1", self.port)
            self.client.start_background()

    for _ in times():
        game = Launched(port=0)
        game.launch()
        assert (game.closed, game._tcp_server, game.channels) == (1, None, [])
        until(lambda at=game: at.client.state == "closed")


# Exceptions of handlers.


class Broken(Exception):
    pass


class Fragile(Channel["Fragiles"]):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.server.breaks == "__init__":
            raise Broken

    def on_connect(self):
        if self.server.breaks == "channel":
            raise Broken

    def Network_break(self, data):
        raise Broken

    def on_close(self):
        raise Broken

    def on_error(self, error):
        self.server.told.put(type(error))
        raise Broken

    def network_received(self, data):
        self.send(data)


class Fragiles(Server[Fragile]):
    channel_class = Fragile
    breaks = None

    def __init__(self):
        super().__init__(port=0)
        self.told = queue.Queue()
        self.gone = queue.Queue()

    def on_connect(self, channel, addr):
        if self.breaks == "server":
            raise Broken

    def on_disconnect(self, channel):
        self.gone.put(channel)
        raise Broken


class Records(logging.Handler):
    """What is logged."""

    def __init__(self):
        super().__init__()
        self.events = collections.Counter()
        logging.getLogger("repod").addHandler(self)

    def emit(self, record):
        assert record.exc_info[0] is Broken
        self.events[record.getMessage()] += 1


#: What is logged of each time: `on_error` is called for eight exceptions, and three channels have gone.
LOGGED = {"channel_error": 1, "on_error_failed": 8, "on_disconnect_failed": 3}


def exceptions():
    """Of a server's methods."""
    records = Records()
    game = Fragiles()
    game.start_background()
    for _ in times():
        game.breaks = None
        client = connected(game.port)
        for _ in range(3):
            client.send({"action": "break"})
            assert game.told.get(timeout=30) is Broken
        echo(client)
        client.close()
        # That of `on_close`.
        assert game.told.get(timeout=30) is Broken
        game.gone.get(timeout=30)
        for game.breaks in ("__init__", "channel", "server"):
            client = Client("127.0.0.1", game.port)
            client.start_background()
            until(lambda at=client: at.state == "closed")
            if game.breaks != "__init__":
                # Those of `on_connect` and of `on_close`.
                assert [game.told.get(timeout=30) for _ in "ab"] == [Broken, Broken]
                game.gone.get(timeout=30)
        until(lambda: game.channels == [])
        assert game.told.empty() and game.gone.empty()
        until(lambda: sum(records.events.values()) == 12)
        assert records.events == LOGGED
        records.events.clear()
    game.shutdown()


class Listener(ConnectionListener):
    def Network_connected(self, data):
        raise Broken

    def Network_socketConnect(self, data):
        raise Broken

    def Network_disconnected(self, data):
        raise Broken

    def network_received(self, data):
        raise Broken


def exceptions_in_pump():
    """Of a client's methods: each comes out of `pump`, and the rest stays."""
    game = Game()
    game.start_background()
    for _ in times():
        listener = Listener()
        listener.connect("127.0.0.1", game.port)
        # Two tell of the connection, one is the server's greeting, three are messages, one tells of the end.
        for _ in range(3):
            listener.send({"action": "x"})
        for count in range(7):
            if count == 6:
                listener.connection.close()
            until(lambda at=listener: is_broken_by(at.pump))
        listener.pump()
    game.shutdown()


def is_broken_by(function):
    try:
        function()
    except Broken:
        return True
    return False


# Garbage.


def collect():
    """Clients and servers that nobody holds end, and are gone."""
    for n in times():
        game = Game()
        game.start_background() if n % 2 else game.listen()
        port = game.port
        client = Client("127.0.0.1", port)
        client.start_background()
        if n % 2:
            assert client.recv(30) == {"action": "connected"}
            other = connected(port)
            known = weakref.ref(client)
            del client
            until(lambda at=known: gc.collect() is not None and at() is None)
            # Who was not collected notices nothing; the server notices that one is gone.
            echo(other)
            until(lambda at=game: len(at.channels) == 1)
            other.close()
            game.shutdown()
        known = weakref.ref(game)
        del game
        until(lambda at=known: gc.collect() is not None and at() is None)
        with socket.socket() as sock:
            until(lambda at=sock: at.connect_ex(("127.0.0.1", port)) != 0)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("done")
