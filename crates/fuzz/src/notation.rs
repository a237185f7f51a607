//! Bytes as a line of text that people can read and change: ASCII as it is, the rest escaped as in a
//! byte string of Rust.

use std::fmt;

/// Writes bytes as a line.
pub fn escape(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| match byte {
            // Quotes stay as they are, but for the one that shells end their strings with.
            b'"' => "\"".to_owned(),
            b'\'' => "\\x27".to_owned(),
            // A line may begin with a comment, and its ends may be trimmed.
            b'#' => "\\x23".to_owned(),
            b' ' => "\\x20".to_owned(),
            byte => byte.escape_ascii().to_string(),
        })
        .collect()
}

/// Reads what [`escape`] has written.
///
/// # Errors
///
/// There is something else behind a backslash than an escape.
pub fn unescape(line: &str) -> Result<Vec<u8>, InvalidNotation> {
    let mut bytes = vec![];
    let mut rest = line.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let (&kind, behind) = rest.split_first().ok_or(InvalidNotation)?;
        rest = behind;
        bytes.push(match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' | b'"' | b'\'' => kind,
            b'x' => {
                let (digits, behind) = rest.split_first_chunk::<2>().ok_or(InvalidNotation)?;
                rest = behind;
                let digits = str::from_utf8(digits).map_err(|_| InvalidNotation)?;
                u8::from_str_radix(digits, 16).map_err(|_| InvalidNotation)?
            }
            _ => return Err(InvalidNotation),
        });
    }
    Ok(bytes)
}

/// A line with a backslash that is no escape.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidNotation;

impl fmt::Display for InvalidNotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            r#"a backslash that no escape follows: \n, \r, \t, \\, \", \' or \x and two digits"#,
        )
    }
}

impl std::error::Error for InvalidNotation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        let line = escape(&bytes);
        assert!(line.bytes().all(|byte| byte.is_ascii_graphic()), "{line}");
        assert_eq!(unescape(&line), Ok(bytes));
        assert_eq!(escape(b"4a\x1eb#\n"), r"4a\x1eb\x23\n");
        assert_eq!(unescape("4 # é"), Ok("4 # é".into()));
        for bad in ["\\", "\\x", "\\x1", "\\xé", "\\q"] {
            assert_eq!(unescape(bad), Err(InvalidNotation), "{bad}");
        }
    }
}
