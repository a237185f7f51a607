//! TLS, by rustls.

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedCipherSuite,
};
use rustls_platform_verifier::Verifier;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A server's certificate and key. Clones share them, so that one can [reload](Self::reload) them for
/// a server that runs.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl ServerTls {
    /// Reads a certificate, the certificates between it and its authority, and its key, in PEM.
    /// Clients get TLS 1.3 or 1.2, and HTTP/1.1 inside where they ask for HTTP.
    ///
    /// # Errors
    ///
    /// They cannot be read, or do not belong together.
    pub fn from_pem(
        certificates: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let config = server_config(certificates.as_ref(), key.as_ref())?;
        Ok(Self { config: Arc::new(RwLock::new(config)) })
    }

    /// Serves new connections with another certificate. Those that are open go on with theirs.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem); the old certificate stays.
    pub fn reload(
        &self,
        certificates: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<(), TlsError> {
        let config = server_config(certificates.as_ref(), key.as_ref())?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

fn server_config(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let (certificates, key) = (read_certificates(certificates)?, read_key(key)?);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Of the ciphers that both have, all of them strong, the strongest is taken, whatever the client prefers.
    config.ignore_client_order = true;
    Ok(Arc::new(config))
}

/// Which servers a client trusts, and what it shows them.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    /// Who the server is to be, where that is not the host of its address.
    name: Option<ServerName<'static>>,
}

impl ClientTls {
    /// Trusts servers that the system trusts.
    ///
    /// # Errors
    ///
    /// The system's certificates cannot be read.
    pub fn new() -> Result<Self, TlsError> {
        Self::builder().build()
    }

    /// A client's TLS, with options.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder::default()
    }

    /// Trusts servers that the system trusts. Its certificates are read when the first server shows one,
    /// so that who speaks no TLS does not need any.
    pub(crate) fn system() -> Self {
        static SYSTEM: OnceLock<ClientTls> = OnceLock::new();
        SYSTEM
            .get_or_init(|| {
                let provider = provider();
                let verifier =
                    SystemVerifier { provider: provider.clone(), verifier: OnceLock::new() };
                let config = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .expect("the provider has the versions of its own crate")
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
                    .with_no_client_auth();
                Self { config: Arc::new(config), name: None }
            })
            .clone()
    }

    /// Who the server at `host` has to be.
    pub(crate) fn name(&self, host: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(host.to_owned()),
        }
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        self.config.clone().into()
    }

    /// The same for who speaks HTTP/1.1 inside.
    pub(crate) fn http_connector(&self) -> TlsConnector {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config).into()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

/// What [`ClientTls::builder`] collects.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use = "call build()"]
pub struct ClientTlsBuilder {
    authorities: Option<Vec<u8>>,
    identity: Option<Vec<u8>>,
    name: Option<String>,
    cipher_suites: Option<Vec<String>>,
    accept_invalid: bool,
    accept_names: bool,
}

impl ClientTlsBuilder {
    /// Trusts servers whose certificates these authorities have signed, given in PEM, and no others.
    /// Default: those that the system trusts.
    pub fn authorities(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.authorities = Some(pem.as_ref().to_vec());
        self
    }

    /// Shows servers a certificate: it, the certificates between it and its authority, and its key, in
    /// PEM.
    pub fn identity(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.identity = Some(pem.as_ref().to_vec());
        self
    }

    /// The name, or IP address, that servers are asked for and have to have a certificate for. Default:
    /// the host of their address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Uses only these cipher suites for TLS 1.2, by their names in RFC 5289 and RFC 7905, as
    /// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`. TLS 1.3 has its own, which all are good. Default: all that
    /// there are.
    pub fn cipher_suites<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.cipher_suites = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Accepts any server as the one that was meant, whatever its certificate says. Whoever is on the
    /// way can then read and change everything. Default: no.
    pub fn danger_accept_invalid_certificates(mut self, accept: bool) -> Self {
        self.accept_invalid = accept;
        self
    }

    /// Accepts a certificate of a trusted authority for whatever server it was given to. Whoever has one
    /// of its certificates can then play the server. Default: no.
    pub fn danger_accept_invalid_hostnames(mut self, accept: bool) -> Self {
        self.accept_names = accept;
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// A certificate or key cannot be read, or they do not belong together, or the name is none, or there
    /// is no such cipher suite.
    pub fn build(self) -> Result<ClientTls, TlsError> {
        let provider = match &self.cipher_suites {
            Some(names) => provider_with(names)?,
            None => provider(),
        };
        let name = match self.name {
            Some(name) => Some(
                ServerName::try_from(name.clone())
                    .map_err(|_| TlsError(format!("{name:?} is no name of a server")))?,
            ),
            None => None,
        };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let verifier: Arc<dyn ServerCertVerifier> = if self.accept_invalid {
            Arc::new(AcceptAny(provider))
        } else if let Some(authorities) = &self.authorities {
            let mut roots = RootCertStore::empty();
            for certificate in read_certificates(authorities)? {
                roots.add(certificate)?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| TlsError(error.to_string()))?
        } else {
            Arc::new(Verifier::new(provider)?)
        };
        let verifier = match self.accept_names {
            true => Arc::new(AcceptAnyName(verifier)),
            false => verifier,
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let config = match &self.identity {
            Some(pem) => builder.with_client_auth_cert(read_certificates(pem)?, read_key(pem)?)?,
            None => builder.with_no_client_auth(),
        };
        Ok(ClientTls { config: Arc::new(config), name })
    }
}

/// Takes any server for the one that was meant. That it has the key of its certificate is checked.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Asks another verifier, and does not mind whose certificate it is.
#[derive(Debug)]
struct AcceptAnyName(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for AcceptAnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};

        match self.0.verify_server_cert(certificate, chain, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The system's verifier, made when it is needed.
#[derive(Debug)]
struct SystemVerifier {
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Result<Verifier, rustls::Error>>,
}

impl SystemVerifier {
    fn get(&self) -> Result<&Verifier, rustls::Error> {
        let made = self.verifier.get_or_init(|| Verifier::new(self.provider.clone()));
        made.as_ref().map_err(Clone::clone)
    }
}

impl ServerCertVerifier for SystemVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.get()?.verify_server_cert(certificate, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.get()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.get()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The same, with these cipher suites of TLS 1.2 only.
fn provider_with(names: &[String]) -> Result<Arc<CryptoProvider>, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    let of = |suite: &SupportedCipherSuite| format!("{:?}", suite.suite());
    let is_old = |suite: &SupportedCipherSuite| suite.tls13().is_none();
    let known: Vec<_> =
        provider.cipher_suites.iter().filter(|suite| is_old(suite)).map(of).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        return Err(TlsError(format!("{name:?} is none of {}", known.join(", "))));
    }
    provider.cipher_suites.retain(|suite| !is_old(suite) || names.contains(&of(suite)));
    Ok(Arc::new(provider))
}

fn read_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError("the certificate cannot be read as PEM".to_owned()))?;
    if certificates.is_empty() {
        return Err(TlsError("no certificate in the PEM".to_owned()));
    }
    Ok(certificates)
}

fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| TlsError("the key cannot be read as PEM".to_owned()))
}

/// A certificate or key that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsError(String);

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}
