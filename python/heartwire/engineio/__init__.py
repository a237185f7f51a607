"""Engine.IO v4 clients with the names of python-engineio: `Client` for programs without an event loop,
`AsyncClient` for asyncio, and in `exceptions` what they raise.

>>> from heartwire import engineio
>>> client = engineio.Client()
>>> client.connect("http://localhost:5000")
True
>>> client.send("hello")
>>> client.disconnect()
"""

from heartwire.engineio import exceptions
from heartwire.engineio.async_client import AsyncClient
from heartwire.engineio.client import Client

__all__ = ["AsyncClient", "Client", "exceptions"]
