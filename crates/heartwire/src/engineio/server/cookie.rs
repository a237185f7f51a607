//! The cookie that a polling handshake sets, so that a load balancer sends the client's next request to
//! the same server.
//!
//! Source: RFC 6265, § 4.1.1; the defaults are the Node server's.

use std::fmt::Write;
use std::time::Duration;

use heartwire_proto::engineio::SessionId;
use http::HeaderValue;

/// A cookie that carries the session id: `io=…; Path=/; HttpOnly; SameSite=Lax`.
#[derive(Clone, Debug)]
pub struct Cookie {
    name: String,
    path: Option<String>,
    domain: Option<String>,
    max_age: Option<Duration>,
    http_only: bool,
    secure: Option<bool>,
    same_site: Option<SameSite>,
}

/// When browsers send a cookie along with requests that another site has caused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When the user follows a link.
    Lax,
    /// Always. Browsers want such a cookie to be secure, so it is.
    None,
}

impl Cookie {
    /// A cookie of this name. The Node server calls it `io`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: Some("/".to_owned()),
            domain: None,
            max_age: None,
            http_only: true,
            secure: None,
            same_site: Some(SameSite::Lax),
        }
    }

    /// The paths that the cookie is for; `None` leaves it to browsers. Default: `/`.
    pub fn path(mut self, path: Option<&str>) -> Self {
        self.path = path.map(str::to_owned);
        self
    }

    /// The domain that the cookie is for. Default: the host of the request, and no other.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Time for which browsers keep the cookie. Default: until they are closed.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Whether scripts may not read the cookie. Default: yes.
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Whether browsers send the cookie over TLS alone. Default: if the client has come over TLS, to this
    /// server or to a proxy that is [trusted](super::ServerBuilder::trusted_proxies).
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = Some(secure);
        self
    }

    /// When browsers send the cookie along with requests that another site has caused; `None` leaves it
    /// to them. Default: [`SameSite::Lax`].
    pub fn same_site(mut self, same_site: Option<SameSite>) -> Self {
        self.same_site = same_site;
        self
    }

    /// What contradicts itself, if something does.
    pub(super) fn conflict(&self) -> Option<&'static str> {
        let attributes = [&self.path, &self.domain];
        if self.name.is_empty() || !self.name.bytes().all(is_token) {
            Some("the cookie's name must be of the characters of a token")
        } else if attributes.into_iter().flatten().any(|value| !value.bytes().all(is_attribute)) {
            Some("the cookie's path and domain must not have control characters or semicolons")
        } else if self.secure == Some(false) && self.same_site == Some(SameSite::None) {
            Some("a cookie for all sites must be secure")
        } else {
            None
        }
    }

    /// The header that sets it, for a client that came over TLS or not.
    pub(super) fn header(&self, sid: &SessionId, https: bool) -> HeaderValue {
        let mut text = format!("{}={sid}", self.name);
        let mut add = |attribute: std::fmt::Arguments<'_>| {
            let _ = write!(text, "; {attribute}");
        };
        if let Some(age) = self.max_age {
            add(format_args!("Max-Age={}", age.as_secs()));
        }
        if let Some(domain) = &self.domain {
            add(format_args!("Domain={domain}"));
        }
        if let Some(path) = &self.path {
            add(format_args!("Path={path}"));
        }
        if self.http_only {
            add(format_args!("HttpOnly"));
        }
        if self.secure.unwrap_or(https) || self.same_site == Some(SameSite::None) {
            add(format_args!("Secure"));
        }
        match self.same_site {
            Some(SameSite::Strict) => add(format_args!("SameSite=Strict")),
            Some(SameSite::Lax) => add(format_args!("SameSite=Lax")),
            Some(SameSite::None) => add(format_args!("SameSite=None")),
            None => {}
        }
        HeaderValue::from_str(&text).expect("conflict() has checked the parts")
    }
}

/// RFC 9110, § 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 6265, § 4.1.1, `av-octet`.
fn is_attribute(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b';'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_header(cookie: Cookie, expected: &str) {
        let sid = SessionId::new("abc").unwrap();
        assert_eq!(cookie.conflict(), None);
        assert_eq!(cookie.header(&sid, false), expected);
    }

    /// The cases of the Node server's own tests.
    #[test]
    fn as_the_node_server() {
        assert_header(Cookie::new("io"), "io=abc; Path=/; HttpOnly; SameSite=Lax");
        assert_header(Cookie::new("woot"), "woot=abc; Path=/; HttpOnly; SameSite=Lax");
        let custom = Cookie::new("io").path(Some("/custom"));
        assert_header(custom, "io=abc; Path=/custom; HttpOnly; SameSite=Lax");
        assert_header(Cookie::new("io").path(None), "io=abc; HttpOnly; SameSite=Lax");
        assert_header(Cookie::new("io").http_only(false), "io=abc; Path=/; SameSite=Lax");
        let strict = Cookie::new("io").same_site(Some(SameSite::Strict));
        assert_header(strict, "io=abc; Path=/; HttpOnly; SameSite=Strict");
        assert_header(Cookie::new("io").same_site(None), "io=abc; Path=/; HttpOnly");
    }

    #[test]
    fn attributes_stand_in_the_order_of_other_servers() {
        let all = Cookie::new("io").max_age(Duration::from_secs(60)).domain("example.com");
        let all = all.same_site(Some(SameSite::None));
        let expected =
            "io=abc; Max-Age=60; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=None";
        assert_header(all, expected);
    }

    #[test]
    fn over_tls_it_is_secure_unless_it_must_not_be() {
        let sid = SessionId::new("abc").unwrap();
        let secure = |cookie: Cookie, https| {
            cookie.header(&sid, https).to_str().unwrap().contains("; Secure")
        };
        assert!(secure(Cookie::new("io"), true));
        assert!(!secure(Cookie::new("io"), false));
        assert!(!secure(Cookie::new("io").secure(false), true));
        assert!(secure(Cookie::new("io").secure(true), false));
    }

    #[test]
    fn what_would_break_the_header_is_refused() {
        for cookie in [
            Cookie::new(""),
            Cookie::new("a b"),
            Cookie::new("a=b"),
            Cookie::new("io").path(Some("/; Domain=evil.example")),
            Cookie::new("io").domain("a\r\nb"),
            Cookie::new("io").secure(false).same_site(Some(SameSite::None)),
        ] {
            assert!(cookie.conflict().is_some(), "{cookie:?}");
        }
    }
}
