//! `heartwire serve`: a server of each protocol.

mod certificate;

mod engineio;

mod metrics;

mod repod;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};

use self::certificate::Certificate;
use self::metrics::Servers;
use crate::args::Serve;
use crate::exit::Exit;
use crate::output::{BOLD, Format, note};
use crate::termination::Termination;

pub(crate) fn run(args: Serve) -> Result<(), Exit> {
    runtime(args.threads)?.block_on(serve(args))
}

/// One thread needs no scheduler that moves work between threads.
fn runtime(threads: Option<u16>) -> Result<Runtime, Exit> {
    let threads = match threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, Into::into),
    };
    let mut builder = if threads == 1 {
        runtime::Builder::new_current_thread()
    } else {
        runtime::Builder::new_multi_thread()
    };
    let runtime = builder.worker_threads(threads).enable_all().build();
    runtime.map_err(|error| Exit::failed("cannot start threads", error))
}

async fn serve(args: Serve) -> Result<(), Exit> {
    let format = Format::new(args.json);
    // From here on signals are waited for: whoever sees that the program listens may send one.
    let mut termination = Termination::new()?;
    let certificate = Certificate::read(&args)?;
    let engineio = match args.engineio_addr() {
        Some(addr) => Some((engineio::build(&args)?, listen(addr).await?)),
        None => None,
    };
    let repod = match args.repod {
        Some(addr) => Some((repod::build(&args), listen(addr).await?)),
        None => None,
    };
    let metrics = match args.metrics {
        Some(addr) => Some((metrics::install()?, listen(addr).await?)),
        None => None,
    };
    if let Some((_, listener)) = &engineio {
        let (words, json) = engineio::listening(listener.local_addr()?, &args);
        format.print(&words, json)?;
    }
    if let Some((_, listener)) = &repod {
        let (words, json) = repod::listening(listener.local_addr()?, &args);
        format.print(&words, json)?;
    }
    if let Some((numbers, listener)) = metrics {
        let url = format!("http://{}/metrics", listener.local_addr()?);
        let json = json!({"event": "metrics", "url": url});
        format.print(&format!("{BOLD}metrics{BOLD:#} at {url}"), json)?;
        let servers = Servers {
            engineio: engineio.as_ref().map(|(server, _)| server.clone()),
            repod: repod.as_ref().map(|(server, _)| server.clone()),
        };
        tokio::spawn(metrics::serve(listener, servers, numbers));
    }
    let tls = certificate.map(|certificate| {
        let tls = certificate.tls.clone();
        tokio::spawn(certificate.keep_fresh(format));
        tls
    });
    let engineio = engineio.map(|(server, listener)| {
        let serving = server.clone();
        let task = tokio::spawn(async move {
            match tls {
                Some(tls) => serving.serve_tls(listener, &tls).await,
                None => serving.serve(listener).await,
            }
        });
        (server, task)
    });
    let repod = repod.map(|(server, listener)| {
        let serving = server.clone();
        (server, tokio::spawn(async move { serving.serve(listener).await }))
    });
    let signal = termination.wait().await;
    let connections = engineio.as_ref().map_or(0, |(server, _)| server.len())
        + repod.as_ref().map_or(0, |(server, _)| server.len());
    if format == Format::Words {
        let plural = if connections == 1 { "" } else { "s" };
        note(&format!("{signal}: closing {connections} connection{plural}"));
    }
    let close_engineio = async {
        if let Some((server, serving)) = engineio {
            server.close(DRAIN).await;
            let _ = serving.await;
        }
    };
    let close_repod = async {
        if let Some((server, serving)) = repod {
            server.close(DRAIN).await;
            let _ = serving.await;
        }
    };
    tokio::select! {
        _ = async { tokio::join!(close_engineio, close_repod) } => {}
        _ = termination.wait() => return Err(Exit::Interrupted),
    }
    format.print("stopped", json!({"event": "stopped", "connections": connections}))?;
    Ok(())
}

async fn listen(addr: SocketAddr) -> Result<TcpListener, Exit> {
    heartwire::listen(addr)
        .await
        .map_err(|error| Exit::failed(format!("cannot listen on {addr}"), error))
}

/// Time for clients to take what waits for them when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
