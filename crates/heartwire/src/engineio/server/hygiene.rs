//! What HTTP asks of every request, and hyper leaves to the service: where two servers in a row could
//! see different requests, there is none.
//!
//! Source: RFC 9112, §§ 3.2 and 6.1.

use heartwire_proto::engineio::Refusal;
use http::header;
use http::{HeaderMap, Version};

/// Checks a request, whatever it wants: where one is refused, the connection ends with the answer.
///
/// # Errors
///
/// It says not exactly once which host it is for, or its body is coded in a way that nobody here can
/// undo.
pub(super) fn check(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    // Older versions need no host, newer ones have other ways to name it.
    if version == Version::HTTP_11 && count(headers, &header::HOST) != 1 {
        return Err(Refusal::MalformedRequest);
    }
    let codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    for (position, coding) in codings.enumerate() {
        if position > 0 || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::UnsupportedTransferCoding);
        }
    }
    Ok(())
}

fn count(headers: &HeaderMap, name: &header::HeaderName) -> usize {
    headers.get_all(name).iter().count()
}
