//! How a client reaches an Engine.IO server.

use std::path::Path;

use heartwire::engineio::client::Client;
use heartwire::engineio::{ClientBuilder, PerMessageDeflate};

use crate::args::Access;
use crate::exit::Exit;

impl Access {
    /// The client of the server at `url` that the arguments describe.
    pub(crate) fn client(&self, url: &str) -> Result<ClientBuilder, Exit> {
        let mut builder = Client::builder(url).path(&self.path);
        for header in &self.header {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| Exit::Usage(format!("header {header:?}, expected Name: value")))?;
            builder = builder.header(name.trim(), value.trim());
        }
        if let Some(cookie) = self.cookie.iter().find(|cookie| !cookie.contains('=')) {
            return Err(Exit::Usage(format!("cookie {cookie:?}, expected name=value")));
        }
        if !self.cookie.is_empty() {
            builder = builder.header("cookie", self.cookie.join("; "));
        }
        if let Some(file) = &self.cacert {
            builder = builder.authorities(read(file)?);
        }
        if let Some(file) = &self.cert {
            let mut identity = read(file)?;
            if let Some(file) = &self.key {
                identity.push(b'\n');
                identity.extend(read(file)?);
            }
            builder = builder.identity(identity);
        }
        if let Some(bytes) = self.websocket_compression {
            builder = builder.per_message_deflate(PerMessageDeflate::new().threshold(bytes));
        }
        builder = builder.danger_accept_invalid_certificates(self.insecure);
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy);
        }
        if self.no_proxy {
            builder = builder.no_proxy();
        }
        Ok(builder)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Exit> {
    std::fs::read(file)
        .map_err(|error| Exit::Usage(format!("cannot read {}: {error}", file.display())))
}
