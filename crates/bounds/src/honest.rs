//! Who does nothing wrong, and is kept waiting by others.

use std::io::Result;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::peer::echo;
use super::row::Row;

/// A client of the server that is attacked, and of another one on the same processors: what they are slower
/// with both is not the server's doing.
pub struct Honest {
    pub here: TcpStream,
    pub elsewhere: TcpStream,
}

/// How long echoes took.
#[derive(Default)]
pub struct Echoes {
    here: Vec<Duration>,
    elsewhere: Vec<Duration>,
}

impl Honest {
    /// Takes the time of echoes, from one server and the other in turns, as long as something goes on.
    pub fn beside<T>(&mut self, what: impl FnOnce() -> T) -> (T, Echoes) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let measuring = scope.spawn(|| {
                let mut echoes = Echoes::default();
                while !over.load(Ordering::Relaxed) {
                    self.ask("4how are you", &mut echoes).unwrap();
                    std::thread::sleep(Duration::from_millis(1));
                }
                echoes
            });
            // A failure has to end the measuring, too.
            let result = catch_unwind(AssertUnwindSafe(what));
            over.store(true, Ordering::Relaxed);
            let echoes = measuring.join().unwrap();
            (result.unwrap_or_else(|panic| resume_unwind(panic)), echoes)
        })
    }

    /// Takes the time of an echo from either. Fails if the one that is attacked does not send it back as it is.
    pub fn ask(&mut self, message: &str, echoes: &mut Echoes) -> Result<()> {
        let start = Instant::now();
        let result = echo(&mut self.here, message);
        let between = Instant::now();
        echo(&mut self.elsewhere, message).unwrap();
        echoes.here.push(between - start);
        echoes.elsewhere.push(between.elapsed());
        result
    }
}

impl Echoes {
    pub fn row(mut self, when: &str) -> Row {
        let count = self.here.len();
        let [here, elsewhere] =
            [&mut self.here, &mut self.elsewhere].map(|samples| percentile(samples, 0.99));
        let ratio = here.as_secs_f64() / elsewhere.as_secs_f64();
        Row::told(
            format!("p99 of {count} honest echoes, {when}"),
            format!("{here:.1?}, {ratio:.1} times a server beside"),
        )
    }
}

fn percentile(samples: &mut [Duration], part: f64) -> Duration {
    samples.sort_unstable();
    let index = (samples.len() as f64 * part) as usize;
    samples.get(index.min(samples.len().saturating_sub(1))).copied().unwrap_or_default()
}
