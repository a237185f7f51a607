//! What the program talks to, so that its options show: a server that listens, one that wants a
//! certificate, and a proxy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::program::Certificate;

/// A server that refuses everything; what the first request said.
pub(crate) fn listener() -> (SocketAddr, Receiver<String>) {
    accept(|mut stream| {
        let head = head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        head
    })
}

/// The same over TLS, for clients that show this certificate.
pub(crate) fn strict(certificate: &Certificate) -> (SocketAddr, Receiver<String>) {
    let chain = || vec![CertificateDer::from_pem_file(&certificate.cert).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(chain().remove(0)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(chain(), key)
        .unwrap();
    let config = Arc::new(config);
    accept(move |stream| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let head = head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        stream.conn.send_close_notify();
        let _ = stream.flush();
        head
    })
}

/// A proxy that tunnels; what was wanted of it.
pub(crate) fn proxy() -> (SocketAddr, Receiver<String>) {
    accept(|mut stream| {
        let head = head(&mut stream);
        let wanted = head.split(' ').nth(1).unwrap_or_default();
        let server = TcpStream::connect(wanted).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        for (mut from, mut to) in
            [(stream.try_clone().unwrap(), server.try_clone().unwrap()), (server, stream)]
        {
            thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
        head
    })
}

/// Lets `serve` handle each connection; what it has heard.
fn accept(serve: impl Fn(TcpStream) -> String + Send + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, heard) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = sender.send(serve(stream.unwrap()));
        }
    });
    (addr, heard)
}

/// The headers of a request, or as much as came.
fn head(stream: &mut impl Read) -> String {
    let mut head = vec![];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}
