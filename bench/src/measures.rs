//! Everything that is measured, and by which programs.

use crate::program::Program;

/// Something that is measured of several contestants, in turns.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) trials: Vec<Trial>,
    /// Whether each turn needs a server that has done nothing yet.
    pub(crate) fresh: bool,
    /// Rounds, at most: what hardly changes is not measured often.
    pub(crate) max_rounds: usize,
}

/// One contestant's turn.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) contestant: &'static str,
    pub(crate) steps: Vec<Step>,
}

/// A program that prints numbers.
#[derive(Debug)]
pub(crate) struct Step {
    /// What stands before the names of its numbers.
    pub(crate) prefix: &'static str,
    pub(crate) program: Program,
    pub(crate) server: Option<Program>,
    /// Whether the server has one processor and the program another. If not, both have both.
    pub(crate) pinned: bool,
}

/// A contestant's server, and how it is spoken to.
struct Contestant {
    name: &'static str,
    server: Program,
    protocol: &'static str,
    path: &'static str,
}

pub(crate) fn all() -> Vec<Measure> {
    let packets = [floor("engineio"), heartwire(1), engineioxide(1), node(), python()];
    let raw = || [websocket("fastwebsockets"), websocket("tungstenite")];
    let echo = |name, about, args| {
        let contestants = packets.iter().map(Contestant::again).chain(raw());
        loaded(name, about, contestants, &[("", &format!("echo {args}"))])
    };
    let mut all = vec![
        echo("echo", "64 bytes of text, 100 connections, 1 in flight on each", "--depth 1"),
        echo("echo-deep", "the same, 32 in flight", "--depth 32"),
        echo("echo-large", "16 KiB of bytes, 1 in flight", "--size 16384 --binary --depth 1"),
        echo("echo-large-deep", "the same, 32 in flight", "--size 16384 --binary --depth 32"),
        echo("one-connection", "one connection, one message in flight", "--connections 1"),
        loaded(
            "polling",
            "a GET and a POST for each message, 100 sessions",
            [http("floor"), http("hyper"), heartwire(1), engineioxide(1), node(), python()],
            &[("", "polling")],
        ),
        loaded(
            "upgrade",
            "sessions that open, upgrade, echo once and end, 32 at once",
            [heartwire(1), engineioxide(1), node(), python()],
            &[("", "upgrade --connections 32"), ("pending_", "upgrade --connections 32 --pending")],
        ),
        loaded(
            "broadcast",
            "64 bytes to 1000 connections",
            packets.iter().map(Contestant::again),
            &[("", "broadcast --connections 1000 --depth 2")],
        ),
        loaded(
            "growth",
            "20 000 messages a second over 100, 1000 and 10 000 connections",
            packets.iter().map(Contestant::again),
            &[
                ("at_100_", "echo --rate 20000 --connections 100"),
                ("at_1000_", "echo --rate 20000 --connections 1000"),
                ("at_10000_", "echo --rate 20000 --connections 9900"),
            ],
        ),
        Measure {
            fresh: true,
            max_rounds: 3,
            ..loaded(
                "idle",
                "memory of WebSockets that idle",
                packets.iter().map(Contestant::again).chain(raw()),
                &[("", "idle --connections {crowd}")],
            )
        },
        Measure {
            fresh: true,
            max_rounds: 3,
            ..loaded(
                "idle-polling",
                "memory of sessions with a poll in flight",
                [heartwire(1), engineioxide(1), node(), python()],
                &[("", "idle-polling --connections {crowd}")],
            )
        },
        threads(),
    ];
    all.extend(clients());
    all.extend(repod());
    all.extend(codecs());
    all
}

/// The same load with one thread and with two; the load has to share the processors.
fn threads() -> Measure {
    let trial = |contestant: fn(u8) -> Contestant| {
        let step = |prefix, threads| {
            let contestant = contestant(threads);
            Step { prefix, pinned: false, ..contestant.loaded("echo --depth 32") }
        };
        Trial { contestant: contestant(1).name, steps: vec![step("one_", 1), step("two_", 2)] }
    };
    let about = "64 bytes, 32 in flight, with one and with two threads";
    measure("threads", about, vec![trial(heartwire), trial(engineioxide)])
}

fn clients() -> Vec<Measure> {
    let floor = || Program::built("floor", "engineio {port}");
    let round_trip = || {
        let args = "round-trip --port {port} --process {process} --seconds {seconds}";
        Program::built("load", args)
    };
    let clients = |name, about, programs: Vec<(&'static str, Program)>| {
        let trial = |(contestant, program)| Trial::of(contestant, program, Some(floor()));
        measure(name, about, programs.into_iter().map(trial).collect())
    };
    let raw = || Program::python("raw_client.py", "websocket {port}");
    let busy = |contestant, who: &str| {
        let program = Program::python("busy.py", &format!("{who} {{port}}"));
        Trial::of(contestant, program, Some(Program::node("server.cjs", "{port} 300 200")))
    };
    vec![
        clients(
            "rust-client",
            "the async client: round trips, floods and memory",
            vec![
                ("floor", round_trip()),
                ("heartwire", Program::built("ours-client", "{port}")),
                ("rust_engineio", Program::built("peer-client", "async {port}")),
                ("engine.io", Program::node("client.cjs", "{port}")),
            ],
        ),
        clients(
            "rust-blocking-client",
            "the blocking client: the same",
            vec![
                ("floor", round_trip()),
                ("heartwire", Program::built("ours-blocking-client", "{port}")),
                ("rust_engineio", Program::built("peer-client", "blocking {port}")),
            ],
        ),
        clients(
            "python-client",
            "Python's client with threads",
            vec![
                ("floor", raw()),
                ("heartwire", Program::python("engineio_client.py", "ours {port}")),
                ("python-engineio", Program::python("engineio_client.py", "theirs {port}")),
            ],
        ),
        clients(
            "python-async-client",
            "Python's client for asyncio",
            async_clients("asyncio", raw()),
        ),
        clients("python-uvloop-client", "the same on uvloop", async_clients("uvloop", raw())),
        Measure {
            max_rounds: 1,
            ..measure(
                "busy",
                "seconds that a Python client survives while a call holds the interpreter's lock",
                vec![busy("heartwire", "ours"), busy("python-engineio", "theirs")],
            )
        },
    ]
}

fn async_clients(event_loop: &str, raw: Program) -> Vec<(&'static str, Program)> {
    let client = |who: &str| {
        Program::python("engineio_async_client.py", &format!("{who} {event_loop} {{port}}"))
    };
    vec![("floor", raw), ("heartwire", client("ours")), ("python-engineio", client("theirs"))]
}

fn repod() -> Vec<Measure> {
    let repod = |name, server| Contestant { name, server, protocol: "repod", path: "/" };
    let floor = || Program::built("floor", "repod {port}");
    let rust = || repod("heartwire", Program::built("ours-repod-server", "{port}"));
    let python = |name, who: &str| {
        repod(name, Program::python("repod_server.py", &format!("{who} {{port}}")))
    };
    let servers = |name, about, ours, args: &str| {
        let repodnet = python("repodnet", "theirs");
        loaded(name, about, [repod("floor", floor()), ours, repodnet], &[("", args)])
    };
    let args = "round-trip --protocol repod --port {port} --process {process} --seconds {seconds}";
    let client = |contestant, program| Trial::of(contestant, program, Some(floor()));
    vec![
        servers("repod-echo", "repod, 100 clients, 1 in flight", rust(), "echo --depth 1"),
        servers("repod-echo-deep", "the same, 32 in flight", rust(), "echo --depth 32"),
        servers(
            "repod-python-echo",
            "a repod server in Python, 1 in flight",
            python("heartwire", "ours"),
            "echo --depth 1",
        ),
        servers(
            "repod-python-echo-deep",
            "the same, 32 in flight",
            python("heartwire", "ours"),
            "echo --depth 32",
        ),
        measure(
            "repod-client",
            "repod's blocking client in Rust",
            vec![
                client("floor", Program::built("load", args)),
                client("heartwire", Program::built("ours-repod-client", "{port}")),
            ],
        ),
        measure(
            "repod-python-client",
            "repod's client in Python",
            vec![
                client("floor", Program::python("raw_client.py", "repod {port}")),
                client("heartwire", Program::python("repod_client.py", "ours {port}")),
                client("repodnet", Program::python("repod_client.py", "theirs {port}")),
            ],
        ),
    ]
}

fn codecs() -> Vec<Measure> {
    let trial = |contestant, program| Trial::of(contestant, program, None);
    vec![
        measure(
            "codec",
            "packets and messages, encoded and decoded in one process",
            vec![
                trial("floor", Program::built("peer-codec", "floor")),
                trial("heartwire", Program::built("ours-codec", "")),
                trial("engineioxide", Program::built("peer-codec", "engineioxide")),
                trial("engine.io", Program::node("codec.cjs", "")),
                trial("python-engineio", Program::python("codec.py", "engineio")),
            ],
        ),
        measure(
            "python-codec",
            "messages of repod from and to objects of Python",
            vec![
                trial("heartwire", Program::python("codec.py", "ours")),
                trial("repodnet", Program::python("codec.py", "repod")),
            ],
        ),
    ]
}

fn floor(protocol: &'static str) -> Contestant {
    let server = Program::built("floor", &format!("{protocol} {{port}}"));
    Contestant { name: "floor", server, protocol, path: "/engine.io/" }
}

fn heartwire(threads: u8) -> Contestant {
    let server = Program::built("ours-server", &format!("{{port}} {threads}"));
    Contestant { name: "heartwire", server, protocol: "engineio", path: "/engine.io/" }
}

fn engineioxide(threads: u8) -> Contestant {
    let server = Program::built("engineioxide", &format!("{{port}} {threads}"));
    Contestant { name: "engineioxide", server, protocol: "engineio", path: "/engine.io" }
}

fn node() -> Contestant {
    let server = Program::node("server.cjs", "{port}");
    Contestant { name: "engine.io", server, protocol: "engineio", path: "/engine.io/" }
}

fn python() -> Contestant {
    let server = Program::python("engineio_server.py", "{port}");
    Contestant { name: "python-engineio", server, protocol: "engineio", path: "/engine.io/" }
}

/// A server of WebSockets without packets.
fn websocket(name: &'static str) -> Contestant {
    let server = Program::built(name, "{port}");
    Contestant { name, server, protocol: "websocket", path: "/" }
}

/// A server that answers every request at once.
fn http(name: &'static str) -> Contestant {
    let args = if name == "floor" { "http {port}" } else { "{port}" };
    Contestant { name, server: Program::built(name, args), protocol: "http", path: "/" }
}

/// Servers under load.
fn loaded(
    name: &'static str,
    about: &'static str,
    contestants: impl IntoIterator<Item = Contestant>,
    loads: &[(&'static str, &str)],
) -> Measure {
    let trial = |contestant: Contestant| Trial {
        contestant: contestant.name,
        steps: loads
            .iter()
            .map(|(prefix, args)| Step { prefix, ..contestant.loaded(args) })
            .collect(),
    };
    measure(name, about, contestants.into_iter().map(trial).collect())
}

fn measure(name: &'static str, about: &'static str, trials: Vec<Trial>) -> Measure {
    Measure { name, about, trials, fresh: false, max_rounds: usize::MAX }
}

impl Trial {
    /// One program that prints numbers.
    fn of(contestant: &'static str, program: Program, server: Option<Program>) -> Self {
        let step = Step { prefix: "", program, server, pinned: true };
        Self { contestant, steps: vec![step] }
    }
}

impl Contestant {
    fn again(&self) -> Self {
        Self { server: self.server.clone(), ..*self }
    }

    /// The load generator at this server.
    fn loaded(&self, args: &str) -> Step {
        let (protocol, path) = (self.protocol, self.path);
        let idle = args.starts_with("idle");
        let seconds = if idle { "" } else { "--seconds {seconds}" };
        let args = format!(
            "{args} --protocol {protocol} --path {path} --port {{port}} --process {{process}} {seconds}"
        );
        Step {
            prefix: "",
            program: Program::built("load", &args),
            server: Some(self.server.clone()),
            pinned: true,
        }
    }
}
