"""Packets: what Engine.IO exchanges.

Source: Engine.IO protocol v4, § Packet encoding.
"""

from __future__ import annotations

import base64
from typing import Any

from heartwire.engineio import json as _json

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = range(7)
packet_names = ["OPEN", "CLOSE", "PING", "PONG", "MESSAGE", "UPGRADE", "NOOP"]
binary_types = (bytes, bytearray)


class Packet:
    """A packet: a type, and data.

    Strings and numbers that look like JSON are read as JSON when they arrive, except integers: `"12"`
    stays a string. What is sent as a dictionary or a list travels as JSON.
    """

    #: What reads and writes JSON, for the whole process. A client's `json` argument sets it.
    json: Any = _json

    def __init__(
        self,
        packet_type: int = NOOP,
        data: Any = None,
        encoded_packet: str | bytes | bytearray | None = None,
    ) -> None:
        self.packet_type = packet_type
        self.data = data
        self.encode_cache: str | bytes | bytearray | None = None
        if isinstance(data, str):
            self.binary = False
        else:
            self.binary = isinstance(data, binary_types)
        if self.binary and packet_type != MESSAGE:
            raise ValueError("Binary packets can only be of type MESSAGE")
        if encoded_packet is not None:
            self.decode(encoded_packet)

    def encode(self, b64: bool = False) -> str | bytes | bytearray:
        """The packet as it travels: text, or the bytes of a binary message, or these in base64 where
        `b64` says so. What was encoded once stays so.

        >>> Packet(MESSAGE, "hello").encode(), Packet(MESSAGE, b"hello").encode(b64=True)
        ('4hello', 'baGVsbG8=')
        """
        if self.encode_cache is None:
            self.encode_cache = self._encode(b64)
        return self.encode_cache

    def _encode(self, b64: bool) -> str | bytes | bytearray:
        data: Any = self.data
        if self.binary:
            binary: bytes | bytearray = data
            return "b" + base64.b64encode(binary).decode() if b64 else binary
        kind = str(self.packet_type)
        if isinstance(data, str):
            return kind + data
        if isinstance(data, (dict, list)):
            text: str = self.json.dumps(data, separators=(",", ":"))
            return kind + text
        return kind if data is None else kind + str(data)

    def decode(self, encoded_packet: str | bytes | bytearray) -> None:
        """Reads a packet as it has arrived.

        >>> packet = Packet()
        >>> packet.decode('4{"x":1}')
        >>> packet.packet_type == MESSAGE, packet.data
        (True, {'x': 1})

        Raises `ValueError` for what is no packet.
        """
        self.binary = isinstance(encoded_packet, binary_types)
        if isinstance(encoded_packet, binary_types):
            self.packet_type, self.data = MESSAGE, encoded_packet
        elif not encoded_packet:
            raise ValueError("Invalid empty packet received")
        elif encoded_packet[0] == "b":
            self.binary = True
            self.packet_type, self.data = MESSAGE, base64.b64decode(encoded_packet[1:])
        else:
            self.packet_type = int(encoded_packet[0])
            self.data = text = encoded_packet[1:]
            # Integers are left alone: they may be larger than what sent them could read.
            if text and not text[0].isnumeric():
                try:
                    self.data = self.json.loads(text)
                except ValueError:
                    pass
