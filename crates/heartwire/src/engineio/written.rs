//! The news that a message was written.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Waits until a message was written. Over a WebSocket, the system has taken its last byte. Over polling,
/// the answer to a GET that carries it was given to the HTTP server, which writes it next: whether it could
/// is not told. Neither is news from the peer, which may never read it.
#[derive(Debug)]
#[must_use = "without waiting it tells nothing"]
pub struct Written(oneshot::Receiver<()>);

/// The message was not written: the connection has ended before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotWritten;

/// Whoever has it writes the message.
#[derive(Debug)]
pub(crate) struct Receipt(oneshot::Sender<()>);

impl Written {
    pub(crate) fn new() -> (Receipt, Self) {
        let (sender, receiver) = oneshot::channel();
        (Receipt(sender), Self(receiver))
    }
}

impl Future for Written {
    type Output = Result<(), NotWritten>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|_| NotWritten)
    }
}

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection has ended before the message was written")
    }
}

impl std::error::Error for NotWritten {}

impl Receipt {
    /// Says that the message was written.
    pub(crate) fn confirm(self) {
        // Whoever asked may have lost interest.
        let _ = self.0.send(());
    }
}

/// Receipts of messages that are partly written.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// Each with the count of bytes at which its message is written.
    waiting: VecDeque<(u64, Receipt)>,
    /// Bytes that were written.
    written: u64,
}

impl Receipts {
    /// Keeps the receipt of a message that ends `ahead` bytes behind what was written.
    pub(crate) fn push(&mut self, ahead: usize, receipt: Receipt) {
        self.waiting.push_back((self.written + ahead as u64, receipt));
    }

    /// Takes the news that more was written.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.written += bytes as u64;
        while self.waiting.front().is_some_and(|(end, _)| *end <= self.written) {
            self.waiting.pop_front().into_iter().for_each(|(_, receipt)| receipt.confirm());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Says that everything was written.
    pub(crate) fn confirm_all(self) {
        self.waiting.into_iter().for_each(|(_, receipt)| receipt.confirm());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_when_its_last_byte_is() {
        let mut receipts = Receipts::default();
        let (first, mut first_written) = Written::new();
        let (second, mut second_written) = Written::new();
        receipts.push(10, first);
        receipts.push(30, second);
        receipts.advance(9);
        assert!(first_written.0.try_recv().is_err());
        receipts.advance(1);
        assert_eq!(first_written.0.try_recv(), Ok(()));
        receipts.advance(19);
        assert!(second_written.0.try_recv().is_err());
        let (third, mut third_written) = Written::new();
        receipts.push(2, third);
        receipts.advance(1);
        assert_eq!(second_written.0.try_recv(), Ok(()));
        receipts.advance(1);
        assert_eq!(third_written.0.try_recv(), Ok(()));
        assert!(receipts.is_empty());
    }
}
