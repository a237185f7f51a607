"""Engine.IO v4 clients with the names of python-engineio.

::

    from heartwire import engineio

    client = engineio.Client()
"""

from heartwire.engineio import exceptions
from heartwire.engineio.async_client import AsyncClient
from heartwire.engineio.client import Client

__all__ = ["AsyncClient", "Client", "exceptions"]
