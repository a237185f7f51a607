//! The server's certificate, and how it is replaced while the server runs.

use std::path::{Path, PathBuf};

use heartwire::tls::ServerTls;
use serde_json::json;

use crate::args::Serve;
use crate::exit::Exit;
use crate::output::{Format, note};

/// A certificate and key, and the files that they come from.
pub(super) struct Certificate {
    pub(super) tls: ServerTls,
    files: Files,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    /// Reads the certificate, if one is to be used. From here on the signal to read it again is not
    /// missed.
    pub(super) fn read(args: &Serve) -> Result<Option<Self>, Exit> {
        let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) else {
            return Ok(None);
        };
        let files = Files { certificate: certificate.clone(), key: key.clone() };
        let (certificate, key) = files.read().map_err(Exit::Failed)?;
        let tls = ServerTls::from_pem(certificate, key)
            .map_err(|error| Exit::failed(files.certificate.display(), error))?;
        Ok(Some(Self {
            tls,
            files,
            #[cfg(unix)]
            hangup: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
                .map_err(|error| Exit::failed("cannot wait for signals", error))?,
        }))
    }

    /// Reads the files again whenever the program is told to. What cannot be used changes nothing.
    #[cfg(unix)]
    pub(super) async fn keep_fresh(mut self, format: Format) {
        while self.hangup.recv().await.is_some() {
            let read = self.files.read();
            let reloaded = read.and_then(|(certificate, key)| {
                self.tls.reload(certificate, key).map_err(|error| error.to_string())
            });
            if format == Format::Words {
                note(&match &reloaded {
                    Ok(()) => "certificate read again".to_owned(),
                    Err(error) => format!("the old certificate stays: {error}"),
                });
            } else {
                let error = reloaded.err();
                let json =
                    json!({"event": "certificate", "reloaded": error.is_none(), "error": error});
                // Who does not read the output is no reason to stop serving.
                let _ = format.print("", json);
            }
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn keep_fresh(self, _: Format) {
        std::future::pending().await
    }
}

impl Files {
    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        Ok((read(&self.certificate)?, read(&self.key)?))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}
