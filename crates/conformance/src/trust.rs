//! Whose certificates count.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use rustls_platform_verifier::Verifier;

/// Whose certificates count, of servers with TLS.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

/// Certificates that cannot be used.
#[derive(Debug)]
pub struct InvalidTrust(String);

impl Trust {
    /// Those that the system trusts.
    ///
    /// # Errors
    ///
    /// The system's certificates cannot be read.
    pub fn system() -> Result<Self, InvalidTrust> {
        let verifier =
            Verifier::new(provider()).map_err(|error| InvalidTrust(error.to_string()))?;
        Ok(Self::with(Arc::new(verifier)))
    }

    /// Those that these authorities have signed, given in PEM, and no others.
    ///
    /// # Errors
    ///
    /// It is no PEM, or holds no certificate of an authority.
    pub fn authorities(pem: &[u8]) -> Result<Self, InvalidTrust> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate
                .map_err(|_| InvalidTrust("the certificate cannot be read as PEM".to_owned()))?;
            roots.add(certificate).map_err(|error| InvalidTrust(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(InvalidTrust("no certificate in the PEM".to_owned()));
        }
        let config = Self::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Anybody's. Whoever is on the way can then play the server.
    pub fn anybody() -> Self {
        Self::with(Arc::new(Anybody(provider())))
    }

    fn with(verifier: Arc<dyn ServerCertVerifier>) -> Self {
        let builder = Self::builder().dangerous().with_custom_certificate_verifier(verifier);
        Self(Arc::new(builder.with_no_client_auth()))
    }

    fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has the versions of its own crate")
    }

    /// Agrees on TLS with the server at the other end.
    pub(crate) fn secure(
        &self,
        host: &str,
        mut stream: TcpStream,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, Error> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
        let mut tls = ClientConnection::new(self.0.clone(), name).map_err(Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(tls, stream))
    }
}

/// Tells the peer that nothing more will come.
pub(crate) fn end(tls: &mut StreamOwned<ClientConnection, TcpStream>) {
    tls.conn.send_close_notify();
    // Whether it arrives shows when the answer is read.
    let _ = tls.conn.write_tls(&mut tls.sock);
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl fmt::Display for InvalidTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidTrust {}

/// Takes every certificate; who shows it still has to have its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
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
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
