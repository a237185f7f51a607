//! Buffers that belong to a thread, not to a connection: a connection that idles owns none.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use heartwire_proto::websocket::CompressionPool;

/// What one connection needs while it is being driven.
pub(crate) struct Buffers {
    /// Bytes from the network.
    pub(crate) input: Box<[u8]>,
    /// Bytes for the network.
    pub(crate) output: Vec<u8>,
    /// What messages are made of that do not lie in the input as they are.
    pub(crate) workspace: Workspace,
}

/// What is needed while a message is made from its bytes, or its bytes from it.
#[derive(Default)]
pub(crate) struct Workspace {
    /// Binary messages that came as base64.
    pub(crate) base64: Vec<u8>,
    /// What compresses and inflates.
    pub(crate) pool: CompressionPool,
}

/// The thread's buffers, on loan.
pub(crate) struct Scratch(Option<Box<Buffers>>);

impl Scratch {
    /// Borrows the thread's buffers. A connection that is driven while another one is (from within
    /// its handler) gets new ones.
    pub(crate) fn borrow() -> Self {
        Self(Some(BUFFERS.take().unwrap_or_else(|| {
            Box::new(Buffers {
                input: vec![0; INPUT_BYTES].into_boxed_slice(),
                output: vec![],
                workspace: Workspace::default(),
            })
        })))
    }
}

impl Deref for Scratch {
    type Target = Buffers;

    fn deref(&self) -> &Buffers {
        self.0.as_ref().expect("it is only taken by drop()")
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Buffers {
        self.0.as_mut().expect("it is only taken by drop()")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Some(mut buffers) = self.0.take() else { return };
        buffers.output.clear();
        // One huge message must not be remembered by every thread for ever.
        buffers.output.shrink_to(KEPT_BYTES);
        let Workspace { base64, .. } = &mut buffers.workspace;
        base64.clear();
        base64.shrink_to(KEPT_BYTES);
        BUFFERS.set(Some(buffers));
    }
}

thread_local! {
    static BUFFERS: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

/// Large enough for a burst of small messages to cost one system call, small enough for a second-level
/// cache.
const INPUT_BYTES: usize = 64 * 1024;

const KEPT_BYTES: usize = 256 * 1024;
