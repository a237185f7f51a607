//! The addresses of a session's requests.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use heartwire_proto::engineio::{SessionId, Transport, VERSION};
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::Url;

use super::error::{ConnectError, ConnectErrorKind};

/// The address of a server's endpoint.
#[derive(Clone, Debug)]
pub(super) struct Address {
    url: Url,
    /// The name of the parameter that is never the same.
    timestamp: Cow<'static, str>,
}

impl Address {
    /// Reads a server's address; its path is replaced by `path`, and `query` added to its query.
    pub(super) fn new(
        url: &str,
        path: &str,
        query: &[(String, String)],
    ) -> Result<Self, ConnectError> {
        let invalid = |message| ConnectError::new(ConnectErrorKind::InvalidUrl, message);
        let parsed = Url::parse(url).map_err(|error| {
            ConnectError::with_source(
                ConnectErrorKind::InvalidUrl,
                format!("{url:?} is not a URL"),
                error,
            )
        })?;
        let scheme = web_scheme(parsed.scheme()).ok_or_else(|| {
            invalid(format!("URL scheme {:?}, expected http, https, ws or wss", parsed.scheme()))
        })?;
        // `Url` does not change between the schemes of the web and others, so the text is changed.
        let (_, rest) = url.split_once(':').ok_or_else(|| invalid(format!("{url:?} is no URL")))?;
        let mut url = Url::parse(&format!("{scheme}:{rest}"))
            .map_err(|error| invalid(format!("{url:?} is not a URL: {error}")))?;
        url.set_path(&format!("/{}/", path.trim_matches('/')));
        url.set_fragment(None);
        for (key, value) in query {
            url.query_pairs_mut().append_pair(key, value);
        }
        let address = Self { url, timestamp: Cow::Borrowed(TIMESTAMP) };
        // What the one library takes for an address, the other has to take, too.
        uri(&address.of(Transport::Polling, None, None, &[])).map_err(invalid)?;
        Ok(address)
    }

    /// The same without a slash at the end of its path.
    pub(super) fn without_slash(mut self) -> Self {
        let path = self.url.path().trim_end_matches('/').to_owned();
        self.url.set_path(&path);
        self
    }

    /// The same with another name for the parameter that is never the same.
    pub(super) fn with_timestamp(self, name: Cow<'static, str>) -> Self {
        Self { timestamp: name, ..self }
    }

    /// The address of a request.
    pub(super) fn of(
        &self,
        transport: Transport,
        sid: Option<&SessionId>,
        timestamp: Option<&str>,
        more: &[(String, String)],
    ) -> Url {
        let mut url = self.url.clone();
        let _ = url.set_password(None);
        let _ = url.set_username("");
        let mut query = url.query_pairs_mut();
        query.append_pair("transport", transport.name()).append_pair("EIO", VERSION);
        if let Some(sid) = sid {
            query.append_pair("sid", sid.as_str());
        }
        if let Some(timestamp) = timestamp {
            query.append_pair(&self.timestamp, timestamp);
        }
        for (key, value) in more {
            query.append_pair(key, value);
        }
        drop(query);
        url
    }

    /// Where the answer to a request for `url` sends the client, without what requests add themselves.
    pub(super) fn redirected(&self, url: &Url, location: &str) -> Result<Self, &'static str> {
        let mut to = url.join(location).map_err(|_| "that is no address")?;
        if let Some(scheme) = web_scheme(to.scheme())
            && scheme != to.scheme()
        {
            let text = to.as_str().replacen(to.scheme(), scheme, 1);
            to = Url::parse(&text).map_err(|_| "that is no address")?;
        }
        match (url.scheme(), to.scheme()) {
            (_, "https") | ("http", "http") => {}
            ("https", "http") => return Err("that is not encrypted, and this was"),
            _ => return Err("that is not on the web"),
        }
        if to.host_str().is_some_and(|host| host.len() > MAX_HOST_BYTES) {
            return Err("no host has so long a name");
        }
        let kept: Vec<(String, String)> = to
            .query_pairs()
            .filter(|(key, _)| !OWN_PARAMETERS.contains(&&**key) && **key != self.timestamp)
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        to.set_query(None);
        if !kept.is_empty() {
            to.query_pairs_mut().extend_pairs(kept);
        }
        to.set_fragment(None);
        uri(&to).map_err(|_| "that is no address")?;
        Ok(Self { url: to, timestamp: self.timestamp.clone() })
    }

    /// Whose server it is: cookies and secrets are for this one alone.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Whether secrets for the server at `other` may be told to this one: it is the same, or the same by
    /// TLS now.
    pub(super) fn may_know_secrets_of(&self, other: &Self) -> bool {
        let usual = |url: &Url| url.port().is_none();
        self.origin() == other.origin()
            || self.url.host_str() == other.url.host_str()
                && (other.url.scheme(), self.url.scheme()) == ("http", "https")
                && usual(&self.url)
                && usual(&other.url)
    }

    /// The user and the password in the address, for the `Authorization` header.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        if self.url.username().is_empty() && self.url.password().is_none() {
            return None;
        }
        let decode = |text| percent_decode_str(text).decode_utf8_lossy();
        let (user, password) = (self.url.username(), self.url.password().unwrap_or_default());
        let pair = STANDARD.encode(format!("{}:{}", decode(user), decode(password)));
        let mut value = HeaderValue::try_from(format!("Basic {pair}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The server, as a person would name it: without query, which may carry secrets.
    pub(super) fn display(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.into()
    }
}

/// Bytes of a host's name (RFC 1035, § 2.3.4).
const MAX_HOST_BYTES: usize = 255;

/// The scheme for requests of those that name a server on the web.
fn web_scheme(scheme: &str) -> Option<&'static str> {
    match scheme {
        "http" | "ws" => Some("http"),
        "https" | "wss" => Some("https"),
        _ => None,
    }
}

/// The address as the HTTP library wants it.
pub(super) fn uri(url: &Url) -> Result<Uri, String> {
    url.as_str().parse().map_err(|error| format!("{:?} cannot be requested: {error}", url.as_str()))
}

/// What requests add to an address.
const OWN_PARAMETERS: [&str; 3] = ["EIO", "transport", "sid"];

/// What the Node client calls the parameter that is never the same.
pub(super) const TIMESTAMP: &str = "t";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_requests() {
        check("http://localhost:5000", "http://localhost:5000/engine.io/?transport=polling&EIO=4");
        check("ws://localhost:5000/", "http://localhost:5000/engine.io/?transport=polling&EIO=4");
        check("wss://a.example/other/path", "https://a.example/engine.io/?transport=polling&EIO=4");
        check(
            "https://a.example?token=x%20y#part",
            "https://a.example/engine.io/?token=x%20y&transport=polling&EIO=4",
        );
        check("http://[::1]:3000", "http://[::1]:3000/engine.io/?transport=polling&EIO=4");
        check("http://host:80", "http://host/engine.io/?transport=polling&EIO=4");
    }

    #[test]
    fn what_is_no_address() {
        for url in ["", "localhost:5000", "ftp://localhost", "http://", "not a url", "http://a b"] {
            let error = Address::new(url, "engine.io", &[]).expect_err(url);
            assert_eq!(*error.kind(), ConnectErrorKind::InvalidUrl, "{url}");
        }
    }

    #[test]
    fn redirects() {
        redirect(
            "https://b.example/other/?x=1&EIO=4&transport=polling&t=5",
            "https://b.example/other/?x=1",
        );
        redirect("/moved?EIO=4&sid=abc", "http://a.example/moved");
        redirect("//c.example:8080/engine.io/#part", "http://c.example:8080/engine.io/");
        redirect("wss://a.example/engine.io/", "https://a.example/engine.io/");
        for location in ["ftp://a.example/", "data:,x", "http://"] {
            assert!(from("http").redirected(&request("http"), location).is_err(), "{location}");
        }
        let long = format!("http://{}/", "x".repeat(256));
        let refused = from("http").redirected(&request("http"), &long);
        assert_eq!(refused.unwrap_err(), "no host has so long a name");
        let downgrade = from("https").redirected(&request("https"), "http://a.example/engine.io/");
        assert_eq!(downgrade.unwrap_err(), "that is not encrypted, and this was");
    }

    #[test]
    fn secrets_stay_with_their_server() {
        let server = |url| Address::new(url, "engine.io", &[]).unwrap();
        let same = |a, b| server(b).may_know_secrets_of(&server(a));
        assert!(same("http://a.example", "http://a.example/?x=1"));
        assert!(same("http://a.example", "https://a.example"), "the same, by TLS now");
        assert!(!same("http://a.example", "http://b.example"));
        assert!(!same("http://a.example", "http://a.example:8080"));
        assert!(!same("http://a.example:8080", "https://a.example"));
        assert!(!same("https://a.example", "http://a.example"));
    }

    #[test]
    fn users_and_passwords() {
        // RFC 7617, § 2.
        let address = Address::new("http://Aladdin:open%20sesame@a.example", "x", &[]).unwrap();
        let expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(address.authorization().unwrap(), expected);
        assert_eq!(address.of(Transport::Polling, None, None, &[]).username(), "");
        assert!(!address.display().contains("sesame"));
        assert_eq!(from("http").authorization(), None);
    }

    fn from(scheme: &str) -> Address {
        Address::new(&format!("{scheme}://a.example"), "engine.io", &[]).unwrap()
    }

    fn request(scheme: &str) -> Url {
        from(scheme).of(Transport::Polling, None, Some("now"), &[])
    }

    #[track_caller]
    fn redirect(location: &str, expected: &str) {
        let to = from("http").redirected(&request("http"), location).unwrap();
        assert_eq!(to.url.as_str(), expected);
    }

    #[track_caller]
    fn check(url: &str, expected: &str) {
        let address = Address::new(url, "/engine.io", &[]).unwrap();
        assert_eq!(address.of(Transport::Polling, None, None, &[]).as_str(), expected);
    }

    #[test]
    fn paths_and_names_can_be_those_of_other_servers() {
        let address = |path| Address::new("http://a.example", path, &[]).unwrap();
        let url = address("engine.io").without_slash().with_timestamp(Cow::Borrowed("at"));
        assert_eq!(
            url.of(Transport::Polling, None, Some("now"), &[]).as_str(),
            "http://a.example/engine.io?transport=polling&EIO=4&at=now"
        );
        let moved = url.redirected(&url.url, "/moved?at=now&t=mine").unwrap();
        assert_eq!(moved.url.as_str(), "http://a.example/moved?t=mine");
        let root = address("/").without_slash().of(Transport::Polling, None, None, &[]);
        assert_eq!(root.path(), "/");
    }

    #[test]
    fn queries_are_escaped() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let address =
            Address::new("http://a.example?x=1", "engine.io", &[pair("to&ken", "a b\r\n")])
                .unwrap();
        let url = address.of(Transport::WebSocket, None, Some("now"), &[pair("y", "#")]);
        let expected = "x=1&to%26ken=a+b%0D%0A&transport=websocket&EIO=4&t=now&y=%23";
        assert_eq!(url.query(), Some(expected));
    }
}
