"""Payloads: packets in one HTTP body.

Source: Engine.IO protocol v4, § HTTP long-polling, Payload encoding.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from heartwire.engineio import json, packet

SEPARATOR = "\x1e"


class Payload:
    """Packets that travel together."""

    #: Packets that are read from one payload at most.
    max_decode_packets = 16

    def __init__(
        self, packets: list[packet.Packet] | None = None, encoded_payload: str | None = None
    ) -> None:
        self.packets = packets or []
        if encoded_payload is not None:
            self.decode(encoded_payload)

    def encode(self, jsonp_index: int | None = None) -> str:
        """The payload as it travels; with an index, as a call of a script's function.

        >>> hello = packet.Packet(packet.MESSAGE, "hello")
        >>> Payload([hello, packet.Packet(packet.CLOSE)]).encode()
        '4hello\\x1e1'
        """
        encoded: Any = (p.encode(b64=True) for p in self.packets)
        body = SEPARATOR.join(encoded)
        if jsonp_index is None:
            return body
        # The text ends up in a script: nothing in it may end the string, or the script.
        quoted = json.dumps(body).replace("<", "\\u003c").replace(">", "\\u003e")
        return f"___eio[{jsonp_index}]({quoted});"

    def decode(self, encoded_payload: str) -> None:
        """Reads a payload as it has arrived. Raises `ValueError` for what is none, and for one of more
        than `max_decode_packets`."""
        self.packets = []
        if not encoded_payload:
            return
        if encoded_payload.startswith("d="):
            # A form, with which older browsers post.
            encoded_payload = urllib.parse.parse_qs(encoded_payload)["d"][0]
        encoded = encoded_payload.split(SEPARATOR)
        if len(encoded) > self.max_decode_packets:
            raise ValueError("Too many packets in payload")
        self.packets = [packet.Packet(encoded_packet=p) for p in encoded]
