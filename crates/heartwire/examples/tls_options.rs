//! A server whose certificate an authority of one's own has signed.
//!
//! Try it: `cargo run --example tls_options -- https://localhost:5443 ca-bundle.pem`.

use std::time::Duration;

use heartwire::blocking::engineio::Client;
use heartwire::engineio;
use heartwire::tls::ClientTls;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let server = args.next().unwrap_or_else(|| "https://localhost:5443".to_owned());
    let authorities = std::fs::read(args.next().unwrap_or_else(|| "ca-bundle.pem".to_owned()))?;

    let client = Client::new();
    client.connect_with(
        engineio::Client::builder(server)
            .tls(ClientTls::builder().authorities(authorities).build()?)
            .request_timeout(Duration::from_secs(10)),
    )?;
    println!("Connected over TLS");
    client.disconnect();
    Ok(())
}
