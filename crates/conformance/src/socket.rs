//! A WebSocket to the server.

use std::time::Instant;

use super::finding::{Verdict, fail, quoted};
use super::frame::{self, Frame, Received};
use super::wire::Wire;

/// A WebSocket to the server.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) wire: Wire,
}

/// What comes over a WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
    /// The TCP connection was closed.
    End,
    /// Nothing came for a long time.
    Nothing,
}

impl Socket {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire }
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.write(bytes);
    }

    pub(crate) fn send(&mut self, frame: &Frame) {
        self.write(frame.to_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.send(&Frame::text(text));
    }

    /// What comes next; fragments are put together.
    pub(crate) fn next(&mut self) -> Verdict<Incoming> {
        let mut message: Option<(u8, Vec<u8>)> = None;
        loop {
            let frame = match self.wire.frame()? {
                Received::Frame(frame) => frame,
                Received::End => return Ok(Incoming::End),
                Received::Nothing => return Ok(Incoming::Nothing),
            };
            let Frame { payload, .. } = &frame;
            match frame.opcode() {
                frame::PING => return Ok(Incoming::Ping(payload.clone())),
                frame::PONG => return Ok(Incoming::Pong(payload.clone())),
                frame::CLOSE => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return Ok(Incoming::Close(code));
                }
                frame::CONTINUATION => match &mut message {
                    Some((_, data)) => data.extend_from_slice(payload),
                    None => return fail("a message", "the continuation of none"),
                },
                opcode => match message {
                    Some(_) => return fail("the rest of a message", "a new one"),
                    None => message = Some((opcode, payload.clone())),
                },
            }
            if frame.is_last()
                && let Some((opcode, data)) = message.take()
            {
                return match opcode {
                    frame::BINARY => Ok(Incoming::Binary(data)),
                    _ => match String::from_utf8(data) {
                        Ok(text) => Ok(Incoming::Text(text)),
                        Err(error) => fail("text in UTF-8", quoted(error.as_bytes())),
                    },
                };
            }
        }
    }

    /// What comes next but pings of the heartbeat, which are answered, and noops, which mean nothing.
    pub(crate) fn message(&mut self) -> Verdict<Incoming> {
        let deadline = Instant::now() + self.wire.patience();
        loop {
            match self.next()? {
                Incoming::Text(text) if text == "2" => self.text("3"),
                Incoming::Text(text) if text == "6" => {}
                other => return Ok(other),
            }
            if Instant::now() >= deadline {
                return Ok(Incoming::Nothing);
            }
        }
    }

    /// This text has to come next.
    pub(crate) fn brings(&mut self, expected: &str) -> Verdict {
        self.brings_message(Incoming::Text(expected.to_owned()))
    }

    /// This message has to come next.
    pub(crate) fn brings_message(&mut self, expected: Incoming) -> Verdict {
        let message = self.message()?;
        if message == expected { Ok(()) } else { fail(expected.words(), message.words()) }
    }

    /// What is sent has to come back.
    pub(crate) fn echoes(&mut self, packet: &str) -> Verdict {
        self.text(packet);
        self.brings(packet)
    }

    /// The server has to close it, with a close frame that has one of these codes, and then end the
    /// connection.
    pub(crate) fn closes(&mut self, codes: &[Option<u16>]) -> Verdict {
        self.says_close(codes)?;
        self.wire.ends()
    }

    /// The server has to close it, with a close frame that has one of these codes, which is answered. That
    /// it ends the connection then is a matter of points of its own.
    pub(crate) fn says_close(&mut self, codes: &[Option<u16>]) -> Verdict {
        let names: Vec<_> = codes.iter().map(|code| close_words(*code)).collect();
        let expected = names.join(" or ");
        loop {
            match self.next()? {
                Incoming::Close(code) if codes.contains(&code) => {
                    self.send(&Frame::new(
                        frame::CLOSE,
                        code.map_or(vec![], |code| code.to_be_bytes().to_vec()),
                    ));
                    return Ok(());
                }
                Incoming::Close(code) => return fail(expected, close_words(code)),
                Incoming::End => return fail(expected, "the end of the connection without one"),
                Incoming::Nothing => return fail(expected, "nothing: it is still open"),
                Incoming::Text(_) | Incoming::Binary(_) | Incoming::Ping(_) | Incoming::Pong(_) => {
                }
            }
        }
    }

    /// The server has to close it, in any way, although its pings are answered.
    pub(crate) fn ends(&mut self) -> Verdict {
        let deadline = Instant::now() + self.wire.patience();
        while Instant::now() < deadline {
            match self.message()? {
                Incoming::Close(code) => {
                    self.send(&Frame::new(
                        frame::CLOSE,
                        code.map_or(vec![], |code| code.to_be_bytes().to_vec()),
                    ));
                    return self.wire.ends();
                }
                Incoming::End => return Ok(()),
                Incoming::Nothing => break,
                Incoming::Text(_) | Incoming::Binary(_) | Incoming::Ping(_) | Incoming::Pong(_) => {
                }
            }
        }
        fail("the WebSocket to be closed", "it is still open, although its pings are answered")
    }
}

impl Incoming {
    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Text(text) => format!("text {}", quoted(text.as_bytes())),
            Self::Binary(data) => format!("binary {}", quoted(data)),
            Self::Ping(data) => format!("ping {}", quoted(data)),
            Self::Pong(data) => format!("pong {}", quoted(data)),
            Self::Close(code) => close_words(*code),
            Self::End => "the end of the connection".to_owned(),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}

fn close_words(code: Option<u16>) -> String {
    match code {
        Some(code) => format!("close frame {code}"),
        None => "close frame without a code".to_owned(),
    }
}
