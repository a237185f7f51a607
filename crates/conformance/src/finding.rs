//! What a case finds when not everything is right.

/// Why a case does not pass.
#[derive(Debug)]
pub(crate) enum Finding {
    /// The server does something else than it should.
    Fail { expected: String, got: String },
    /// The case says nothing about this server.
    Skip(String),
}

/// The result of a step of a case.
pub(crate) type Verdict<T = ()> = Result<T, Finding>;

/// Something else came than it should.
pub(crate) fn fail<T>(expected: impl Into<String>, got: impl Into<String>) -> Verdict<T> {
    Err(Finding::Fail { expected: expected.into(), got: got.into() })
}

/// `actual` has to be `expected`.
pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, actual: T, expected: T) -> Verdict {
    if actual == expected {
        return Ok(());
    }
    fail(format!("{what} {expected:?}"), format!("{actual:?}"))
}

/// `holds` has to be true; otherwise `got` says what is the case instead.
pub(crate) fn ensure(holds: bool, expected: &str, got: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { fail(expected, got()) }
}

/// Bytes in words: printable, and not too many.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => start.escape_ascii().to_string(),
    };
    if start.len() < bytes.len() {
        format!("\"{text}…\" ({} bytes)", bytes.len())
    } else {
        format!("\"{text}\"")
    }
}

const SHOWN_BYTES: usize = 120;
