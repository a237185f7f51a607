//! What stands for compression where the feature `deflate` is off: there is none, and nothing that asks
//! for it can be made.

use super::error::ProtocolError;

/// States and memory that connections lend each other to compress and inflate. A driver has one a
/// thread; without the feature `deflate` it is empty.
#[derive(Debug, Default)]
pub struct CompressionPool(());

impl CompressionPool {
    /// An empty pool.
    pub const fn new() -> Self {
        Self(())
    }
}

/// What an endpoint wants of compression: without the feature `deflate`, there is no such thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PerMessageDeflate {}

/// Never said without the feature `deflate`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidExtensions {}

#[expect(missing_docs, clippy::missing_errors_doc, reason = "nobody can call them")]
impl PerMessageDeflate {
    pub fn offer(&self) -> String {
        match *self {}
    }

    pub fn accept(&self, _: &str) -> Result<Option<(Negotiated, String)>, InvalidExtensions> {
        match *self {}
    }

    pub fn conclude(&self, _: &str) -> Result<Option<Negotiated>, InvalidExtensions> {
        match *self {}
    }
}

/// What both sides of a connection have agreed on: without the feature `deflate`, nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Negotiated {}

/// The direction to the peer.
#[derive(Debug)]
pub(super) enum Deflate {}

impl Deflate {
    pub(super) fn new(negotiated: &Negotiated) -> Option<Self> {
        match *negotiated {}
    }

    pub(super) fn wants(&self, _: usize) -> bool {
        match *self {}
    }

    pub(super) fn shared_window_bits(&self) -> Option<u8> {
        match *self {}
    }

    pub(super) fn compress<'a>(
        &mut self,
        _: &[u8],
        _: &[u8],
        _: &'a mut CompressionPool,
    ) -> Option<&'a [u8]> {
        match *self {}
    }
}

/// The direction from the peer.
#[derive(Debug)]
pub(super) enum Inflate {}

impl Inflate {
    pub(super) fn new(negotiated: &Negotiated) -> Option<Self> {
        match *negotiated {}
    }

    pub(super) fn feed(
        &mut self,
        _: &[u8],
        _: &mut Vec<u8>,
        _: usize,
        _: &mut CompressionPool,
    ) -> Result<(), ProtocolError> {
        match *self {}
    }

    pub(super) fn finish(
        &mut self,
        _: &mut Vec<u8>,
        _: usize,
        _: &mut CompressionPool,
    ) -> Result<(), ProtocolError> {
        match *self {}
    }

    pub(super) fn abandon(&mut self) {
        match *self {}
    }
}
