//! The arguments.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use heartwire::engineio::{Network, Transport};

use crate::address::Address;

/// Realtime connections that stay up and lose nothing: Engine.IO v4 and repod, servers and clients.
#[derive(Debug, Parser)]
#[command(name = "heartwire", version, styles = STYLES, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  heartwire demo                                         see what it does
  heartwire serve                                        a server that echoes, on port 5000
  heartwire connect http://localhost:5000                talk to it
  heartwire check http://localhost:5000                  is it right?
  heartwire bench http://localhost:5000                  how fast is it?

Each command has more: heartwire COMMAND --help")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Above the options that mean nothing to repod.
const ENGINEIO: &str = "Engine.IO options";

/// Above the options that mean nothing to Engine.IO.
const REPOD: &str = "repod options";

/// What all stands above options that mean nothing to repod.
const FOR_ENGINEIO: &[&str] = &[ENGINEIO, "TLS"];

/// Bytes of the messages of a load: those that tell them apart, and what every server can be made to take.
const MIN_SIZE: i64 = 16;
const MAX_SIZE: i64 = 64 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what heartwire does: a server and clients, on this machine, in a few seconds.
    Demo(Demo),
    /// Run a server.
    Serve(Serve),
    /// Talk to a server: type lines, see messages.
    Connect(Connect),
    /// Find out whether a server of either protocol is right, point by point.
    Check(Check),
    /// Find out how fast a server is, and whether it is right under load.
    Bench(Bench),
    /// Print what makes a shell complete the program's arguments.
    Completions(Completions),
    /// Print the manual page.
    Man(Man),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heartwire check http://localhost:5000                  everything
  heartwire check http://localhost:3000 --only upgrade --only heartbeat
  heartwire check https://localhost:5443 --cacert ca.pem
  heartwire check repod://localhost:5071                 a server of repod
  heartwire check --list                                 what is checked, and who asks for it

Whether the server echoes messages is tried out; where it does not, what depends on it is skipped. What
waits for pings is skipped where a silent client lives for more than five seconds.

Exit codes: 0 right, 1 wrong, 2 wrong arguments, 3 no Engine.IO server")]
pub(crate) struct Check {
    /// Address of the server: http, https, ws or wss, and the path of its endpoint unless that is
    /// /engine.io/; or repod.
    #[arg(required_unless_present = "list")]
    pub(crate) url: Option<String>,

    /// Only points with this in their name. Can be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,

    /// List the points instead, with who asks for each.
    #[arg(long)]
    pub(crate) list: bool,

    /// Path of the endpoint.
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,

    /// Trust servers with certificates of these authorities (PEM) alone, not the system's.
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) cacert: Option<PathBuf>,

    /// Check the server whatever its certificate says.
    #[arg(short = 'k', long, help_heading = "TLS", conflicts_with = "cacert")]
    pub(crate) insecure: bool,

    /// Tell what is known to be different at this server from what is wrong.
    #[arg(long, value_enum, value_name = "SERVER")]
    pub(crate) known: Option<Known>,

    /// Milliseconds to wait for what has to come.
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = milliseconds)]
    pub(crate) patience_ms: Duration,

    /// One JSON object a line instead of words.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Servers whose differences are known.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Known {
    /// npm `engine.io`.
    #[value(name = "engine.io")]
    EngineIo,
    /// PyPI `repodnet`.
    Repodnet,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heartwire completions bash > ~/.local/share/bash-completion/completions/heartwire
  heartwire completions fish > ~/.config/fish/completions/heartwire.fish
  heartwire completions zsh > \"${fpath[1]}/_heartwire\"")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heartwire man | man -l -                               read it
  heartwire man connect | man -l -                       that of one command
  heartwire man --dir ~/.local/share/man/man1            install all of them")]
pub(crate) struct Man {
    /// A command, whose page it is then.
    pub(crate) command: Option<String>,

    /// Write every page to a file in this folder instead.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heartwire demo                                         watch it
  heartwire demo --json                                  the same as JSON, for programs

It needs no network and no other program: server and clients talk over this machine's loopback.

Exit codes: 0 everything arrived, 1 something did not")]
pub(crate) struct Demo {
    /// One JSON object a line instead of words.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heartwire serve                                        echo on http://127.0.0.1:5000
  heartwire serve --repod                                echo on repod://127.0.0.1:5071
  heartwire serve --engineio --repod                     both
  heartwire serve --engineio 0.0.0.0:3000 --behaviour broadcast --cors https://example.com
  heartwire serve --repod 127.0.0.1:0 --json             any free port, told as JSON

In public, with a certificate that is read again when it has been renewed:
  heartwire serve --engineio 0.0.0.0:443 --tls-cert fullchain.pem --tls-key privkey.pem \\
      --origin https://example.com --max-connections 10000 --max-connections-per-address 100
  kill -HUP PID

Behind a proxy that ends TLS and writes X-Forwarded-For, with a cookie for its load balancing:
  heartwire serve --trusted-proxy 10.0.0.0/8 --cookie --http-compression

Watched by Prometheus:
  heartwire serve --metrics 127.0.0.1:9100               http://127.0.0.1:9100/metrics")]
pub(crate) struct Serve {
    /// Serve Engine.IO, on this address; port 0 takes any that is free. Without --repod, it is served in
    /// any case. [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:5000")]
    #[arg(value_parser = address)]
    pub(crate) engineio: Option<SocketAddr>,

    /// Serve repod, on this address; port 0 takes any that is free. [default: 127.0.0.1:5071]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:5071")]
    #[arg(value_parser = address)]
    pub(crate) repod: Option<SocketAddr>,

    /// What the server does with messages.
    #[arg(long, value_enum, default_value_t = Behaviour::Echo)]
    pub(crate) behaviour: Behaviour,

    /// With echo: messages that start with this, in repod those whose action does, go to every client of
    /// the protocol, the sender included.
    #[arg(long, value_name = "TEXT")]
    pub(crate) broadcast_prefix: Option<String>,

    /// Milliseconds between a pong and the next ping.
    #[arg(long, value_name = "MS", default_value = "25000", value_parser = milliseconds)]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) ping_interval_ms: Duration,

    /// Milliseconds that a client has to answer a ping.
    #[arg(long, value_name = "MS", default_value = "20000", value_parser = milliseconds)]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) ping_timeout_ms: Duration,

    /// Bytes of a message that are accepted from a client. [default: 1000000, for repod 16777216]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_payload: Option<usize>,

    /// Transports that clients may use.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "polling,websocket")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) transports: Vec<Transport>,

    /// Path of the endpoint.
    #[arg(long, value_name = "PATH", default_value = "/engine.io/")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) path: String,

    /// Compress WebSocket messages with clients that want it, from so many bytes on. [without BYTES: 1024]
    #[arg(long, value_name = "BYTES", num_args = 0..=1, default_missing_value = "1024")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) websocket_compression: Option<usize>,

    /// Let web pages of this origin use the server; `*` means all. Can be repeated.
    #[arg(long, value_name = "ORIGIN")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) cors: Vec<String>,

    /// Let web pages of this origin connect, and no others; `*` means all. Can be repeated. Programs that
    /// are no browsers are not concerned. Without it: pages of the server's own host, and those of --cors.
    #[arg(long, value_name = "ORIGIN")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) origin: Vec<String>,

    /// Set a cookie with the session id, for load balancers. [default name: io]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "io")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) cookie: Option<String>,

    /// Compress answers of long-polling from this many bytes on, for clients that accept it. [default
    /// where no number is given: 1024]
    #[arg(long, value_name = "BYTES", num_args = 0..=1, default_missing_value = "1024")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) http_compression: Option<usize>,

    /// Believe what proxies of this network say about clients, as 10.0.0.0/8 or a single address. Can be
    /// repeated.
    #[arg(long, value_name = "NETWORK")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) trusted_proxy: Vec<Network>,

    /// Where trusted proxies write the address of the client.
    #[arg(long, value_enum, value_name = "HEADER", default_value_t = ProxyHeader::XForwardedFor)]
    #[arg(requires = "trusted_proxy", help_heading = ENGINEIO)]
    pub(crate) forwarded_header: ProxyHeader,

    /// Serve over TLS, with this certificate and those between it and its authority (PEM). It is read
    /// again on SIGHUP; connections that are open stay open.
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "TLS")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Clients of each protocol that may be connected; more are refused.
    #[arg(long, value_name = "N")]
    pub(crate) max_connections: Option<usize>,

    /// Clients of each protocol that may be connected from one address; more are refused.
    #[arg(long, value_name = "N")]
    pub(crate) max_connections_per_address: Option<usize>,

    /// Tell Prometheus the server's numbers, at http://ADDR/metrics; port 0 takes any that is free.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,

    /// Threads that serve. Default: one for each processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// One JSON object a line instead of words.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where proxies write the address of the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ProxyHeader {
    /// X-Forwarded-For, with -Host and -Proto.
    XForwardedFor,
    /// Forwarded (RFC 7239).
    Forwarded,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Behaviour {
    /// Send each message back.
    Echo,
    /// Send each message to every other client.
    Broadcast,
    /// Take messages and send nothing.
    Silent,
}

impl Behaviour {
    /// As it is given.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Broadcast => "broadcast",
            Self::Silent => "silent",
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heartwire connect http://localhost:5000
  echo hello | heartwire connect ws://localhost:5000 --transports websocket
  heartwire connect https://example.com --path socket.io --header 'Authorization: Bearer …'
  heartwire connect https://localhost:5443 --cacert ca.pem --cert me.pem --key me.key
  heartwire connect http://game.example --proxy socks5h://user:secret@localhost:1080
  heartwire connect http://localhost:5000 --reconnect --json >> messages.jsonl
  echo '{\"action\": \"hello\"}' | heartwire connect repod://localhost:5071

To repod servers, a line that is a JSON object is sent as that message, and any other text as
{\"action\":\"message\",\"data\":TEXT}. Messages that JSON cannot hold are shown as Python shows them, with
--json as base64 of their msgpack.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 not connected, 4 connection lost, 130 interrupted")]
pub(crate) struct Connect {
    /// Address of the server: http, https, ws or wss for Engine.IO, repod://HOST[:PORT] for repod.
    pub(crate) url: String,

    /// Transports to use, in this order: if the first is refused, the next; polling goes on over a
    /// WebSocket if it is listed.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "polling,websocket")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) transports: Vec<Transport>,

    #[command(flatten)]
    pub(crate) access: Access,

    /// Milliseconds for the server to answer a request, or to accept a connection of repod.
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = milliseconds)]
    pub(crate) timeout_ms: Duration,

    /// Connect again when the connection is lost or cannot be opened, with growing waits.
    #[arg(long)]
    pub(crate) reconnect: bool,

    /// Milliseconds to stay after the end of the input while nothing arrives.
    #[arg(long, value_name = "MS", default_value = "500", value_parser = milliseconds)]
    pub(crate) linger_ms: Duration,

    /// One JSON object a line instead of words.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heartwire bench http://localhost:5000                  as fast as the server answers, 100 connections
  heartwire bench repod://localhost:5071 --rate 20000 --html report.html
  heartwire bench wss://example.com --path realtime --connections 5000 --connect-rate 500 --duration 60
  heartwire bench http://localhost:5000 --transport polling --size 16384 --binary --json
  heartwire bench http://localhost:5000 --no-reply       one way, to a server that does not answer

The server has to send every message back, unless --no-reply says that it does not. Each message has a
number, and each answer is checked: those that are missing, out of order, changed, or there twice are
counted.

Without --rate, an answer is followed by the next message: this finds the highest rate. Its latencies say
little, since a server that stops is asked nothing meanwhile. With --rate, messages are due at fixed times,
whatever the server does, and latency counts from when a message was due.

Before, a second goes to the same load on a server inside this program: what is measured then is the floor
of this program and this machine. Servers should run on another machine, or leave it processors to itself.

Exit codes: 0 all answers were right, 1 some were wrong or missing, 2 wrong arguments, 3 not connected,
4 connections lost, 130 interrupted")]
pub(crate) struct Bench {
    /// Address of the server: http, https, ws or wss for Engine.IO, repod://HOST[:PORT] for repod.
    pub(crate) url: String,

    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,

    /// Messages of a connection that may be under way. [default: 1, with --rate 1000, with --no-reply 64]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) depth: Option<u32>,

    /// Bytes of a message, at least 16; in repod, those of its data.
    #[arg(short, long, value_name = "BYTES", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u32).range(MIN_SIZE..=MAX_SIZE))]
    pub(crate) size: u32,

    /// Send bytes, not text.
    #[arg(short, long)]
    pub(crate) binary: bool,

    /// Messages a second, of all connections together. Without it, as many as the server answers.
    #[arg(short, long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Seconds to measure.
    #[arg(short = 't', long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) duration: Duration,

    /// Seconds of the same load before, which are checked but not measured.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds_or_none)]
    pub(crate) warm_up: Duration,

    /// Connections to open in a second. Without it, as fast as the server lets them in.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) connect_rate: Option<f64>,

    /// Do not expect answers: measure how fast messages can be sent.
    #[arg(long)]
    pub(crate) no_reply: bool,

    /// Threads that load the server. Default: half as many as there are processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Milliseconds for a connection to open, and at the end for the last answers to arrive.
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = milliseconds)]
    pub(crate) timeout_ms: Duration,

    /// Do not measure the floor.
    #[arg(long)]
    pub(crate) no_self_check: bool,

    /// Write a report with charts to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// One JSON object instead of words.
    #[arg(long)]
    pub(crate) json: bool,

    /// What carries the messages.
    #[arg(long, value_enum, value_name = "TRANSPORT", default_value_t = Carrier::Websocket)]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) transport: Carrier,

    #[command(flatten)]
    pub(crate) access: Access,

    /// Action of the messages.
    #[arg(long, value_name = "NAME", default_value = "message", help_heading = REPOD)]
    pub(crate) action: String,
}

/// What carries the messages of a load.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Carrier {
    /// HTTP requests.
    Polling,
    /// A WebSocket from the start.
    Websocket,
    /// A WebSocket that a session by polling has gone on to.
    Upgrade,
}

/// How a client reaches an Engine.IO server.
#[derive(Debug, clap::Args)]
pub(crate) struct Access {
    /// Header for every request, as `Name: value`. Can be repeated.
    #[arg(long, value_name = "HEADER")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) header: Vec<String>,

    /// Cookie for every request, as `name=value`. Can be repeated.
    #[arg(long, value_name = "COOKIE")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) cookie: Vec<String>,

    /// Ask for compressed WebSocket messages, and compress from so many bytes on. [without BYTES: 1024]
    #[arg(long, value_name = "BYTES", num_args = 0..=1, default_missing_value = "1024")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) websocket_compression: Option<usize>,

    /// Path of the endpoint.
    #[arg(long, value_name = "PATH", default_value = "engine.io")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) path: String,

    /// Trust servers with certificates of these authorities (PEM) alone, not the system's.
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) cacert: Option<PathBuf>,

    /// Certificate to show the server (PEM); it may hold the key, too.
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) cert: Option<PathBuf>,

    /// Key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "TLS")]
    pub(crate) key: Option<PathBuf>,

    /// Talk to the server whatever its certificate says. Whoever is on the way can read and change
    /// everything.
    #[arg(short = 'k', long, help_heading = "TLS")]
    pub(crate) insecure: bool,

    /// Proxy: http, https, socks4, socks5 or socks5h, with user:password@ if it asks for them. Without
    /// it, the one that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name.
    #[arg(long, value_name = "URL")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) proxy: Option<String>,

    /// Connect directly, whatever the environment says.
    #[arg(long, conflicts_with = "proxy")]
    #[arg(help_heading = ENGINEIO)]
    pub(crate) no_proxy: bool,
}

impl Args {
    /// Reads the arguments of the program; where they cannot be used, says so and ends it.
    pub(crate) fn read() -> Self {
        let mut command = Self::command();
        let matches = command.get_matches_mut();
        let args = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        let misplaced = match &args.command {
            Command::Demo(_) | Command::Check(_) | Command::Completions(_) | Command::Man(_) => {
                None
            }
            Command::Serve(serve) => serve
                .engineio_addr()
                .is_none()
                .then_some((FOR_ENGINEIO, "is for Engine.IO, which is not served: add --engineio")),
            Command::Connect(Connect { url, .. }) | Command::Bench(Bench { url, .. }) => {
                Some(if Address::is_repod(url) {
                    (FOR_ENGINEIO, "is for Engine.IO, and this is the URL of a repod server")
                } else {
                    (&[REPOD][..], "is for repod, and this is the URL of an Engine.IO server")
                })
            }
        };
        if let (Some((headings, why)), Some((name, matches))) = (misplaced, matches.subcommand())
            && let Some(subcommand) = command.find_subcommand_mut(name)
            && let Some(option) = given_below(headings, subcommand, matches)
        {
            let message = format!("--{option} {why}");
            subcommand.error(ErrorKind::ArgumentConflict, message).exit();
        }
        args
    }
}

/// An option that was given and stands below one of the headings.
fn given_below<'a>(
    headings: &[&str],
    command: &'a clap::Command,
    matches: &ArgMatches,
) -> Option<&'a str> {
    command
        .get_arguments()
        .filter(|arg| arg.get_help_heading().is_some_and(|heading| headings.contains(&heading)))
        .find(|arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine))
        .and_then(|arg| arg.get_long())
}

impl Serve {
    /// Where to serve Engine.IO, if at all.
    pub(crate) fn engineio_addr(&self) -> Option<SocketAddr> {
        match (self.engineio, self.repod) {
            (None, None) => Some((Ipv4Addr::LOCALHOST, 5000).into()),
            (addr, _) => addr,
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, as 127.0.0.1:5000".to_owned())
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) => Err("must not be zero".to_owned()),
        Ok(millis) => Ok(Duration::from_millis(millis)),
        Err(error) => Err(format!("{error}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match seconds_or_none(text)? {
        Duration::ZERO => Err("must not be zero".to_owned()),
        duration => Ok(duration),
    }
}

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if !(0.0..=MAX_SECONDS).contains(&seconds) {
        return Err(format!("expected 0 to {MAX_SECONDS}"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if !(0.001..=1e9).contains(&rate) {
        return Err("expected 0.001 to 1000000000".to_owned());
    }
    Ok(rate)
}

/// A day.
const MAX_SECONDS: f64 = 86_400.0;
