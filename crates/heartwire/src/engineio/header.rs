//! HTTP headers as a whole.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

/// The value of a header, of all its lines (RFC 9110, § 5.3). What is no text becomes U+FFFD.
pub(super) fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut lines =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let mut value = lines.next()?;
    for line in lines {
        let value = value.to_mut();
        value.push_str(", ");
        value.push_str(&line);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_list() {
        let mut headers = HeaderMap::new();
        let name = http::header::CONNECTION;
        assert_eq!(joined(&headers, &name), None);
        headers.append(name.clone(), "keep-alive".parse().unwrap());
        assert_eq!(joined(&headers, &name).as_deref(), Some("keep-alive"));
        headers.append(name.clone(), "Upgrade".parse().unwrap());
        assert_eq!(joined(&headers, &name).as_deref(), Some("keep-alive, Upgrade"));
    }
}
