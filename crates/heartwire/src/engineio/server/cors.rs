//! What browsers want to be told before they let a page of another origin use the server.
//!
//! Source: Fetch Standard, § CORS protocol.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

/// Which pages of other origins may use the server, and how.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    credentials: bool,
    methods: String,
    allowed_headers: Option<String>,
    exposed_headers: Option<String>,
    max_age: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Origins {
    Any,
    Listed(Vec<String>),
    Matching(Check),
}

/// What tells whether pages of an origin may use the server.
#[derive(Clone)]
struct Check(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Cors {
    /// Pages of any origin, without cookies.
    pub fn any() -> Self {
        Self::new(Origins::Any)
    }

    /// Pages of these origins: scheme, host, and the port unless it is the scheme's own, as in
    /// `https://example.com` or `http://localhost:3000`.
    pub fn origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self::new(Origins::Listed(origins.into_iter().map(Into::into).collect()))
    }

    /// Pages for whose origin the function returns true.
    pub fn matching(allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Origins::Matching(Check(Arc::new(allows))))
    }

    fn new(origins: Origins) -> Self {
        Self {
            origins,
            credentials: false,
            methods: "GET,HEAD,PUT,PATCH,POST,DELETE".to_owned(),
            allowed_headers: None,
            exposed_headers: None,
            max_age: None,
        }
    }

    /// Whether pages may send cookies and other credentials along. Default: no.
    pub fn credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// Methods that a preflight request is told. Default: all that are common.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        let names: Vec<_> = methods.into_iter().map(|method| method.to_string()).collect();
        self.methods = names.join(",");
        self
    }

    /// Request headers that pages may set. Default: those that the preflight request asks for.
    pub fn allowed_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.allowed_headers = Some(joined(names));
        self
    }

    /// Response headers that pages may read. Default: those that every page may.
    pub fn exposed_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.exposed_headers = Some(joined(names));
        self
    }

    /// Time for which browsers may remember the answer to a preflight request. Default: theirs.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// What contradicts itself, if something does.
    pub(super) fn conflict(&self) -> Option<&'static str> {
        (self.credentials && matches!(self.origins, Origins::Any))
            .then_some("CORS with credentials needs a list of origins")
    }

    /// Whether pages of `origin` may use the server.
    pub(super) fn allows(&self, origin: &str) -> bool {
        match &self.origins {
            Origins::Any => true,
            Origins::Listed(origins) => origins.iter().any(|listed| listed == origin),
            Origins::Matching(check) => check.0(origin),
        }
    }

    /// Adds what every answer has to say.
    pub(super) fn decorate(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        match (&self.origins, origin) {
            (Origins::Any, _) => {
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            (Origins::Listed(_) | Origins::Matching(_), origin) => {
                answer.append(header::VARY, HeaderValue::from_static("Origin"));
                let Some(origin) = origin else { return };
                if !origin.to_str().is_ok_and(|origin| self.allows(origin)) {
                    return;
                }
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            }
        }
        if self.credentials {
            let value = HeaderValue::from_static("true");
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, value);
        }
        insert(answer, header::ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed_headers.as_deref());
    }

    /// Adds what the answer to a preflight request has to say, besides what every answer has.
    pub(super) fn decorate_preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        insert(answer, header::ACCESS_CONTROL_ALLOW_METHODS, Some(&self.methods));
        match &self.allowed_headers {
            Some(names) => insert(answer, header::ACCESS_CONTROL_ALLOW_HEADERS, Some(names)),
            None => {
                if let Some(asked) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                    answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
                    let vary = HeaderValue::from_static("Access-Control-Request-Headers");
                    answer.append(header::VARY, vary);
                }
            }
        }
        if let Some(age) = self.max_age {
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age.as_secs()));
        }
    }

    /// The status of the answer to a preflight request.
    pub(super) const PREFLIGHT: StatusCode = StatusCode::NO_CONTENT;
}

fn joined(names: impl IntoIterator<Item = HeaderName>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    names.join(",")
}

fn insert(answer: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        answer.insert(name, value);
    }
}
