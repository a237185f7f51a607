//! The server, as the child process runs it. It says where it listens, then answers one line of JSON for
//! each line that it is told.

use std::fs;
use std::future::pending;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartwire::engineio::{
    self, Connection, Context, Handler, Message, MessageRef, PerMessageDeflate, Rejection,
    SendError,
};
use heartwire::repod;
use peakmem_alloc::PeakMemAllocTrait;
use serde::{Deserialize, Serialize};

/// How the server behaves.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Config {
    pub application: Application,
    pub deflate: bool,
    pub max_payload: usize,
    pub receive_limit: usize,
    pub header_ms: u64,
    pub body_ms: u64,
    pub message_ms: u64,
    pub stall_ms: u64,
    pub upgrade_ms: u64,
    pub ping_ms: u64,
    pub hook_ms: u64,
    /// Whether a hook is asked who is let in; what it says stands in the query.
    pub hook: bool,
    /// Descriptors that the process may have.
    pub descriptors: Option<usize>,
}

/// What the server does with what it gets.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Application {
    /// Sends it back, from callbacks.
    Echo,
    /// Does not receive.
    Deaf,
    /// Does not receive, and sends messages of this many bytes without end.
    Blast(usize),
    /// Sends it back, from callbacks that panic where the client says so.
    Faulty,
    /// The same from futures.
    FaultyFutures,
    /// Sends numbers without end, counts what was accepted, and closes when it is told to.
    Counting,
}

/// What the sender of numbers was told: messages accepted, and those that may not have arrived.
type Accounts = Arc<Mutex<Vec<(u64, usize)>>>;

/// The defaults of servers, with a heartbeat that keeps out of the way.
impl Default for Config {
    fn default() -> Self {
        Self {
            application: Application::Echo,
            deflate: false,
            max_payload: 1_000_000,
            receive_limit: 1 << 20,
            header_ms: 600_000,
            body_ms: 600_000,
            message_ms: 600_000,
            stall_ms: 600_000,
            upgrade_ms: 600_000,
            ping_ms: 600_000,
            hook_ms: 600_000,
            hook: false,
            descriptors: None,
        }
    }
}

/// What the process holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Usage {
    /// Bytes of heap.
    pub heap: usize,
    /// How many there were more, at the most, than when "reset" was said.
    pub growth: usize,
    pub sessions: usize,
    pub channels: usize,
    pub tasks: usize,
    pub descriptors: usize,
    pub resident: usize,
    /// Time on processors, in ms.
    pub processor: usize,
    /// Messages that did not arrive, as sessions were told at their end.
    pub unsent: u64,
}

/// Runs it; bytes of heap are counted by the process.
pub fn run(config: &str, heap: impl Fn() -> usize, peak: &dyn PeakMemAllocTrait) {
    let config: Config = serde_json::from_str(config).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let accounts = Accounts::default();
    let server = engineio_server(&config, &accounts);
    let channels = repod::Server::builder()
        .frame_timeout(Duration::from_millis(config.message_ms))
        .stall_timeout(Duration::from_millis(config.stall_ms))
        .build();
    channels.on_connection(|channel| async move {
        while let Some(message) = channel.recv().await {
            if channel.try_send_frame(message.to_frame()).is_err() {
                return;
            }
        }
    });
    let (engineio_addr, repod_addr) = runtime.block_on(async {
        let listeners =
            [heartwire::listen(ANY).await.unwrap(), heartwire::listen(ANY).await.unwrap()];
        let addrs = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let [engineio, repod] = listeners;
        let (one, other) = (server.clone(), channels.clone());
        tokio::spawn(async move { one.serve(engineio).await });
        tokio::spawn(async move { other.serve(repod).await });
        (addrs[0], addrs[1])
    });
    say(&[engineio_addr, repod_addr] as &[SocketAddr]);
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["usage"] => say(&Usage {
                heap: heap(),
                growth: peak.get_peak_memory(),
                sessions: server.len(),
                channels: channels.len(),
                tasks: runtime.metrics().num_alive_tasks(),
                descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
                resident: status("VmRSS:") * 1024,
                processor: processor_ms(),
                unsent: server.stats().messages_unsent,
            }),
            ["accounts"] => say(&*accounts.lock().unwrap()),
            ["reset"] => {
                peak.reset_peak_memory();
                say(&());
            }
            ["broadcast", bytes, count] => {
                let number = |word: &str| word.parse::<usize>().unwrap();
                let message = Message::from(vec![7; number(bytes)]);
                let mut refused = 0;
                for _ in 0..number(count) {
                    // As fast as those take it who do not call themselves slow.
                    let lags =
                        |client: &Connection| !asked(client, "slow") && client.waiting().1 > MUCH;
                    while server.connections().iter().any(lags) {
                        std::thread::sleep(Duration::from_micros(100));
                    }
                    refused += server.broadcast(message.clone()).len();
                }
                say(&refused);
            }
            _ => panic!("{line}?"),
        }
    }
}

fn engineio_server(config: &Config, accounts: &Accounts) -> engineio::Server {
    let ms = Duration::from_millis;
    let mut builder = engineio::Server::builder()
        .max_payload(config.max_payload)
        .receive_limit(config.receive_limit)
        .header_timeout(ms(config.header_ms))
        .body_timeout(ms(config.body_ms))
        .message_timeout(ms(config.message_ms))
        .stall_timeout(ms(config.stall_ms))
        .upgrade_timeout(ms(config.upgrade_ms))
        .ping_interval(ms(config.ping_ms))
        .ping_timeout(ms(config.ping_ms))
        .hook_timeout(ms(config.hook_ms));
    if config.deflate {
        builder = builder.per_message_deflate(PerMessageDeflate::new());
    }
    if config.hook {
        builder = builder.allow_request(|request| async move {
            match request.query().rsplit_once("&hook=").map(|(_, what)| what.to_owned()).as_deref()
            {
                Some("hang") => pending().await,
                Some("panic") => panic!("the hook was asked to"),
                Some("deny") => Err(Rejection::forbidden("no")),
                _ => Ok(()),
            }
        });
    }
    let server = builder.build().unwrap();
    match config.application {
        Application::Echo => server.set_handler(Echo { faulty: false }),
        Application::Faulty => server.set_handler(Echo { faulty: true }),
        Application::Deaf => server.on_connection(|connection| async move {
            connection.closed().await;
        }),
        Application::Blast(bytes) => server.on_connection(move |connection| async move {
            while connection.send(Message::from(vec![7; bytes])).await.is_ok() {}
        }),
        Application::Counting => {
            let accounts = accounts.clone();
            server.on_connection(move |connection| count(connection, accounts.clone()));
        }
        Application::FaultyFutures => server.on_connection(|connection| {
            assert!(!asked(&connection, "connect"), "the client asked for it");
            async move {
                while let Some(message) = connection.recv().await {
                    assert!(message.as_text() != Some("panic"), "the client asked for it");
                    if message.as_text() == Some("hang") {
                        pending::<()>().await;
                    }
                    if connection.send(message).await.is_err() {
                        return;
                    }
                }
            }
        }),
    }
    server
}

/// Sends numbers from a task of its own, so that closing meets sending at any moment.
async fn count(connection: Connection, accounts: Accounts) {
    let sender = connection.clone();
    let sending = tokio::spawn(async move {
        let mut accepted = 0_u64;
        loop {
            match sender.try_send(accepted.to_string()) {
                Ok(()) => accepted += 1,
                Err(SendError::Full { .. }) => tokio::task::yield_now().await,
                Err(_) => return accepted,
            }
        }
    });
    while let Some(message) = connection.recv().await {
        match message.as_text() {
            Some("close") => connection.close(),
            Some("cut") => connection.close_now(),
            other => panic!("{other:?}?"),
        }
    }
    let accepted = sending.await.unwrap();
    let unsent = connection.closed().await.unsent;
    accounts.lock().unwrap().push((accepted, unsent));
}

struct Echo {
    faulty: bool,
}

impl Handler for Echo {
    fn connect(&self, connection: &Connection) {
        assert!(!self.faulty || !asked(connection, "connect"), "the client asked for it");
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        assert!(!self.faulty || message != MessageRef::Text("panic"), "the client asked for it");
        let _ = context.reply(message);
    }

    fn disconnect(&self, connection: &Connection, _: &engineio::Disconnected) {
        assert!(!self.faulty || !asked(connection, "disconnect"), "the client asked for it");
    }
}

/// Whether a client has asked for a fault.
fn asked(connection: &Connection, fault: &str) -> bool {
    connection.request().query().contains(&format!("fault={fault}"))
}

fn say<T: Serialize + ?Sized>(value: &T) {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value).unwrap();
    out.write_all(b"\n").unwrap();
    out.flush().unwrap();
}

/// A number of what the kernel says of this process, in KiB.
fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn processor_ms() -> usize {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or("");
    let ticks =
        after_name.split(' ').skip(12).take(2).filter_map(|field| field.parse::<usize>().ok());
    ticks.sum::<usize>() * 10 // Linux tells hundredths of a second
}

/// Bytes that wait for a client that keeps up: half of what may.
const MUCH: usize = 512 * 1024;

const ANY: &str = "127.0.0.1:0";
