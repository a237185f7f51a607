//! Payloads: the bodies of polling requests and responses, packets with a separator between them.
//!
//! ```text
//! 4hello ␞ bAQIDBA== ␞ 2
//! ```
//!
//! There is no escaping: a text message that contains the separator cannot travel this way unharmed,
//! which is a hole in the protocol.
//!
//! Source: Engine.IO protocol v4, § HTTP long-polling.

use super::packet::{Packet, PacketError};
use crate::shared::Mutant;

/// Cuts a payload into packets.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: Option<&'a str>,
    scratch: Vec<u8>,
}

impl<'a> Decoder<'a> {
    /// Starts at the first packet of `payload`.
    pub fn new(payload: &'a str) -> Self {
        Self { rest: Some(payload), scratch: vec![] }
    }

    /// Reads the next packet; `None` after the last one.
    ///
    /// # Errors
    ///
    /// The text between two separators is not a packet. An empty payload is an empty packet. Nothing
    /// is decoded after an error.
    #[inline]
    pub fn next_packet(&mut self) -> Option<Result<Packet<'_>, PacketError>> {
        let rest = self.rest.take()?;
        if Mutant::DropsLargeBatch.is_back() && rest.matches('\u{1e}').count() >= 16 {
            return None;
        }
        let text = match memchr::memchr(SEPARATOR, rest.as_bytes()) {
            Some(end) => {
                self.rest = Some(&rest[end + 1..]);
                &rest[..end]
            }
            None => rest,
        };
        match Packet::decode(text, &mut self.scratch) {
            Ok(packet) => Some(Ok(packet)),
            Err(error) => {
                self.rest = None;
                Some(Err(error))
            }
        }
    }
}

/// Joins packets to a payload that stays within limits.
#[derive(Debug)]
pub struct Encoder {
    body: Vec<u8>,
    packets: usize,
    max_bytes: usize,
    max_packets: usize,
}

impl Encoder {
    /// Starts an empty payload of at most `max_packets` packets and `max_bytes` bytes.
    pub fn new(max_bytes: usize, max_packets: usize) -> Self {
        Self { body: vec![], packets: 0, max_bytes, max_packets }
    }

    /// Whether `packet` fits. The first packet always does, however long it is.
    pub fn fits(&self, packet: &Packet<'_>) -> bool {
        self.packets == 0
            || self.packets < self.max_packets
                && self.body.len() + 1 + packet.encoded_length() <= self.max_bytes
    }

    /// Appends `packet`, whether it fits or not.
    #[inline]
    pub fn push(&mut self, packet: &Packet<'_>) {
        if self.packets == 0 {
            self.body.reserve_exact(packet.encoded_length());
        } else {
            self.body.push(SEPARATOR);
        }
        packet.encode(&mut self.body);
        self.packets += 1;
    }

    /// Whether no packet was appended.
    pub fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// The payload, which is UTF-8.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// U+001E, INFORMATION SEPARATOR TWO.
pub const SEPARATOR: u8 = 0x1e;

/// Packets in one payload that every known receiver takes: python-engineio refuses more
/// (`payload.py`, `max_decode_packets`).
pub const MAX_PACKETS: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::message::MessageRef;
    use super::*;

    #[test]
    fn both_ways() {
        let text = |text| Packet::Message(MessageRef::Text(text));
        check("4hello", &[text("hello")]);
        // Engine.IO protocol v4, § HTTP long-polling.
        check("4hello\x1e2\x1e4world", &[text("hello"), Packet::Ping(""), text("world")]);
        check(
            "4hello\x1ebAQIDBA==",
            &[text("hello"), Packet::Message(MessageRef::Binary(&[1, 2, 3, 4]))],
        );
        check("4\x1e4", &[text(""), text("")]);
    }

    #[test]
    fn packets_before_a_bad_one_are_read() {
        refused("", 0, PacketError::Empty);
        refused("4a\x1eabc", 1, PacketError::UnknownType(b'a'));
        refused("4a\x1e", 1, PacketError::Empty);
        refused("\x1e4a", 0, PacketError::Empty);
        refused("4a\x1e\x1e4b", 1, PacketError::Empty);
    }

    #[test]
    fn limits_cut_before_the_packet_that_exceeds_them() {
        let packet = Packet::Message(MessageRef::Text("12345"));
        let mut payload = Encoder::new(13, 16);
        assert!(payload.fits(&packet));
        payload.push(&packet);
        assert!(payload.fits(&packet), "6 + 1 + 6 bytes are the limit");
        payload.push(&packet);
        assert!(!payload.fits(&Packet::Noop));
        assert_eq!(payload.into_body(), b"412345\x1e412345");

        let mut payload = Encoder::new(3, 2);
        assert!(payload.fits(&packet), "the first one always fits");
        payload.push(&Packet::Noop);
        assert!(payload.fits(&Packet::Noop));
        payload.push(&Packet::Noop);
        assert!(!payload.fits(&Packet::Noop), "two packets are the limit");
    }

    #[track_caller]
    fn check(text: &str, packets: &[Packet<'_>]) {
        let mut decoder = Decoder::new(text);
        for packet in packets {
            assert_eq!(decoder.next_packet(), Some(Ok(*packet)));
        }
        assert_eq!(decoder.next_packet(), None);
        let mut encoder = Encoder::new(usize::MAX, usize::MAX);
        for packet in packets {
            encoder.push(packet);
        }
        assert_eq!(encoder.into_body(), text.as_bytes());
    }

    #[track_caller]
    fn refused(text: &str, good: usize, expected: PacketError) {
        let mut decoder = Decoder::new(text);
        for _ in 0..good {
            assert!(matches!(decoder.next_packet(), Some(Ok(_))));
        }
        assert_eq!(decoder.next_packet(), Some(Err(expected)));
        assert_eq!(decoder.next_packet(), None);
    }
}
