//! The ways in which somebody tells the program to end.

use crate::exit::Exit;

/// The ways in which somebody tells the program to end. From its creation on, none is missed.
pub(crate) struct Termination {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Termination {
    #[cfg(unix)]
    pub(crate) fn new() -> Result<Self, Exit> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| Exit::failed("cannot wait for signals", error);
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> Result<Self, Exit> {
        Ok(Self {})
    }

    /// Waits until somebody does, and says how.
    pub(crate) async fn wait(&mut self) -> &'static str {
        #[cfg(unix)]
        {
            tokio::select! {
                _ = self.terminate.recv() => "terminated",
                _ = self.interrupt.recv() => "interrupted",
            }
        }
        #[cfg(not(unix))]
        {
            // Without it, the program is ended by the system.
            let _ = tokio::signal::ctrl_c().await;
            "interrupted"
        }
    }
}
