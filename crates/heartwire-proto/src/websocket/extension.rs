//! The negotiation of permessage-deflate: what a client offers, a server accepts, and both keep to.
//!
//! Source: RFC 6455, § 9.1; RFC 7692, §§ 5 and 7.1.

use std::fmt;
use std::fmt::Write;

/// What an endpoint wants of compression. Whatever the peer wants of it is granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PerMessageDeflate {
    threshold: usize,
    level: u8,
    window_bits: u8,
    context_takeover: bool,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        Self { threshold: 1024, level: 6, window_bits: MAX_WINDOW_BITS, context_takeover: false }
    }
}

impl PerMessageDeflate {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes below which a message is sent as it is. Default: 1024, as the Node server's.
    #[must_use]
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How hard to try, from 0 (not at all) to 9 (slow). Default: 6, as zlib's.
    ///
    /// # Panics
    ///
    /// If `level` is greater than 9.
    #[must_use]
    pub fn level(mut self, level: u8) -> Self {
        assert!(level <= 9, "level {level}, at most 9 allowed");
        self.level = level;
        self
    }

    /// How far back what is sent may refer, as a power of two in bytes, from 9 to 15: a smaller window
    /// takes less memory and compresses less. The peer may ask for less. Default: 15.
    ///
    /// # Panics
    ///
    /// If `bits` is not between 9 and 15.
    #[must_use]
    pub fn window_bits(mut self, bits: u8) -> Self {
        let allowed = MIN_OWN_WINDOW_BITS..=MAX_WINDOW_BITS;
        assert!(allowed.contains(&bits), "window of {bits} bits, 9 to 15 allowed");
        self.window_bits = bits;
        self
    }

    /// Whether a message may refer to those before it. Similar small messages become much smaller, and
    /// every connection keeps about 300 KiB for as long as it lives. Default: no; then a connection
    /// that idles keeps nothing.
    #[must_use]
    pub fn context_takeover(mut self, takeover: bool) -> Self {
        self.context_takeover = takeover;
        self
    }

    /// The value of `Sec-WebSocket-Extensions` that a client asks with.
    pub fn offer(&self) -> String {
        let mut offer = NAME.to_owned();
        if !self.context_takeover {
            offer.push_str("; server_no_context_takeover; client_no_context_takeover");
        }
        offer.push_str("; client_max_window_bits");
        if self.window_bits < MAX_WINDOW_BITS {
            write!(offer, "={}", self.window_bits).expect("strings grow");
        }
        offer
    }

    /// Answers what a client offers in `Sec-WebSocket-Extensions`: the first offer that can be kept
    /// to, and the header's value that accepts it. `None` if there is none: the connection then goes
    /// without compression.
    ///
    /// # Errors
    ///
    /// The header is not one.
    pub fn accept(&self, offers: &str) -> Result<Option<(Negotiated, String)>, InvalidExtensions> {
        let offers = Scanner { rest: offers }.extensions()?;
        let mut known = offers.iter().filter(|offer| offer.name == NAME);
        Ok(known.find_map(|offer| self.accept_one(Parameters::of(offer).ok()?)))
    }

    fn accept_one(&self, offer: Parameters) -> Option<(Negotiated, String)> {
        // Decimal numbers of bits have been checked; eight are too few for zlib.
        let asked = offer.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS);
        if asked < MIN_OWN_WINDOW_BITS {
            return None;
        }
        let window_bits = asked.min(self.window_bits);
        let own_takeover = self.context_takeover && !offer.server_no_context_takeover;
        let peer_takeover = self.context_takeover && !offer.client_no_context_takeover;
        let mut answer = NAME.to_owned();
        if !own_takeover {
            answer.push_str("; server_no_context_takeover");
        }
        if !peer_takeover {
            answer.push_str("; client_no_context_takeover");
        }
        if offer.server_max_window_bits.is_some() || window_bits < MAX_WINDOW_BITS {
            write!(answer, "; server_max_window_bits={window_bits}").expect("strings grow");
        }
        let Self { threshold, level, .. } = *self;
        let window_bits = Some(window_bits);
        Some((Negotiated { threshold, level, window_bits, own_takeover, peer_takeover }, answer))
    }

    /// Takes a server's answer to [`offer`](Self::offer). `None` if it does not compress.
    ///
    /// # Errors
    ///
    /// The answer is not one to the offer. The connection cannot be used.
    pub fn conclude(&self, answer: &str) -> Result<Option<Negotiated>, InvalidExtensions> {
        let answers = Scanner { rest: answer }.extensions()?;
        let answer = match &answers[..] {
            [] => return Ok(None),
            [answer] if answer.name == NAME => Parameters::of(answer)?,
            _ => return Err(InvalidExtensions),
        };
        let window_bits = match answer.client_max_window_bits {
            None => self.window_bits,
            Some(Some(bits)) => bits.min(self.window_bits),
            Some(None) => return Err(InvalidExtensions), // only an offer may leave it open
        };
        Ok(Some(Negotiated {
            threshold: self.threshold,
            level: self.level,
            // A server that wants less than zlib can do gets nothing compressed.
            window_bits: (window_bits >= MIN_OWN_WINDOW_BITS).then_some(window_bits),
            own_takeover: self.context_takeover && !answer.client_no_context_takeover,
            peer_takeover: !answer.server_no_context_takeover,
        }))
    }
}

/// What both sides of a connection have agreed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Negotiated {
    /// Bytes below which this side does not compress.
    pub(super) threshold: usize,
    pub(super) level: u8,
    /// The window that this side may use; `None` if it cannot compress with what the peer allows.
    pub(super) window_bits: Option<u8>,
    /// Whether this side remembers what it has sent.
    pub(super) own_takeover: bool,
    /// Whether the peer may refer to what it has sent.
    pub(super) peer_takeover: bool,
}

/// A `Sec-WebSocket-Extensions` header that breaks the grammar, or answers what was not offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidExtensions;

impl fmt::Display for InvalidExtensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid Sec-WebSocket-Extensions header")
    }
}

impl std::error::Error for InvalidExtensions {}

/// The parameters of one offer or answer.
#[derive(Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// Offers may name it without a value.
    client_max_window_bits: Option<Option<u8>>,
}

impl Parameters {
    /// Refuses what RFC 7692, § 7.1, does not know, and what is there twice.
    fn of(extension: &Extension<'_>) -> Result<Self, InvalidExtensions> {
        let mut parameters = Self::default();
        for (name, value) in &extension.parameters {
            let twice = match (*name, value) {
                ("server_no_context_takeover", None) => {
                    std::mem::replace(&mut parameters.server_no_context_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    std::mem::replace(&mut parameters.client_no_context_takeover, true)
                }
                ("server_max_window_bits", Some(value)) => {
                    parameters.server_max_window_bits.replace(window_bits(value)?).is_some()
                }
                ("client_max_window_bits", value) => {
                    let bits = value.as_deref().map(window_bits).transpose()?;
                    parameters.client_max_window_bits.replace(bits).is_some()
                }
                _ => return Err(InvalidExtensions),
            };
            if twice {
                return Err(InvalidExtensions);
            }
        }
        Ok(parameters)
    }
}

/// "a decimal integer value without leading zeroes between 8 to 15, inclusive" (RFC 7692, § 7.1.2).
fn window_bits(value: &str) -> Result<u8, InvalidExtensions> {
    match value {
        "8" => Ok(8),
        "9" => Ok(9),
        "10" => Ok(10),
        "11" => Ok(11),
        "12" => Ok(12),
        "13" => Ok(13),
        "14" => Ok(14),
        "15" => Ok(15),
        _ => Err(InvalidExtensions),
    }
}

/// An element of a `Sec-WebSocket-Extensions` header.
#[derive(Debug, Eq, PartialEq)]
struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<String>)>,
}

/// Reads a header from the front.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn extensions(mut self) -> Result<Vec<Extension<'a>>, InvalidExtensions> {
        let mut extensions = vec![];
        loop {
            self.skip_whitespace();
            // A list may have empty elements (RFC 9110, § 5.6.1).
            if !self.rest.is_empty() && !self.rest.starts_with(',') {
                let name = self.token()?;
                let mut parameters = vec![];
                while self.take(';') {
                    let name = self.token()?;
                    let value = if self.take('=') { Some(self.value()?) } else { None };
                    parameters.push((name, value));
                }
                extensions.push(Extension { name, parameters });
            }
            if !self.take(',') {
                return if self.rest.is_empty() { Ok(extensions) } else { Err(InvalidExtensions) };
            }
        }
    }

    /// A value, with or without quotes: what is between them has to be a token too.
    fn value(&mut self) -> Result<String, InvalidExtensions> {
        if !self.take('"') {
            return self.token().map(str::to_owned);
        }
        let mut value = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next().ok_or(InvalidExtensions)? {
                '"' if value.is_empty() => return Err(InvalidExtensions),
                '"' => break,
                '\\' => value.push(chars.next().ok_or(InvalidExtensions)?),
                other => value.push(other),
            }
        }
        self.rest = chars.as_str();
        self.skip_whitespace();
        if value.chars().all(is_token) { Ok(value) } else { Err(InvalidExtensions) }
    }

    fn token(&mut self) -> Result<&'a str, InvalidExtensions> {
        self.skip_whitespace();
        let end = self.rest.find(|char| !is_token(char)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.skip_whitespace();
        if token.is_empty() { Err(InvalidExtensions) } else { Ok(token) }
    }

    fn take(&mut self, char: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(char) else { return false };
        self.rest = rest;
        self.skip_whitespace();
        true
    }

    fn skip_whitespace(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }
}

/// RFC 9110, § 5.6.2.
fn is_token(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
}

const NAME: &str = "permessage-deflate";

/// The largest window of DEFLATE, and the one where nothing else is said.
const MAX_WINDOW_BITS: u8 = 15;

/// The smallest window that zlib compresses with, where there is no zlib header.
const MIN_OWN_WINDOW_BITS: u8 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEOVER: fn() -> PerMessageDeflate = || PerMessageDeflate::new().context_takeover(true);

    #[test]
    fn rfc_examples() {
        // RFC 7692, § 7.1.3: "accepts", in the words of a server that wants nothing by itself.
        let server = TAKEOVER();
        accepts(server, "permessage-deflate", "permessage-deflate");
        accepts(
            server,
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
        );
        accepts(
            server,
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=10",
        );
    }

    #[test]
    fn contexts_are_taken_over_only_where_both_want_it() {
        let own = "permessage-deflate; server_no_context_takeover";
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        accepts(TAKEOVER(), "permessage-deflate; server_no_context_takeover", own);
        accepts(
            TAKEOVER(),
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover",
        );
        accepts(PerMessageDeflate::new(), "permessage-deflate", both);
        accepts(PerMessageDeflate::new(), "permessage-deflate; client_max_window_bits", both);
    }

    #[test]
    fn the_first_offer_that_can_be_kept_to_is_accepted() {
        accepts(TAKEOVER(), "x-webkit-deflate-frame, , permessage-deflate", "permessage-deflate");
        // RFC 7692, § 7.1: unknown parameters, invalid values, the same twice.
        for bad in [
            "unknown",
            "server_max_window_bits",
            "server_max_window_bits=16",
            "server_max_window_bits=7",
            "server_max_window_bits=08",
            "server_max_window_bits=1e1",
            "server_max_window_bits=8", // too small for zlib
            "client_max_window_bits=0",
            "client_max_window_bits=20",
            "server_no_context_takeover=1",
            "server_no_context_takeover; server_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=10",
        ] {
            let offer = format!("permessage-deflate; {bad}");
            assert_eq!(TAKEOVER().accept(&offer), Ok(None), "{offer}");
            accepts(TAKEOVER(), &format!("{offer}, permessage-deflate"), "permessage-deflate");
        }
        assert_eq!(TAKEOVER().accept(""), Ok(None));
    }

    #[test]
    fn windows_shrink_to_the_smaller_wish() {
        let server = TAKEOVER().window_bits(11);
        accepts(server, "permessage-deflate", "permessage-deflate; server_max_window_bits=11");
        accepts(
            server,
            "permessage-deflate; server_max_window_bits=\"9\"",
            "permessage-deflate; server_max_window_bits=9",
        );
        accepts(
            server,
            "permessage-deflate;server_max_window_bits = 15",
            "permessage-deflate; server_max_window_bits=11",
        );
    }

    #[test]
    fn clients_say_what_they_want_and_hold_servers_to_it() {
        assert_eq!(TAKEOVER().offer(), "permessage-deflate; client_max_window_bits");
        assert_eq!(
            PerMessageDeflate::new().window_bits(12).offer(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=12",
        );
        let concluded = |answer: &str| {
            let negotiated = TAKEOVER().window_bits(12).conclude(answer).unwrap()?;
            let Negotiated { window_bits, own_takeover, peer_takeover, .. } = negotiated;
            Some((window_bits, own_takeover, peer_takeover))
        };
        assert_eq!(concluded(""), None);
        assert_eq!(concluded("permessage-deflate"), Some((Some(12), true, true)));
        assert_eq!(
            concluded("permessage-deflate; client_no_context_takeover; client_max_window_bits=9"),
            Some((Some(9), false, true))
        );
        assert_eq!(
            concluded("permessage-deflate; server_no_context_takeover; client_max_window_bits=8"),
            Some((None, true, false))
        );
        assert_eq!(
            concluded("permessage-deflate; server_max_window_bits=8"),
            Some((Some(12), true, true))
        );
        for bad in [
            "x-webkit-deflate-frame",
            "permessage-deflate, permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"\"",
            "permessage-deflate; server_max_window_bits=\"1 0\"",
            "permessage-deflate; server_max_window_bits=\"10",
            "permessage-deflate; unknown",
            "permessage-deflate;",
            "permessage deflate",
            "=",
        ] {
            assert_eq!(TAKEOVER().conclude(bad), Err(InvalidExtensions), "{bad}");
        }
        for bits in 0..=20 {
            let answer = format!("permessage-deflate; server_max_window_bits={bits}");
            assert_eq!(TAKEOVER().conclude(&answer).is_ok(), (8..=15).contains(&bits), "{answer}");
        }
    }

    #[test]
    fn quotes_may_escape() {
        accepts(
            TAKEOVER(),
            r#"permessage-deflate; server_max_window_bits="\1\0""#,
            "permessage-deflate; server_max_window_bits=10",
        );
        for broken in ["permessage-deflate; a=\"", "permessage-deflate; a=\"\\", "a b", ";", "ä"] {
            assert_eq!(TAKEOVER().accept(broken), Err(InvalidExtensions), "{broken}");
        }
    }

    #[track_caller]
    fn accepts(server: PerMessageDeflate, offer: &str, expected: &str) {
        let (_, answer) = server.accept(offer).unwrap().unwrap();
        assert_eq!(answer, expected);
    }
}
