//! TLS: whom the client trusts, and what it shows.

use std::sync::Arc;

use heartwire::engineio::client::{ConnectError, ConnectErrorKind};
use heartwire::engineio::{Server, ServerBuilder};
use heartwire::tls::{ClientTls, ClientTlsBuilder, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;

use super::super::support::{TestServer, WAYS, client, echo, echo_over, echoes};
use crate::support::run;

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name` and its key, in PEM.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A server of `localhost`, with TLS.
pub(crate) async fn serve_tls(builder: ServerBuilder, authority: &Authority) -> TestServer {
    let (certificate, key) = authority.sign("localhost");
    echo_over(builder, ServerTls::from_pem(certificate, key).unwrap()).await
}

/// What makes TLS of the connections to `localhost`.
pub(crate) fn acceptor(authority: &Authority) -> TlsAcceptor {
    let (certificate, key) = authority.sign("localhost");
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    Arc::new(config).into()
}

#[test]
fn authorities_are_trusted_by_every_transport() {
    run(async {
        let authority = Authority::new();
        let server = serve_tls(Server::builder(), &authority).await;
        for (name, transports) in WAYS {
            for scheme in ["https", "wss"] {
                let url = format!("{scheme}://localhost:{}", server.addr.port());
                let tls = ClientTls::builder().authorities(authority.pem());
                println!("{name}, {scheme}");
                echoes(name, client(url, transports).tls(tls.build().unwrap())).await;
            }
        }
    });
}

#[test]
fn who_is_not_trusted_is_not_talked_to() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let server = serve_tls(Server::builder(), &authority).await;
        let trust = || ClientTls::builder().authorities(authority.pem());
        for (name, _) in WAYS {
            // Another authority, and the right one for another server.
            for (host, tls) in [
                ("localhost", ClientTls::builder().authorities(other.pem())),
                (
                    "localhost",
                    ClientTls::builder()
                        .authorities(other.pem())
                        .danger_accept_invalid_hostnames(true),
                ),
                ("127.0.0.1", trust()),
            ] {
                let error = connect(name, host, &server, Some(tls)).await.unwrap_err();
                assert_eq!(*error.kind(), ConnectErrorKind::Tls, "{name}: {error}");
                let words = error.to_string();
                assert!(words.contains("invalid peer certificate"), "{name}: {error}");
            }
            // Those that the system trusts, if there are any.
            let error = connect(name, "localhost", &server, None).await.unwrap_err();
            assert_eq!(*error.kind(), ConnectErrorKind::Tls, "{name}: {error}");

            let names = trust().danger_accept_invalid_hostnames(true);
            connect(name, "127.0.0.1", &server, Some(names)).await.unwrap();
            let any = ClientTls::builder().danger_accept_invalid_certificates(true);
            connect(name, "127.0.0.1", &server, Some(any)).await.unwrap();
        }
    });
}

#[test]
fn websockets_may_trust_others_than_requests_do() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let server = serve_tls(Server::builder(), &authority).await;
        let url = format!("https://localhost:{}", server.addr.port());
        let good = || ClientTls::builder().authorities(authority.pem()).build().unwrap();
        let bad = || ClientTls::builder().authorities(other.pem()).build().unwrap();
        let [(_, polling), (_, websocket), _] = WAYS;
        for (transports, requests, sockets) in
            [(polling, good(), bad()), (websocket, bad(), good())]
        {
            let builder =
                client(&url, transports).tls(requests.clone()).websocket_tls(sockets.clone());
            echoes("one's own", builder.fallback(false)).await;
            let builder = client(&url, transports).tls(sockets).websocket_tls(requests);
            let error = builder.fallback(false).connect().await.unwrap_err();
            assert_eq!(*error.kind(), ConnectErrorKind::Tls, "{error}");
        }
    });
}

#[test]
fn servers_may_be_asked_for_another_name() {
    run(async {
        let authority = Authority::new();
        let server = serve_tls(Server::builder(), &authority).await;
        for (name, _) in WAYS {
            let trust = || ClientTls::builder().authorities(authority.pem());
            let tls = Some(trust().server_name("localhost"));
            connect(name, "127.0.0.1", &server, tls).await.unwrap();
            let tls = Some(trust().server_name("example.com"));
            let error = connect(name, "localhost", &server, tls).await.unwrap_err();
            assert_eq!(*error.kind(), ConnectErrorKind::Tls, "{name}: {error}");
        }
        assert!(ClientTls::builder().server_name("no name").build().is_err());
    });
}

#[test]
fn a_server_without_tls_is_told() {
    run(async {
        let server = echo(Server::builder()).await;
        for (name, _) in WAYS {
            let error = connect(name, "localhost", &server, None).await.unwrap_err();
            assert_eq!(*error.kind(), ConnectErrorKind::Tls, "{name}: {error}");
        }
    });
}

#[test]
fn certificates_are_shown_to_servers_that_ask() {
    run(async {
        let authority = Authority::new();
        let server = echo(Server::builder()).await;
        let addr = demand_certificates(&authority, server.addr).await;
        let (certificate, key) = authority.sign("client");
        for (name, transports) in WAYS {
            let url = format!("https://localhost:{}", addr.port());
            let tls = || ClientTls::builder().authorities(authority.pem());
            let known = tls().identity(format!("{certificate}{key}")).build().unwrap();
            echoes(name, client(&url, transports).tls(known)).await;
            let builder = client(&url, transports).tls(tls().build().unwrap());
            let error = builder.connect().await.unwrap_err();
            assert_eq!(*error.kind(), ConnectErrorKind::Tls, "{name}: {error}");
            assert!(error.to_string().contains("CertificateRequired"), "{name}: {error}");
        }
    });
}

/// A relay to `server` for clients with a certificate of `authority`.
async fn demand_certificates(
    authority: &Authority,
    server: std::net::SocketAddr,
) -> std::net::SocketAddr {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let (certificate, key) = authority.sign("localhost");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut server = tokio::net::TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    addr
}

async fn connect(
    way: &str,
    host: &str,
    server: &TestServer,
    tls: Option<ClientTlsBuilder>,
) -> Result<(), ConnectError> {
    let (_, transports) = WAYS.into_iter().find(|(name, _)| *name == way).unwrap();
    let mut builder = client(format!("https://{host}:{}", server.addr.port()), transports);
    if let Some(tls) = tls {
        builder = builder.tls(tls.build().unwrap());
    }
    builder.connect().await.map(drop)
}
