//! Requests on a connection, read as RFC 9112 has them and no other way.

/// A request.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) method: String,
    /// Everything behind the `?`.
    pub(super) query: String,
    pub(super) body: Body,
    /// It is to be answered with an error, though it is clear where it ends.
    pub(super) is_bad: bool,
    /// It may be answered as it is, and the connection has to end behind it.
    is_last: bool,
}

/// The body of a request.
#[derive(Debug)]
pub(super) enum Body {
    Whole(Vec<u8>),
    /// It is whole, and of what is behind its last chunk nobody can say where it ends.
    Frayed(Vec<u8>),
    /// The connection ended before it did.
    Cut(Vec<u8>),
    /// The head can be read in more than one way, or in none. What follows is not read.
    Unclear(&'static str),
    /// The same of the body, behind a head that is clear.
    Garbled(&'static str),
}

/// Every request up to the first that is unclear, incomplete or the last.
pub(super) fn requests(bytes: &[u8]) -> Vec<Read> {
    let (mut requests, mut rest) = (vec![], bytes);
    while let Some((read, behind)) = request(rest) {
        let goes_on = matches!(read.body, Body::Whole(_)) && !read.is_last;
        requests.push(read);
        if !goes_on {
            break;
        }
        rest = behind;
    }
    requests
}

/// The next request, and what is behind it.
fn request(bytes: &[u8]) -> Option<(Read, &[u8])> {
    let mut rest = bytes;
    // § 2.2: empty lines in front of a request are ignored.
    let first = loop {
        match line(&mut rest)? {
            b"" => {}
            first => break first,
        }
    };
    let mut read = Read {
        method: String::new(),
        query: String::new(),
        body: Body::Unclear("request line"),
        is_bad: false,
        is_last: false,
    };
    let mut headers = vec![];
    loop {
        match line(&mut rest)? {
            b"" => break,
            header => headers.push(header),
        }
    }
    let words: Vec<_> = first.split(|&byte| byte == b' ').collect();
    let [method, target, version @ (b"HTTP/1.1" | b"HTTP/1.0")] = words[..] else {
        return Some((read, rest));
    };
    let target = target.split(|&byte| byte == b'#').next()?;
    let query = target.splitn(2, |&byte| byte == b'?').nth(1).unwrap_or_default();
    read.method = String::from_utf8_lossy(method).into_owned();
    read.query = String::from_utf8_lossy(query).into_owned();
    let is_1_1 = version == b"HTTP/1.1";
    let is_host =
        |header: &&&[u8]| header.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:"));
    // § 3.2.
    read.is_bad = is_1_1 && headers.iter().filter(is_host).count() != 1;
    read.body = match framing(&headers, is_1_1) {
        Err(why) => Body::Unclear(why),
        Ok(Framing::Length(length)) => match rest.split_at_checked(length) {
            Some((body, behind)) => {
                rest = behind;
                Body::Whole(body.to_vec())
            }
            None => Body::Cut(rest.to_vec()),
        },
        Ok(Framing::Chunks { length_too }) => {
            read.is_last = length_too;
            chunks(&mut rest)
        }
    };
    Some((read, rest))
}

enum Framing {
    Length(usize),
    /// Whatever length is told as well (§ 6.3).
    Chunks {
        length_too: bool,
    },
}

/// §§ 5, 6.1 and 6.2: how long the body is.
fn framing(headers: &[&[u8]], is_1_1: bool) -> Result<Framing, &'static str> {
    let (mut codings, mut lengths) = (vec![], vec![]);
    for header in headers {
        let colon = header.iter().position(|&byte| byte == b':').ok_or("a line without a colon")?;
        let (name, value) = (&header[..colon], header[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(is_token) {
            return Err("a name that is no token");
        }
        match &*name.to_ascii_lowercase() {
            b"transfer-encoding" => codings.push(value),
            b"content-length" => lengths.push(value),
            _ => {}
        }
    }
    match (&codings[..], &lengths[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [first, others @ ..]) => {
            let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
            if !is_number || others.iter().any(|other| other != first) {
                return Err("not one length");
            }
            let length = str::from_utf8(first).map_err(|_| "no number")?;
            length.parse().map(Framing::Length).map_err(|_| "a length beyond numbers")
        }
        ([coding], lengths) if is_1_1 && coding.eq_ignore_ascii_case(b"chunked") => {
            Ok(Framing::Chunks { length_too: !lengths.is_empty() })
        }
        _ => Err("transfer codings"),
    }
}

/// § 7.1: chunks, the last of which is empty, and lines behind them.
fn chunks(rest: &mut &[u8]) -> Body {
    let mut body = vec![];
    loop {
        let Some(size) = line(rest) else { return Body::Cut(body) };
        let size = size.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        let digits = str::from_utf8(size).ok().filter(|text| !text.starts_with('+'));
        let Some(size) = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()) else {
            return Body::Garbled("a chunk's size");
        };
        if size == 0 {
            return trailers(rest, body);
        }
        let Some((chunk, behind)) = rest.split_at_checked(size) else {
            body.extend_from_slice(rest);
            return Body::Cut(body);
        };
        body.extend_from_slice(chunk);
        *rest = behind;
        match line(rest) {
            None => return Body::Cut(body),
            Some(b"") => {}
            Some(_) => return Body::Garbled("a chunk that is longer than it says"),
        }
    }
}

/// § 7.1.2: lines behind the last chunk, up to an empty one. By the grammar they end with CRLF; § 2.2 lets
/// whoever reads them take LF alone for an end, and whoever does not is as right, as hyper is: there, a
/// line goes on. Nothing is said of what is behind such a line.
fn trailers(rest: &mut &[u8], body: Vec<u8>) -> Body {
    loop {
        let start = *rest;
        let Some(line) = line(rest) else { return Body::Cut(body) };
        if !start[line.len()..].starts_with(b"\r\n") {
            return Body::Frayed(body);
        }
        if line.is_empty() {
            return Body::Whole(body);
        }
    }
}

/// The next line, without its end: § 2.2 lets a line end with LF alone.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    let line = &rest[..end];
    *rest = &rest[end + 1..];
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// RFC 9110, § 5.6.2.
fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}
