//! Masking: every payload byte from a client is XORed with four key bytes.
//!
//! Source: RFC 6455, § 5.3.

/// XORs `data` with `key`. `offset` is the position of `data` in the frame's payload, so that a
/// payload that arrives in pieces can be unmasked piece by piece. Masking twice gives the original.
pub fn apply(data: &mut [u8], key: [u8; 4], offset: usize) {
    // In little-endian order, the first byte is the lowest.
    let word = u32::from_le_bytes(key).rotate_right(8 * (offset % 4) as u32);
    let wide = u64::from(word) << 32 | u64::from(word);
    let (blocks, rest) = data.as_chunks_mut::<16>();
    for block in blocks {
        let (words, _) = block.as_chunks_mut::<8>();
        words.iter_mut().for_each(|bytes| xor(bytes, wide));
    }
    let mut mask = wide;
    let (words, rest) = rest.as_chunks_mut::<8>();
    words.iter_mut().for_each(|bytes| xor(bytes, wide));
    for byte in rest {
        *byte ^= mask as u8;
        mask >>= 8;
    }
}

#[inline]
fn xor(bytes: &mut [u8; 8], mask: u64) {
    *bytes = (u64::from_le_bytes(*bytes) ^ mask).to_le_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_example_hello() {
        // RFC 6455, § 5.7: "A single-frame masked text message", contains "Hello".
        let mut data = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply(&mut data, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&data, b"Hello");
    }

    #[test]
    fn pieces_give_the_same_as_the_whole() {
        let key = [0x11, 0x22, 0x44, 0x88];
        let plain: Vec<u8> = (0..100).collect();
        let expected: Vec<u8> =
            plain.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
        for cut in 0..plain.len() {
            let mut data = plain.clone();
            let (head, tail) = data.split_at_mut(cut);
            apply(head, key, 0);
            apply(tail, key, cut);
            assert_eq!(data, expected, "cut at {cut}");
        }
    }
}
