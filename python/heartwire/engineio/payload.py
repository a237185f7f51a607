"""Payloads: packets in one HTTP body.

Source: Engine.IO protocol v4, § HTTP long-polling, Payload encoding.
"""

import urllib.parse

from heartwire.engineio import packet

SEPARATOR = "\x1e"


class Payload:
    """Packets that travel together."""

    #: Packets that are read from one payload at most.
    max_decode_packets = 16

    def __init__(self, packets=None, encoded_payload=None):
        self.packets = packets or []
        if encoded_payload is not None:
            self.decode(encoded_payload)

    def encode(self, jsonp_index=None):
        """The payload as it travels; with an index, as a call of a script's function."""
        body = SEPARATOR.join(p.encode(b64=True) for p in self.packets)
        if jsonp_index is None:
            return body
        # The text ends up in a script: nothing in it may end the string, or the script.
        quoted = packet._json.dumps(body).replace("<", "\\u003c").replace(">", "\\u003e")
        return f"___eio[{jsonp_index}]({quoted});"

    def decode(self, encoded_payload):
        """Reads a payload as it has arrived."""
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
