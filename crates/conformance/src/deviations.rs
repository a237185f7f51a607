//! What is known to be different at servers of others.

/// A case that a server does not pass, as is known.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// The id of the case.
    pub case: &'static str,
    /// What the server does instead.
    pub why: &'static str,
    /// Whether it does so each time; otherwise chance decides.
    pub always: bool,
}

/// The Node server, npm `engine.io` 6.6, as it comes.
pub const ENGINE_IO: &[Deviation] = &[
    always("refusal/path-below", "tests only how the path begins"),
    always("session/put", "answers 500"),
    always("session/delete", "answers 500"),
    always("session/patch", "answers 500"),
    always("session/head", "answers 500"),
    always("session/options", "answers 500"),
    always("session/upgrade-to-polling", "opens the WebSocket, then closes it"),
    always("session/second-websocket", "lets it probe, as if the session polled"),
    always("payload/base64-junk", "reads what it can of base64"),
    always("payload/base64-one-letter", "reads what it can of base64"),
    always("payload/no-packet", "answers ok, then ends the session"),
    always("payload/empty", "answers ok, then ends the session"),
    always("payload/no-body", "answers ok, then ends the session"),
    always("payload/unknown-type", "answers ok, then ends the session"),
    always("payload/type-9", "answers ok, then ends the session"),
    always("payload/type-slash", "answers ok, then ends the session"),
    always("payload/other-digits", "answers ok, then ends the session"),
    always("payload/space", "answers ok, then ends the session"),
    always("payload/bad-after-good", "answers ok, then ends the session"),
    always("payload/separator-at-end", "answers ok, then ends the session"),
    always("payload/separator-at-start", "answers ok, then ends the session"),
    always("payload/two-separators", "answers ok, then ends the session"),
    always("payload/only-separators", "answers ok, then ends the session"),
    always("payload/byte-order-mark", "answers ok, then ends the session"),
    always("payload/form", "answers ok, then ends the session"),
    always("payload/compressed", "answers ok, then ends the session"),
    always("payload/ping", "answers ok, then ends the session"),
    always("payload/probe", "answers ok, then ends the session"),
    always("payload/not-utf-8", "delivers U+FFFD"),
    always("payload/cut-utf-8", "delivers U+FFFD"),
    always("payload/octet-stream-with-parameter", "knows the type in one spelling alone"),
    always("payload/octet-stream-in-capitals", "knows the type in one spelling alone"),
    always(
        "payload/above-the-limit",
        "answers 413, and keeps the session until its ping times out",
    ),
    always(
        "payload/above-the-limit-in-chunks",
        "answers 413, and keeps the session until its ping times out",
    ),
    always("payload/too-long-by-header", "waits for the body"),
    always("payload/immense-by-header", "waits for the body"),
    always("heartbeat/upgrade-before-pong", "forgets the deadline: the session lives for ever"),
    always("upgrade/get-at-upgrade", "answers with a close packet"),
    always("upgrade/without-probe", "upgrades"),
    by_chance("closing/crossing", "refuses a GET that arrives second"),
    always("closing/websocket", "ignores the packet"),
    always("closing/after-upgrade", "ignores the packet"),
    always("concurrency/pipelined-gets", "handles them at the same time"),
    always("concurrency/pipelined-posts", "handles them at the same time"),
    always("origin/other-polling", "lets pages of every origin in"),
    always("origin/other-websocket", "lets pages of every origin in"),
    always("origin/other-upgrade", "lets pages of every origin in"),
    always("origin/other-post", "lets pages of every origin in"),
    always("origin/null", "lets pages of every origin in"),
    always("origin/other-port", "lets pages of every origin in"),
    always("origin/lookalike", "lets pages of every origin in"),
    always("origin/two", "lets pages of every origin in"),
    always("message/answers-not-taken", "keeps what nobody takes"),
    always("http/two-hosts", "takes the first"),
    always("http/absolute-form", "does not know the path"),
    always("http/no-version", "takes it for HTTP/0.9"),
    always("http/expect-too-long", "says go on"),
    always("smuggling/compressed-chunks", "takes the body as it is"),
    always("smuggling/coding-empty", "goes by the length"),
    always("smuggling/unknown-and-coding", "takes the body as it is"),
    always("opening/early-bytes", "loses them"),
    always("opening/no-version-of-protocol", "opens the WebSocket, and refuses on it"),
    always("opening/version-words", "opens the WebSocket, and refuses on it"),
    always("opening/version-3", "opens the WebSocket, and refuses on it"),
    always("opening/polling", "opens the WebSocket, then closes it"),
    always("opening/http-1-0", "opens the WebSocket"),
    always("opening/no-host", "opens the WebSocket"),
    always("opening/other-path", "closes the connection after a second, without an answer"),
    always("framing/length-in-two-bytes", "takes it"),
    always("framing/length-in-eight-bytes", "takes it"),
];

/// The Python server, PyPI `repodnet` 0.1, as it comes.
pub const REPODNET: &[Deviation] = &[
    always("repod-frame/length-2-31", "waits for as much as is announced"),
    always("repod-frame/length-2-32", "waits for as much as is announced"),
    always("repod-frame/length-byte-by-byte", "waits for as much as is announced"),
    always("repod-frame/length-and-bytes", "waits for as much as is announced, and keeps it"),
    always("repod-frame/length-behind-a-message", "waits for as much as is announced"),
    always("repod-value/nil", "never takes it from its buffer, nor what is behind it"),
    always("repod-action/disconnected", "handles nothing more that this client sends"),
    always("repod-action/twice", "handles nothing more that this client sends"),
    always("repod-stranger/http", "waits for as much as is announced"),
    always("repod-stranger/http-post", "waits for as much as is announced"),
    always("repod-stranger/http-2", "waits for as much as is announced"),
    always("repod-stranger/tls", "waits for as much as is announced"),
    always("repod-stranger/ssh", "waits for as much as is announced"),
    always("repod-stranger/json", "waits for as much as is announced"),
    always("repod-stranger/bare-msgpack", "waits for as much as is announced"),
    always("repod-stranger/little-endian", "waits for as much as is announced"),
    always("repod-stranger/socks", "waits for as much as is announced"),
    always("repod-stranger/ones", "waits for as much as is announced"),
    always("repod-stranger/noise", "waits for as much as is announced"),
    always("repod-crowd/answers-not-taken", "keeps what nobody takes"),
];

const fn always(case: &'static str, why: &'static str) -> Deviation {
    Deviation { case, why, always: true }
}

const fn by_chance(case: &'static str, why: &'static str) -> Deviation {
    Deviation { case, why, always: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deviation_is_of_a_case() {
        for deviation in ENGINE_IO.iter().chain(REPODNET) {
            let known = super::super::every_case().iter().any(|case| case.id == deviation.case);
            assert!(known, "{}", deviation.case);
        }
    }
}
