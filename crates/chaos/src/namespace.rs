//! Network namespaces: each is a host of its own. They and what is in them are gone when they are dropped, when
//! this process is told to end, or at the latest when another run finds them without their process.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// A network namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one, with nothing in it but the loopback device.
    ///
    /// # Errors
    ///
    /// The system does not let this process, or `ip` is not there.
    pub fn create() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        remove_orphans();
        remove_when_told_to_end();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        ip(["netns", "add", &name])?;
        let this = Self { name };
        this.ip(["link", "set", "lo", "up"])?;
        Ok(this)
    }

    /// Runs `ip` in it.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn ip<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> io::Result<()> {
        let there = [OsStr::new("-n"), OsStr::new(&self.name)];
        let args: Vec<_> = args.into_iter().collect();
        ip(there.into_iter().chain(args.iter().map(AsRef::as_ref)))
    }

    /// Moves a device of this process's namespace into it.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn take(&self, device: &str) -> io::Result<()> {
        ip(["link", "set", device, "netns", &self.name])
    }

    /// A command that runs `program` in it, in the same process.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(["netns", "delete", &self.name]) {
            eprintln!("NOTICE: the network namespace {} is still there: {error}", self.name);
        }
    }
}

/// Why there are no namespaces for this process; `None` if there are.
pub fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("this is not root".to_owned());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun".to_owned());
    }
    match Namespace::create() {
        Ok(_) => None,
        Err(error) => Some(format!("there are no network namespaces: {error}")),
    }
}

/// Removes what processes that were killed have left.
fn remove_orphans() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        remove_where(|pid| !Path::new("/proc").join(pid).exists());
    });
}

/// Sees to it that nothing is left when somebody ends this process. Its children notice by themselves.
fn remove_when_told_to_end() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime needs a few descriptors");
            runtime.block_on(async {
                let mut interrupt = signal(SignalKind::interrupt()).expect("it can be waited for");
                let mut terminate = signal(SignalKind::terminate()).expect("it can be waited for");
                let code = tokio::select! {
                    _ = interrupt.recv() => 130,
                    _ = terminate.recv() => 143,
                };
                let own = std::process::id().to_string();
                remove_where(|pid| pid == own);
                std::process::exit(code);
            });
        });
    });
}

/// Removes the namespaces of some processes.
fn remove_where(process: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir("/run/netns") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if pid.is_some_and(&process) {
            // Another run may have been faster.
            let _ = ip(["netns", "delete", name]);
        }
    }
}

fn ip<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> io::Result<()> {
    let mut command = Command::new("ip");
    command.args(args);
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?}: {}", words.trim())))
}

const PREFIX: &str = "heartwire-";
