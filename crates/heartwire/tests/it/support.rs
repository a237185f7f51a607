//! What tests of all protocols use.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

/// Far longer than anything takes: it only ends a test that hangs.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

/// Runs a test that may not hang.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(WATCHDOG, test).await.expect("the test hangs");
    });
}

/// Runs a test without a runtime that may not hang.
pub(crate) fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, over) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let _done = done; // dropped at the end, and by a panic
        test();
    });
    let timeout = std::sync::mpsc::RecvTimeoutError::Timeout;
    assert_ne!(over.recv_timeout(WATCHDOG), Err::<(), _>(timeout), "the test hangs");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Waits until something is the case, which nobody tells.
#[track_caller]
pub(crate) fn wait_until(mut test: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !test() {
        assert!(start.elapsed() < WATCHDOG, "it never is the case");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What handlers have seen, for tests without a runtime.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until there are `count` lines.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<String> {
        let start = std::time::Instant::now();
        loop {
            let lines = self.lines();
            if lines.len() >= count {
                return lines;
            }
            assert!(start.elapsed() < WATCHDOG, "only {lines:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
