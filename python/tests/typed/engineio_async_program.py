"""A program of a client for asyncio, for type checkers: it is not run."""

import asyncio
from typing import assert_type

from heartwire import engineio

client = engineio.AsyncClient(ordered=True, reconnection=True)


@client.on("message")
async def on_message(data: object) -> None:
    await client.send(data)


async def main() -> None:
    await client.connect("http://localhost:5000", transports="websocket")
    await client.send({"x": [1, 2]})
    assert_type(client.create_event(), asyncio.Event)
    assert_type(client.transport(), str | None)
    task: asyncio.Future[None] = client.start_background_task(client.sleep, 0.1)
    await task
    await client.wait()
    await client.disconnect()
    # What a type checker has to object to.
    client.pump()  # type: ignore[attr-defined]
    client.connect("http://localhost:5000").unknown()  # type: ignore[attr-defined]


asyncio.run(main())
