//! TCP segments, as far as a network interferes with them.

use etherparse::{IpNumber, Ipv4Header, TcpHeader};

/// A TCP segment in a packet of IPv4.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    ip: Ipv4Header,
    tcp: TcpHeader,
    data: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads a packet; `None` if it is something else.
    pub fn read(packet: &'a [u8]) -> Option<Self> {
        let (ip, rest) = Ipv4Header::from_slice(packet).ok()?;
        if ip.protocol != IpNumber::TCP || ip.is_fragmenting_payload() {
            return None;
        }
        let (tcp, data) = TcpHeader::from_slice(rest).ok()?;
        Some(Self { ip, tcp, data })
    }

    /// Whether it carries data of a connection that is open.
    pub fn has_data(&self) -> bool {
        !self.data.is_empty() && !self.tcp.syn && !self.tcp.rst
    }

    /// The packet that says, in this one's place, that the connection is reset.
    pub fn reset(&self) -> Vec<u8> {
        let mut tcp = TcpHeader::new(
            self.tcp.source_port,
            self.tcp.destination_port,
            self.tcp.sequence_number,
            0,
        );
        tcp.rst = true;
        tcp.ack = true;
        tcp.acknowledgment_number = self.tcp.acknowledgment_number;
        self.packet(tcp, &[])
    }

    /// The packets that carry its data one byte each.
    pub fn shred(&self) -> Vec<Vec<u8>> {
        let last = self.data.len().saturating_sub(1);
        let bytes = self.data.chunks(1).enumerate();
        bytes
            .map(|(index, byte)| {
                let mut tcp = self.tcp.clone();
                tcp.sequence_number = tcp.sequence_number.wrapping_add(index as u32);
                tcp.psh = true;
                tcp.fin = self.tcp.fin && index == last;
                self.packet(tcp, byte)
            })
            .collect()
    }

    fn packet(&self, mut tcp: TcpHeader, data: &[u8]) -> Vec<u8> {
        let mut ip = self.ip.clone();
        let length = tcp.header_len() + data.len();
        ip.set_payload_len(length).expect("it is no longer than the packet that it was");
        ip.header_checksum = ip.calc_header_checksum();
        tcp.checksum = tcp.calc_checksum_ipv4(&ip, data).expect("it is short");
        let mut packet = ip.to_bytes().to_vec();
        packet.extend_from_slice(&tcp.to_bytes());
        packet.extend_from_slice(data);
        packet
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{PacketBuilder, SlicedPacket};

    use super::*;

    /// A segment as the library that builds packets makes it.
    fn packet(data: &[u8]) -> Vec<u8> {
        let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
            .tcp(5000, 40_000, u32::MAX - 1, 1024)
            .ack(77);
        let mut packet = vec![];
        builder.write(&mut packet, data).unwrap();
        packet
    }

    /// Checks that a packet is whole, and returns its TCP header and data.
    fn read(packet: &[u8]) -> (TcpHeader, Vec<u8>) {
        let (ip, rest) = Ipv4Header::from_slice(packet).unwrap();
        assert_eq!(ip.header_checksum, ip.calc_header_checksum());
        let (tcp, data) = TcpHeader::from_slice(rest).unwrap();
        assert_eq!(tcp.checksum, tcp.calc_checksum_ipv4(&ip, data).unwrap());
        assert!(SlicedPacket::from_ip(packet).is_ok());
        (tcp, data.to_vec())
    }

    #[test]
    fn shreds_carry_the_same_bytes() {
        let whole = packet(b"hello");
        let shreds = Segment::read(&whole).unwrap().shred();
        assert_eq!(shreds.len(), 5);
        let mut expected = u32::MAX - 1;
        let mut together = vec![];
        for shred in &shreds {
            let (tcp, data) = read(shred);
            assert_eq!((tcp.sequence_number, tcp.acknowledgment_number), (expected, 77));
            expected = expected.wrapping_add(1);
            together.extend(data);
        }
        assert_eq!(together, b"hello");
    }

    #[test]
    fn a_reset_stands_where_the_segment_stood() {
        let whole = packet(b"hello");
        let segment = Segment::read(&whole).unwrap();
        assert!(segment.has_data());
        let (tcp, data) = read(&segment.reset());
        assert!(tcp.rst && data.is_empty());
        assert_eq!(tcp.sequence_number, u32::MAX - 1);
        assert_eq!((tcp.source_port, tcp.destination_port), (5000, 40_000));
    }

    #[test]
    fn other_packets_are_left_alone() {
        let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(1, 2);
        let mut udp = vec![];
        builder.write(&mut udp, b"data").unwrap();
        assert!(Segment::read(&udp).is_none());
        assert!(Segment::read(b"").is_none());
        assert!(!Segment::read(&packet(b"")).unwrap().has_data());
    }
}
