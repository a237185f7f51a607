//! Cookies that a server has set: load balancers recognise a session's requests by them.
//!
//! Source: RFC 6265. Only one server is spoken to, so domain and path do not matter.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use cookie::{Cookie, Expiration};
use http::header::{self, HeaderMap, HeaderValue};

/// Cookies by name.
#[derive(Debug, Default)]
pub(super) struct Cookies(BTreeMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    value: String,
    expires: Option<Instant>,
}

impl Cookies {
    /// Takes the cookies of an answer.
    pub(super) fn take(&mut self, answer: &HeaderMap) {
        let now = Instant::now();
        for value in answer.get_all(header::SET_COOKIE) {
            let Some(cookie) = value.to_str().ok().and_then(|text| Cookie::parse(text).ok()) else {
                continue;
            };
            let name = cookie.name().to_owned();
            match lifetime(&cookie) {
                Lifetime::Over => {
                    self.0.remove(&name);
                }
                Lifetime::Session => {
                    let value = cookie.value().to_owned();
                    self.0.insert(name, Entry { value, expires: None });
                }
                Lifetime::For(time) => {
                    let value = cookie.value().to_owned();
                    self.0.insert(name, Entry { value, expires: now.checked_add(time) });
                }
            }
        }
    }

    /// Adds the cookies to a request, beside those that it has.
    pub(super) fn give(&mut self, request: &mut HeaderMap) {
        let now = Instant::now();
        self.0.retain(|_, entry| entry.expires.is_none_or(|expires| expires > now));
        if self.0.is_empty() {
            return;
        }
        let own = request.get(header::COOKIE).and_then(|cookies| cookies.to_str().ok());
        let kept = self.0.iter().map(|(name, entry)| format!("{name}={}", entry.value));
        let all: Vec<_> = own.map(str::to_owned).into_iter().chain(kept).collect();
        if let Ok(value) = HeaderValue::from_str(&all.join("; ")) {
            request.insert(header::COOKIE, value);
        }
    }
}

enum Lifetime {
    Over,
    Session,
    For(Duration),
}

fn lifetime(cookie: &Cookie<'_>) -> Lifetime {
    // `Max-Age` wins over `Expires` (RFC 6265, § 5.3).
    let left = match (cookie.max_age(), cookie.expires()) {
        (Some(age), _) => Duration::try_from(age).ok(),
        (None, Some(Expiration::DateTime(at))) => {
            SystemTime::from(at).duration_since(SystemTime::now()).ok()
        }
        (None, Some(Expiration::Session) | None) => return Lifetime::Session,
    };
    match left {
        Some(left) if !left.is_zero() => Lifetime::For(left),
        _ => Lifetime::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_replaced_and_expired() {
        let mut cookies = Cookies::default();
        answer(&mut cookies, &["a=1; Path=/; HttpOnly", "b=2; Max-Age=1000", "c=3; max-age=0"]);
        assert_eq!(given(&mut cookies, None), "a=1; b=2");
        answer(&mut cookies, &["a=5", "b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "nonsense"]);
        assert_eq!(given(&mut cookies, None), "a=5");
        assert_eq!(given(&mut cookies, Some("own=x")), "own=x; a=5");
        answer(&mut cookies, &["a=6; Max-Age=-1"]);
        assert_eq!(given(&mut cookies, Some("own=x")), "own=x");
        assert_eq!(given(&mut cookies, None), "");
    }

    fn answer(cookies: &mut Cookies, lines: &[&'static str]) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::SET_COOKIE, HeaderValue::from_static(line));
        }
        cookies.take(&headers);
    }

    fn given(cookies: &mut Cookies, own: Option<&'static str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(own) = own {
            headers.insert(header::COOKIE, HeaderValue::from_static(own));
        }
        cookies.give(&mut headers);
        headers.get(header::COOKIE).map_or("", |value| value.to_str().unwrap()).to_owned()
    }
}
