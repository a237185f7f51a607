//! What answers say besides: for browsers, for the application, and for whoever wants them compressed.

use std::mem;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response};

#[cfg(feature = "http-compression")]
use super::compression::Encoding;
use super::engine::Engine;
use super::head::{Purpose, RequestHead};
use super::hooks::HeaderHook;
use super::response::ResponseBody;
use crate::callback::guard;

/// What an answer says besides. It is made with the request, whose headers need not be kept then.
pub(super) struct Decoration {
    engine: Arc<Engine>,
    origin: Option<HeaderValue>,
    headers: HeaderMap,
    #[cfg(feature = "http-compression")]
    encoding: Option<Encoding>,
}

impl Decoration {
    /// What the answer to a request says besides, if it says anything.
    pub(super) fn of(engine: &Arc<Engine>, parts: &mut Parts) -> Option<Box<Self>> {
        let options = &engine.options;
        #[cfg(feature = "http-compression")]
        let compresses = options.compression.is_some();
        #[cfg(not(feature = "http-compression"))]
        let compresses = false;
        let hook = &options.hooks.headers;
        if !compresses && options.cors.is_none() && options.headers.is_empty() && hook.is_none() {
            return None;
        }
        let origin = parts.headers.get(header::ORIGIN).cloned();
        #[cfg(feature = "http-compression")]
        let encoding = options.compression.and_then(|_| Encoding::negotiate(&parts.headers));
        let mut headers = options.headers.clone();
        if let Some(hook) = hook {
            let client = engine.origination(parts).client;
            let request = mem::replace(parts, Request::new(()).into_parts().0);
            let head = RequestHead::new(request, client, Purpose::Undecided);
            add_headers(hook, &head, &mut headers);
            *parts = head.into_parts();
        }
        let decoration = Self {
            engine: engine.clone(),
            origin,
            headers,
            #[cfg(feature = "http-compression")]
            encoding,
        };
        Some(Box::new(decoration))
    }

    pub(super) fn apply(self, response: &mut Response<ResponseBody>) {
        if let Some(cors) = &self.engine.options.cors {
            cors.decorate(self.origin.as_ref(), response.headers_mut());
        }
        #[cfg(feature = "http-compression")]
        if let Some(threshold) = self.engine.options.compression {
            response
                .headers_mut()
                .append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            if let Some(encoding) = self.encoding
                && response.body_mut().replace(threshold, |body| encoding.encode(body))
            {
                response.headers_mut().insert(header::CONTENT_ENCODING, encoding.header());
            }
        }
        append(response.headers_mut(), self.headers);
    }
}

/// Adds what the application wants said.
pub(super) fn add_headers(hook: &HeaderHook, head: &RequestHead, to: &mut HeaderMap) {
    let client = head.client_ip().map_or_else(|| "?".to_owned(), |addr| addr.to_string());
    let mut added = HeaderMap::new();
    if guard(client, "headers", || hook(head, &mut added)).is_some() {
        append(to, added);
    }
}

fn append(to: &mut HeaderMap, added: HeaderMap) {
    let mut last = None;
    for (name, value) in added {
        // Further values of a name come without it.
        let Some(name) = name.or_else(|| last.clone()) else { continue };
        last = Some(name.clone());
        to.append(name, value);
    }
}
