//! Cookies that a server has set: load balancers recognise a session's requests by them.
//!
//! Source: RFC 6265. Only one server is spoken to, so domain and path do not matter.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use cookie::{Cookie, Expiration};
use http::header::{self, HeaderMap, HeaderValue};
use url::{Position, Url};

/// The cookies of a client, for who wants to know them or has some already. Clones are the same jar.
#[derive(Clone, Debug, Default)]
pub struct CookieJar(Arc<Mutex<HashMap<String, Cookies>>>);

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the server at `url` sent a cookie, until it sets another value. Says whether there is a
    /// server in the URL.
    pub fn add(&self, url: &str, name: impl Into<String>, value: impl Into<String>) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        if !url.has_host() {
            return false;
        }
        let entry = Entry { value: value.into(), expires: None };
        self.lock().entry(origin(&url)).or_default().kept.insert(name.into(), entry);
        true
    }

    /// What servers have set since this was called last: the address of the request, and the cookie as it
    /// stood in the answer, the last one of each name.
    pub fn take_received(&self) -> Vec<(String, String)> {
        let mut jar = self.lock();
        jar.values_mut()
            .flat_map(|cookies| mem::take(&mut cookies.received).into_values())
            .collect()
    }

    /// Takes the cookies of an answer, which has some.
    pub(super) fn take(&self, url: &Url, answer: &HeaderMap) {
        let (mut jar, origin) = (self.lock(), origin(url));
        // A server that redirects to ever new ones must not fill the jar.
        if jar.len() < MAX_SERVERS || jar.contains_key(&origin) {
            jar.entry(origin).or_default().take(url, answer);
        }
    }

    /// Adds the cookies of a server to a request, beside those that it has.
    pub(super) fn give(&self, origin: &str, request: &mut HeaderMap) {
        if let Some(cookies) = self.lock().get_mut(origin) {
            cookies.give(request);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Cookies>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server of a URL. A WebSocket's is that of the requests.
fn origin(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    match origin.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => origin,
    }
}

/// Cookies of one server, by name.
#[derive(Debug, Default)]
struct Cookies {
    kept: BTreeMap<String, Entry>,
    /// What has come and was not asked for: where from, and the text.
    received: BTreeMap<String, (String, String)>,
}

#[derive(Debug)]
struct Entry {
    value: String,
    expires: Option<Instant>,
}

impl Cookies {
    fn take(&mut self, url: &Url, answer: &HeaderMap) {
        let now = Instant::now();
        for value in answer.get_all(header::SET_COOKIE) {
            let Some(text) = value.to_str().ok() else { continue };
            let Ok(cookie) = Cookie::parse(text) else { continue };
            let name = cookie.name().to_owned();
            if self.received.len() >= MAX_COOKIES && !self.received.contains_key(&name) {
                continue;
            }
            let place = url[..Position::AfterPath].to_owned();
            self.received.insert(name.clone(), (place, text.to_owned()));
            let value = cookie.value().to_owned();
            let expires = match lifetime(&cookie) {
                Lifetime::Over => {
                    self.kept.remove(&name);
                    continue;
                }
                Lifetime::Session => None,
                Lifetime::For(time) => now.checked_add(time),
            };
            if self.kept.len() < MAX_COOKIES || self.kept.contains_key(&name) {
                self.kept.insert(name, Entry { value, expires });
            }
        }
    }

    fn give(&mut self, request: &mut HeaderMap) {
        let now = Instant::now();
        self.kept.retain(|_, entry| entry.expires.is_none_or(|expires| expires > now));
        if self.kept.is_empty() {
            return;
        }
        let own = request.get(header::COOKIE).and_then(|cookies| cookies.to_str().ok());
        let kept = self.kept.iter().map(|(name, entry)| format!("{name}={}", entry.value));
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

/// Cookies that a server may have. RFC 6265, § 6.1, wants 50 at least.
const MAX_COOKIES: usize = 180;

/// Servers whose cookies are kept: the one that is meant, and those that it redirects to.
const MAX_SERVERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "http://localhost:5000";

    #[test]
    fn ever_new_servers_do_not_fill_the_jar() {
        let jar = CookieJar::new();
        answer(&jar, &["a=1"]);
        let mut cookies = HeaderMap::new();
        cookies.insert(header::SET_COOKIE, HeaderValue::from_static("b=2"));
        for number in 0..1000 {
            jar.take(&Url::parse(&format!("http://host{number}/")).unwrap(), &cookies);
        }
        assert_eq!(jar.take_received().len(), 32);
        answer(&jar, &["a=3"]);
        assert_eq!(given(&jar, None), "a=3");
    }

    #[test]
    fn kept_replaced_and_expired() {
        let jar = CookieJar::new();
        answer(&jar, &["a=1; Path=/; HttpOnly", "b=2; Max-Age=1000", "c=3; max-age=0"]);
        assert_eq!(given(&jar, None), "a=1; b=2");
        answer(&jar, &["a=5", "b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "nonsense"]);
        assert_eq!(given(&jar, None), "a=5");
        assert_eq!(given(&jar, Some("own=x")), "own=x; a=5");
        answer(&jar, &["a=6; Max-Age=-1"]);
        assert_eq!(given(&jar, Some("own=x")), "own=x");
        assert_eq!(given(&jar, None), "");
    }

    #[test]
    fn added_and_replaced_by_the_server() {
        let jar = CookieJar::new();
        assert!(jar.add("ws://localhost:5000/chat", "a", "1"));
        assert!(jar.add("http://elsewhere", "b", "2"));
        assert!(!jar.add("mailto:somebody", "c", "3"));
        assert!(!jar.add("nonsense", "c", "3"));
        assert_eq!(given(&jar, None), "a=1");
        answer(&jar, &["a=2"]);
        assert_eq!(given(&jar, None), "a=2");
    }

    #[test]
    fn told_once() {
        let jar = CookieJar::new();
        assert!(jar.add(SERVER, "own", "x"));
        answer(&jar, &["a=1; Path=/", "b=2; Max-Age=0"]);
        answer(&jar, &["a=3"]);
        let place = format!("{SERVER}/engine.io/");
        let told = |text: &str| (place.clone(), text.to_owned());
        assert_eq!(jar.take_received(), [told("a=3"), told("b=2; Max-Age=0")]);
        assert_eq!(jar.take_received(), []);
    }

    #[test]
    fn a_server_cannot_set_more_than_there_is_room_for() {
        let jar = CookieJar::new();
        for number in 0..2 * MAX_COOKIES {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::try_from(format!("{number}=x")).unwrap();
            headers.append(header::SET_COOKIE, value);
            jar.take(&url(), &headers);
        }
        assert_eq!(given(&jar, None).split("; ").count(), MAX_COOKIES);
        assert_eq!(jar.take_received().len(), MAX_COOKIES);
    }

    fn url() -> Url {
        Url::parse(&format!("{SERVER}/engine.io/?sid=x")).unwrap()
    }

    fn answer(jar: &CookieJar, lines: &[&'static str]) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::SET_COOKIE, HeaderValue::from_static(line));
        }
        jar.take(&url(), &headers);
    }

    fn given(jar: &CookieJar, own: Option<&'static str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(own) = own {
            headers.insert(header::COOKIE, HeaderValue::from_static(own));
        }
        jar.give(SERVER, &mut headers);
        headers.get(header::COOKIE).map_or("", |value| value.to_str().unwrap()).to_owned()
    }
}
