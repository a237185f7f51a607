//! Servers that say what terminals would obey: nothing of it comes out as it is, nor anything without end.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};

use serde_json::json;

use crate::program::{run, text};

/// Line ends, sequences that terminals obey, in both of their forms, and a character that turns text around.
const HOSTILE: &str = "\r\nerror: forged\u{1b}[2J\u{9b}31m\u{7f}\u{0}\u{202e}";

#[test]
fn what_servers_say_does_not_play_with_the_terminal() {
    let long = "\u{9b}".repeat(2 << 20);
    let handshake = |sid: &str| {
        let json = json!({"sid": sid, "upgrades": [], "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 1_000_000});
        format!("0{json}")
    };
    let messages = format!("{}\u{1e}4{HOSTILE}\u{1e}9{HOSTILE}", handshake(SID));
    let refusal = json!({"code": 4, "message": HOSTILE}).to_string();
    for answer in [
        answer("400 Bad Request", "", HOSTILE),
        answer("400 \u{1b}[31mBad\u{9b}", "", HOSTILE),
        answer("403 Forbidden", "", &refusal),
        answer("200 OK", "", &format!("0{HOSTILE}")),
        answer("200 OK", "", &handshake(HOSTILE)),
        answer("200 OK", "", &messages),
        answer("200 OK", "Content-Type: \u{1b}[31m\u{9b}\u{202e}\r\n", &handshake(SID)),
        answer("500 Oh", "", &long),
        answer("302 Found", "Location: http://%1b\u{202e}/\r\n", ""),
        HOSTILE.as_bytes().to_vec(),
        [b"\0\0\0\x12\x81\xa6action\xa9connected\0\0\x01", HOSTILE.as_bytes()].concat(),
        b"\0\0\0\x12\x81\xa6action\xa9connected\0\0\0\x0d\x81\xa6action\xa4\x1b[3m".to_vec(),
    ] {
        let addr = saying(answer.clone());
        for args in [
            &["connect", &format!("http://{addr}")][..],
            &["connect", &format!("http://{addr}"), "--json"],
            &["connect", &format!("repod://{addr}")],
            &["connect", &format!("repod://{addr}"), "--json"],
            &["check", &format!("http://{addr}"), "--only", "handshake/", "--patience-ms", "200"],
            &[
                "check",
                &format!("http://{addr}"),
                "--only",
                "handshake/",
                "--patience-ms",
                "200",
                "--json",
            ],
            &["check", &format!("repod://{addr}"), "--only", "greeting", "--patience-ms", "200"],
            &[
                "check",
                &format!("repod://{addr}"),
                "--only",
                "greeting",
                "--patience-ms",
                "200",
                "--json",
            ],
            &["bench", &format!("http://{addr}"), "--duration", "1", "--json"],
        ] {
            let output = run(args, "");
            for said in [text(&output.stdout), text(&output.stderr)] {
                let bad = said
                    .find(|char: char| (char.is_control() && char != '\n') || char == '\u{202e}');
                assert_eq!(bad, None, "{args:?}: {said:?}");
                assert!(!said.lines().any(|line| line.starts_with("error: forged")), "{said}");
                assert!(said.len() < 100_000, "{args:?}: {} bytes", said.len());
                // Machines are told the id, and who checks a server is shown what it says.
                let wants_it = args.contains(&"--json") || args[0] == "check";
                assert!(wants_it || !said.contains(SID), "{args:?}: {said}");
            }
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A server that says this to everybody, whatever they want, and leaves.
fn saying(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, bytes) = (stream.unwrap(), bytes.clone());
            std::thread::spawn(move || {
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.read_to_end(&mut vec![]);
            });
        }
    });
    addr
}

const SID: &str = "the-whole-id-of-a-session";
