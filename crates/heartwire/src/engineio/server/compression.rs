//! Compressed answers to GETs, for clients that take them.
//!
//! Source: RFC 9110, § 8.4.1 and § 12.5.3.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, HeaderMap};

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    Gzip,
    /// What HTTP calls so: a zlib stream.
    Deflate,
}

impl Encoding {
    /// The one that the client likes best; of two, gzip.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for encoding in [Self::Gzip, Self::Deflate] {
            let weight = weight(headers, encoding.name());
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, encoding));
            }
        }
        best.map(|(_, encoding)| encoding)
    }

    pub(super) fn encode(self, body: &[u8]) -> Vec<u8> {
        let (out, level) = (Vec::with_capacity(body.len() / 4), Compression::fast());
        let encoded = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, level);
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, level);
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        encoded.expect("memory takes every byte")
    }

    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// How much the client wants an encoding, in thousandths; zero if it does not.
fn weight(headers: &HeaderMap, encoding: &str) -> u16 {
    let (mut named, mut others) = (None, 0);
    for value in headers.get_all(ACCEPT_ENCODING) {
        for element in value.to_str().unwrap_or("").split(',') {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(1000, thousandths);
            match name.trim() {
                name if name.eq_ignore_ascii_case(encoding) => named = Some(weight),
                "*" => others = weight,
                _ => {}
            }
        }
    }
    named.unwrap_or(others)
}

/// A weight such as `0.5`; what is none counts as zero.
fn thousandths(text: &str) -> u16 {
    let weight: f32 = text.trim().parse().unwrap_or(0.0);
    (weight.clamp(0.0, 1.0) * 1000.0) as u16
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{GzDecoder, ZlibDecoder};

    use super::*;

    #[track_caller]
    fn negotiates(accepted: &str, expected: Option<Encoding>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(accepted).unwrap());
        assert_eq!(Encoding::negotiate(&headers), expected, "{accepted}");
    }

    #[test]
    fn what_the_client_likes_best() {
        assert_eq!(Encoding::negotiate(&HeaderMap::new()), None);
        negotiates("", None);
        negotiates("br, identity", None);
        negotiates("gzip, deflate", Some(Encoding::Gzip));
        negotiates("deflate, gzip", Some(Encoding::Gzip));
        negotiates("GZIP", Some(Encoding::Gzip));
        negotiates("deflate", Some(Encoding::Deflate));
        negotiates("gzip;q=0.5, deflate; q=0.8", Some(Encoding::Deflate));
        negotiates("gzip;q=0, *", Some(Encoding::Deflate));
        negotiates("gzip;q=0, deflate;q=0.000", None);
        negotiates("*", Some(Encoding::Gzip));
        negotiates("*;q=0", None);
        negotiates("gzip;q=nonsense", None);
    }

    #[test]
    fn bodies_come_back_as_they_were() {
        let body = "4hello ".repeat(1000).into_bytes();
        let mut back = vec![];
        GzDecoder::new(&*Encoding::Gzip.encode(&body)).read_to_end(&mut back).unwrap();
        assert_eq!(back, body);
        back.clear();
        let deflated = Encoding::Deflate.encode(&body);
        assert!(deflated.len() < body.len() / 10);
        ZlibDecoder::new(&*deflated).read_to_end(&mut back).unwrap();
        assert_eq!(back, body);
    }
}
