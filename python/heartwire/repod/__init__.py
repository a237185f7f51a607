"""repod: dicts over TCP, for games.

The names are those of the package repod, and so is what goes over the wire. A client is a `Client`, or a
`ConnectionListener` with a method for each action; a server is a `Server` with a `Channel` for each
client.
"""

from heartwire.repod.channel import Channel
from heartwire.repod.client import Client, ConnectionListener
from heartwire.repod.constants import DEFAULT_HOST, DEFAULT_PORT
from heartwire.repod.logconfig import configure_logging
from heartwire.repod.options import TLS, Backoff, RoundTrip, Statistics
from heartwire.repod.protocol import decode, encode, read_message
from heartwire.repod.server import Server

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "TLS",
    "Backoff",
    "Channel",
    "Client",
    "ConnectionListener",
    "RoundTrip",
    "Server",
    "Statistics",
    "configure_logging",
    "decode",
    "encode",
    "read_message",
]
