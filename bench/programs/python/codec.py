"""Nanoseconds of a packet, or of a message of repod: ``engineio|ours|repod``."""

import sys

import measured

which = sys.argv[1]
if which == "engineio":
    from engineio.packet import MESSAGE, Packet
    from engineio.payload import Payload

    text, binary = "a" * 64, b"\7" * 16384
    Payload.max_decode_packets = 16
    texts = "\x1e".join(["4" + text] * 16)
    encoded = Packet(MESSAGE, data=binary).encode(b64=True)

    def encode(data, count):
        return Payload(packets=[Packet(MESSAGE, data=data) for _ in range(count)]).encode()

    report = {
        "decode_text_ns": measured.nanoseconds(lambda: Payload(encoded_payload=texts)) / 16,
        "encode_text_ns": measured.nanoseconds(lambda: encode(text, 16)) / 16,
        "decode_binary_ns": measured.nanoseconds(lambda: Payload(encoded_payload=encoded)),
        "encode_binary_ns": measured.nanoseconds(lambda: encode(binary, 1)),
    }
else:
    if which == "ours":
        from heartwire.repod import encode, read_message
    else:
        from repod.protocol import encode, read_message
    message = {"action": "e", "d": "x" * 48}
    frame = encode(message)
    assert read_message(frame)[0] == message
    report = {
        "encode_objects_ns": measured.nanoseconds(lambda: encode(message)),
        "decode_objects_ns": measured.nanoseconds(lambda: read_message(frame)),
    }
measured.finish(report)
