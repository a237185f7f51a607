//! Things of this process: a child that was made by `fork` has the memory of its parent, but none of the
//! threads that it belongs to.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU32, Ordering};

/// How often this process was forked, counted along its ancestors.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Tells that this process is a child, and fresh.
pub(super) fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Something that only the process that made it can use, or drop: in a child, its locks may be held by
/// threads that are not there.
pub(super) struct Owned<T> {
    value: ManuallyDrop<T>,
    generation: u32,
}

impl<T> Owned<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), generation: GENERATION.load(Ordering::Relaxed) }
    }

    /// The value, in the process that made it.
    #[inline]
    pub(super) fn get(&self) -> Option<&T> {
        self.is_ours().then_some(&*self.value)
    }

    #[inline]
    fn is_ours(&self) -> bool {
        self.generation == GENERATION.load(Ordering::Relaxed)
    }
}

impl<T> Drop for Owned<T> {
    #[expect(unsafe_code, reason = "a value that may be dropped or not has no safe form")]
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: it is dropped here alone, and nothing can use it after this.
            unsafe { ManuallyDrop::drop(&mut self.value) }
        }
    }
}
