//! TLS handshakes, as servers see them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use heartwire::engineio::Server;
use tokio::runtime::Runtime;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::client::tls::{Authority, serve_tls};
use super::support::TestServer;
use super::wire::{OPEN, connect};

/// RFC 8446, § 5.1: a handshake message may be cut into records anywhere. RUSTSEC-2024-0336,
/// RUSTSEC-2024-0399.
#[test]
fn a_handshake_may_come_in_pieces() {
    let (_runtime, server, authority) = start();
    let whole = |hello: &[u8]| vec![hello.to_vec()];
    let bytes = |hello: &[u8]| hello.iter().map(|byte| vec![*byte]).collect();
    let records = |hello: &[u8]| {
        // Behind the head of its only record.
        hello[5..].iter().map(|byte| vec![0x16, 3, 1, 0, 1, *byte]).collect()
    };
    let ways: [Cut; 3] = [whole, bytes, records];
    for cut in ways {
        let mut tls = client(&authority, &[b"http/1.1"]);
        let mut hello = vec![];
        while tls.wants_write() {
            tls.write_tls(&mut hello).unwrap();
        }
        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
        let mut stream = connect(server.addr);
        stream.set_nodelay(true).unwrap();
        for piece in cut(&hello) {
            stream.write_all(&piece).unwrap();
        }
        assert!(answers(&mut tls, &mut stream));
    }
}

/// How a first message is sent: in which pieces.
type Cut = fn(&[u8]) -> Vec<Vec<u8>>;

#[test]
fn who_leaves_in_the_middle_of_a_handshake_does_no_harm() {
    let (_runtime, server, authority) = start();
    let mut tls = client(&authority, &[]);
    let mut hello = vec![];
    while tls.wants_write() {
        tls.write_tls(&mut hello).unwrap();
    }
    for length in 0..hello.len() {
        connect(server.addr).write_all(&hello[..length]).unwrap();
    }
    // An alert that it closes, RFC 8446, § 6.1, in the middle and at the start.
    for before in [&hello[..0], &hello] {
        let mut stream = connect(server.addr);
        stream.write_all(&[before, b"\x15\x03\x03\0\x02\x01\0"].concat()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut vec![]);
    }
    assert!(answers(&mut client(&authority, &[]), &mut connect(server.addr)));
}

#[test]
fn http_1_1_is_all_that_is_spoken_over_tls() {
    let (_runtime, server, authority) = start();
    for offered in [&[][..], &[&b"h2"[..], b"http/1.1"], &[b"http/1.1"]] {
        let mut tls = client(&authority, offered);
        assert!(answers(&mut tls, &mut connect(server.addr)), "{offered:?}");
        let expected = (!offered.is_empty()).then_some(&b"http/1.1"[..]);
        assert_eq!(tls.alpn_protocol(), expected);
    }
    for offered in [&b"h2"[..], b"h2c", b"h3", b"spdy/3.1", b"acme-tls/1"] {
        let mut tls = client(&authority, &[offered]);
        assert!(!answers(&mut tls, &mut connect(server.addr)), "{offered:?}");
    }
}

fn start() -> (Runtime, TestServer, Authority) {
    let authority = Authority::new();
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(serve_tls(Server::builder(), &authority));
    (runtime, server, authority)
}

/// A client that trusts the authority, and speaks these protocols inside.
fn client(authority: &Authority, protocols: &[&[u8]]) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// Whether the handshake succeeds, and a session can be opened then.
fn answers(tls: &mut ClientConnection, stream: &mut TcpStream) -> bool {
    while tls.is_handshaking() {
        if tls.complete_io(stream).is_err() {
            return false;
        }
    }
    let mut stream = tokio_rustls::rustls::Stream::new(tls, stream);
    let request = format!("GET {OPEN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).unwrap();
    answer.starts_with(b"HTTP/1.1 200 OK\r\n")
}
