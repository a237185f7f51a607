//! The examples, run as programs.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use heartwire::blocking::repod;
use heartwire::engineio::{Connection, Context, Handler, MessageRef, Server};
use heartwire::tls::ServerTls;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

#[test]
fn event_handling() {
    let output = run("event_handling", &[&echo().1]);
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0], "Connected to server");
    assert_eq!(lines[1], r#"Received from server: Text("Hello Server!")"#);
    assert_eq!(lines[2], "Disconnected from server: client disconnect");
}

#[test]
fn basic_connection() {
    let output = run("basic_connection", &[&echo().1]);
    assert_eq!(output, "Connected!\nServer says: Hello from client\n");
}

#[test]
fn custom_headers() {
    struct Seen(std::sync::mpsc::Sender<(Option<String>, Option<String>)>);
    impl Handler for Seen {
        fn connect(&self, connection: &Connection) {
            let header = |name| connection.request().header(name).map(str::to_owned);
            self.0.send((header("authorization"), header("user-agent"))).unwrap();
        }

        fn message(&self, _: &mut Context<'_>, _: MessageRef<'_>) {}
    }
    let (sender, seen) = std::sync::mpsc::channel();
    let server = Server::builder().keep_headers([http::header::AUTHORIZATION]).build().unwrap();
    server.set_handler(Seen(sender));
    let (_runtime, url) = serve(server, None);
    assert!(run("custom_headers", &[&url]).starts_with("Connected with headers, over "));
    let (authorization, agent) = seen.recv().unwrap();
    assert_eq!(authorization.as_deref(), Some("Bearer token123"));
    assert_eq!(agent.as_deref(), Some("MyApp/1.0"));
}

#[test]
fn tls_options() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = key.cert.pem();
    let tls = ServerTls::from_pem(&certificate, key.signing_key.serialize_pem()).unwrap();
    let folder = std::env::temp_dir().join(format!("heartwire-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("ca-bundle.pem");
    std::fs::write(&file, &certificate).unwrap();

    let server = Server::new();
    server.set_handler(Echo);
    let (_runtime, url) = serve(server, Some(tls));
    let output = run("tls_options", &[&url, file.to_str().unwrap()]);
    assert_eq!(output, "Connected over TLS\n");

    // The same server is refused where its authority is not known.
    let output = start("custom_headers", &[&url]);
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("certificate"), "{errors}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn transport_selection() {
    let output = run("transport_selection", &[&echo().1]);
    assert_eq!(output, "Connected over websocket\nConnected over polling\n");
}

#[test]
fn automatic_reconnection() {
    /// Closes its first two clients, and tells the third that it is enough.
    struct Fickle(AtomicUsize);
    impl Handler for Fickle {
        fn connect(&self, connection: &Connection) {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => connection.close(),
                _ => connection.try_send("enough").unwrap(),
            }
        }

        fn message(&self, _: &mut Context<'_>, _: MessageRef<'_>) {}
    }
    let server = Server::new();
    server.set_handler(Fickle(AtomicUsize::new(0)));
    let (_runtime, url) = serve(server, None);
    let expected = "Connected to server\nDisconnected, attempting to reconnect...\n".repeat(2)
        + "Connected to server\nServer says: enough\n";
    assert_eq!(run("automatic_reconnection", &[&url]), expected);
}

#[test]
fn custom_json() {
    assert_eq!(run("custom_json", &[&echo().1]), "Received: Move { x: 10, y: 20 }\n");
}

#[test]
fn axum_server() {
    let mut server = Command::new(example("axum_server"))
        .arg("127.0.0.1:0")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = server.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap();
    let output = run("basic_connection", &[url]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(output, "Connected!\nServer says: Hello from client\n");
}

#[test]
fn repod_client() {
    let (_runtime, port, seen) = repod_server();
    let output = run("repod_client", &["localhost", &port]);
    assert_eq!(output, format!("Connecting to localhost:{port}\nDisconnected: closed\n"));
    let messages: Vec<_> = seen.iter().take(2).collect();
    assert_eq!(
        messages,
        [
            json!({"action": "login", "username": "alice"}),
            json!({"action": "chat", "text": "Hello world!"}),
        ]
    );
}

#[test]
fn repod_messages() {
    let (_runtime, port, _seen) = repod_server();
    let output = run("repod_messages", &["localhost", &port]);
    let expected = "Connected\n\
        connected: {Text(\"action\"): Text(\"connected\")}\n\
        Chat: Hello alice!\n\
        Disconnected: closed\n";
    assert_eq!(output, expected);
}

#[test]
fn repod_game() {
    let (_runtime, port, seen) = repod_server();
    let output = run("repod_game", &["localhost", &port]);
    let expected = "Joining: true\n\
        Moved to (10, 20)\n\
        Got unknown\n\
        Disconnected: closed by peer\n";
    assert_eq!(output, expected);
    assert_eq!(seen.recv().unwrap(), json!({"action": "join", "name": "alice"}));
}

#[test]
fn repod_server_example() {
    let mut server = Command::new(example("repod_server"))
        .arg("127.0.0.1:0")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = server.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
    let connect = |name: &str| {
        let client = repod::Client::new("127.0.0.1", port);
        client.start_background();
        client.send(&json!({"action": "login", "username": name})).unwrap();
        let actions: Vec<_> =
            client.messages().take(2).map(|message| message.action().into_owned()).collect();
        assert_eq!(actions, ["connected", "welcome"]);
        client
    };
    let (alice, bob) = (connect("alice"), connect("bob"));
    alice.send(&json!({"action": "chat", "text": "Hello world!"})).unwrap();
    let chat = json!({"action": "chat", "from": "alice", "text": "Hello world!"});
    for client in [&alice, &bob] {
        assert_eq!(serde_json::to_value(client.recv().unwrap()).unwrap(), chat);
    }
    alice.close();
    let left = json!({"action": "chat", "from": "alice", "text": "has left"});
    assert_eq!(serde_json::to_value(bob.recv().unwrap()).unwrap(), left);

    let stranger = repod::Client::new("127.0.0.1", port);
    stranger.start_background();
    stranger.send(&json!({"action": "chat", "text": "Who am I?"})).unwrap();
    assert_eq!(stranger.messages().count(), 1, "the greeting");
    server.kill().unwrap();
    server.wait().unwrap();
}

struct Echo;

impl Handler for Echo {
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        context.reply(message).unwrap();
    }
}

fn echo() -> (Runtime, String) {
    let server = Server::new();
    server.set_handler(Echo);
    serve(server, None)
}

fn serve(server: Server, tls: Option<ServerTls>) -> (Runtime, String) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let scheme = if tls.is_some() { "https" } else { "http" };
    runtime.spawn(async move {
        match tls {
            Some(tls) => server.serve_tls(listener, &tls).await,
            None => server.serve(listener).await,
        }
    });
    (runtime, format!("{scheme}://localhost:{port}"))
}

/// A server that plays the other part in the examples, and what it is sent.
fn repod_server() -> (Runtime, String, std::sync::mpsc::Receiver<Json>) {
    let (sender, seen) = std::sync::mpsc::channel();
    let server = heartwire::repod::Server::new();
    server.set_handler(heartwire::repod::Actions::new().on_other(move |context, message| {
        sender.send(serde_json::to_value(message).unwrap()).unwrap();
        let mut reply = |message: Json| {
            context.reply(&message).unwrap();
        };
        match &*message.action() {
            "login" => {
                reply(json!({"action": "chat", "text": "Hello alice!"}));
                reply(json!({"action": "goodbye"}));
            }
            "join" => {
                reply(json!({"action": "move", "x": 10, "y": 20}));
                reply(json!({"action": "unknown"}));
                context.channel().close();
            }
            _ => {}
        }
    }));
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move { server.serve(listener).await });
    (runtime, port.to_string(), seen)
}

/// What an example prints.
#[track_caller]
fn run(name: &str, args: &[&str]) -> String {
    let output = start(name, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn start(name: &str, args: &[&str]) -> Output {
    Command::new(example(name)).args(args).output().unwrap()
}

/// Examples are built together with the tests, in a folder above them that depends on the compiler's version.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let mut places = test.ancestors().map(|folder| folder.join("examples").join(name));
    places.find(|place| place.exists()).expect("it is built")
}
