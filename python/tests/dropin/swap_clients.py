"""A plugin for pytest: python-engineio stays, but its clients are heartwire's (`-p swap_clients`)."""

import engineio
import engineio.async_client
import engineio.base_client
import engineio.client
import engineio.exceptions
import engineio.packet

import heartwire.engineio
from heartwire.engineio import base_client, exceptions, packet

base_client.BaseClient.strict = False

engineio.Client = engineio.client.Client = heartwire.engineio.Client
engineio.AsyncClient = engineio.async_client.AsyncClient = heartwire.engineio.AsyncClient
# What is raised by the one is caught as what the other has.
for name in ("EngineIOError", "ConnectionError", "SocketIsClosedError", "ContentTooLongError"):
    setattr(engineio.exceptions, name, getattr(exceptions, name))
# A client's JSON is that of all packets, those of python-engineio's server included.
engineio.packet.Packet = packet.Packet
