//! Proxies, as networks have them: HTTP (plain and over TLS), SOCKS4 and SOCKS5.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// A proxy, and what was wanted of it.
pub(crate) struct TestProxy {
    pub(crate) addr: SocketAddr,
    /// `CONNECT host:port`, `GET http://…` or `SOCKS host:port`, once for each connection.
    wanted: mpsc::UnboundedReceiver<String>,
}

impl TestProxy {
    /// What was wanted until now.
    pub(crate) fn wanted(&mut self) -> Vec<String> {
        let mut all = vec![];
        while let Ok(wanted) = self.wanted.try_recv() {
            all.push(wanted);
        }
        all
    }
}

/// An HTTP proxy that wants to see `authorization`, if it is not empty; over TLS, if there is an acceptor.
pub(crate) async fn http_proxy(authorization: &'static str, tls: Option<TlsAcceptor>) -> TestProxy {
    start(move |stream, wanted| {
        let tls = tls.clone();
        async move {
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve_http(stream, authorization, wanted).await;
                    }
                }
                None => serve_http(stream, authorization, wanted).await,
            }
        }
    })
    .await
}

/// A SOCKS5 proxy (RFC 1928) that wants a user and a password (RFC 1929), if there are some.
pub(crate) async fn socks5_proxy(credentials: Option<(&'static str, &'static str)>) -> TestProxy {
    start(move |stream, wanted| serve_socks(stream, credentials, wanted)).await
}

/// A SOCKS4 proxy, which takes names as well (SOCKS4a).
pub(crate) async fn socks4_proxy() -> TestProxy {
    start(serve_socks4).await
}

/// A relay to another server that breaks each connection which `breaks`, counted from 0, says so of,
/// when the client has sent `after` bytes; the count of connections.
pub(crate) async fn relay(
    to: SocketAddr,
    breaks: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let (counted, breaks) = (count.clone(), Arc::new(breaks));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let breaks = breaks.clone();
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(to).await else { return };
                let (mut client_in, mut client_out) = stream.into_split();
                let (mut server_in, mut server_out) = server.into_split();
                let down = tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut server_in, &mut client_out).await;
                });
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = client_in.read(&mut buffer).await {
                    if breaks(&buffer[..count])
                        || server_out.write_all(&buffer[..count]).await.is_err()
                    {
                        break;
                    }
                }
                down.abort();
            });
        }
    });
    (addr, count)
}

async fn start<F>(
    serve: impl Fn(TcpStream, mpsc::UnboundedSender<String>) -> F + Send + 'static,
) -> TestProxy
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, wanted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, sender.clone()));
        }
    });
    TestProxy { addr, wanted }
}

async fn serve_http(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    authorization: &str,
    wanted: mpsc::UnboundedSender<String>,
) {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let (what, _) = line.rsplit_once(' ').unwrap();
    let _ = wanted.send(what.to_owned());
    let mut kept = String::new();
    let mut shown = "";
    for header in headers.lines().filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':').unwrap();
        if name.eq_ignore_ascii_case("proxy-authorization") {
            shown = value.trim();
        } else {
            kept.push_str(&format!("{header}\r\n"));
        }
    }
    if shown != authorization {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                       Proxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(refusal.as_bytes()).await;
        return;
    }
    let (method, target) = what.split_once(' ').unwrap();
    let (host, first) = if method == "CONNECT" {
        (target, None)
    } else {
        // One request a connection: the next one comes on another.
        let rest = target.strip_prefix("http://").expect("a proxy gets the whole address");
        let (host, path) = rest.split_once('/').unwrap();
        (host, Some(format!("{method} /{path} HTTP/1.1\r\nConnection: close\r\n{kept}\r\n")))
    };
    let Ok(mut server) = TcpStream::connect(host).await else {
        let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
        return;
    };
    match first {
        None => stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap(),
        Some(request) => server.write_all(request.as_bytes()).await.unwrap(),
    }
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
}

async fn serve_socks4(mut stream: TcpStream, wanted: mpsc::UnboundedSender<String>) {
    let serve = async {
        let mut request = [0; 8];
        stream.read_exact(&mut request).await?;
        assert_eq!(request[..2], [4, 1], "version and CONNECT");
        let port = u16::from_be_bytes([request[2], request[3]]);
        while stream.read_u8().await? != 0 {} // who asks
        let host = match request[4..] {
            [0, 0, 0, mark] if mark != 0 => {
                let mut name = vec![];
                while let byte @ 1.. = stream.read_u8().await? {
                    name.push(byte);
                }
                String::from_utf8(name).unwrap()
            }
            ref address => address.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        };
        let _ = wanted.send(format!("SOCKS {host}:{port}"));
        let mut server = TcpStream::connect((&*host, port)).await?;
        stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut server).await?;
        std::io::Result::Ok(())
    };
    let _ = serve.await;
}

async fn serve_socks(
    mut stream: TcpStream,
    credentials: Option<(&'static str, &'static str)>,
    wanted: mpsc::UnboundedSender<String>,
) {
    let serve = async {
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).await?;
        let mut methods = vec![0; greeting[1].into()];
        stream.read_exact(&mut methods).await?;
        if let Some((user, password)) = credentials {
            stream.write_all(&[5, 2]).await?;
            let mut start = [0; 2];
            stream.read_exact(&mut start).await?;
            let mut shown_user = vec![0; start[1].into()];
            stream.read_exact(&mut shown_user).await?;
            let mut shown_password = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut shown_password).await?;
            let good = (&*shown_user, &*shown_password) == (user.as_bytes(), password.as_bytes());
            stream.write_all(&[1, u8::from(!good)]).await?;
            if !good {
                return Ok(());
            }
        } else {
            stream.write_all(&[5, 0]).await?;
        }
        let mut request = [0; 4];
        stream.read_exact(&mut request).await?;
        let host = match request[3] {
            1 => {
                let mut address = [0; 4];
                stream.read_exact(&mut address).await?;
                std::net::Ipv4Addr::from(address).to_string()
            }
            3 => {
                let mut name = vec![0; stream.read_u8().await?.into()];
                stream.read_exact(&mut name).await?;
                String::from_utf8(name).unwrap()
            }
            other => panic!("address type {other}"),
        };
        let port = stream.read_u16().await?;
        let _ = wanted.send(format!("SOCKS {host}:{port}"));
        let mut server = TcpStream::connect((&*host, port)).await?;
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut server).await?;
        std::io::Result::Ok(())
    };
    let _ = serve.await;
}
