//! The self-check: what is measured of a server in this very program, over loopback. Nothing that is measured
//! of another server can be less.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use heartwire::{engineio, repod};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

use super::load::{self, Outcome};
use super::plan::Plan;
use super::progress::Progress;
use super::target::Target;
use crate::exit::Exit;
use crate::termination::Termination;

/// A server in this program, with a thread of its own.
struct Server {
    addr: SocketAddr,
    /// Dropped to end it.
    _running: oneshot::Sender<()>,
}

/// What is measured with a server in this program. `None` when it was interrupted.
pub(super) async fn measure(
    target: &Target,
    plan: &Plan,
    progress: &mut Progress,
    termination: &mut Termination,
) -> Result<Option<Outcome>, Exit> {
    let failed = |error| Exit::failed("cannot run a server for the self-check", error);
    let server = match target {
        Target::EngineIo { .. } => serve_engineio(plan.replies).await,
        Target::Repod { .. } => serve_repod(plan.replies).await,
    };
    let server = server.map_err(failed)?;
    let plan = Plan {
        connections: plan.connections.min(MOST_CONNECTIONS),
        threads: plan.threads.min(MOST_CONNECTIONS),
        connect_rate: None,
        duration: plan.duration.min(DURATION),
        warm_up: WARM_UP,
        ..plan.clone()
    };
    progress.begin("self-check: ");
    load::run(&target.moved_to(server.addr), &plan, progress, termination).await
}

async fn serve_engineio(replies: bool) -> io::Result<Server> {
    struct Echo(bool);

    impl engineio::Handler for Echo {
        fn message(&self, context: &mut engineio::Context<'_>, message: engineio::MessageRef<'_>) {
            if self.0 {
                // It can only fail where nobody listens any more.
                let _ = context.reply(message);
            }
        }
    }

    let server = engineio::Server::builder().max_payload(LIMIT).send_limits(LIMIT, LIMIT).build();
    let server = server.expect("the options are right");
    server.set_handler(Echo(replies));
    start(move |listener| async move { server.serve(listener).await }).await
}

async fn serve_repod(replies: bool) -> io::Result<Server> {
    struct Echo(bool);

    impl repod::Handler for Echo {
        fn message(&self, context: &mut repod::Context<'_>, message: repod::MessageRef<'_>) {
            if self.0 {
                let _ = context.forward(message);
            }
        }
    }

    let server = repod::Server::builder().max_frame(LIMIT).build();
    server.set_handler(Echo(replies));
    start(move |listener| async move { server.serve(listener).await }).await
}

/// Serves on a free port, in a thread of its own.
async fn start<F>(serve: impl FnOnce(TcpListener) -> F + Send + 'static) -> io::Result<Server>
where
    F: Future<Output = ()>,
{
    let (bound, listens) = oneshot::channel();
    let (running, ended) = oneshot::channel::<()>();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("self-check".to_owned()).spawn(move || {
        runtime.block_on(async {
            let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
                Ok(listener) => listener,
                Err(error) => return drop(bound.send(Err(error))),
            };
            let _ = bound.send(listener.local_addr());
            tokio::select! {
                () = serve(listener) => {}
                _ = ended => {}
            }
        });
    })?;
    let addr = listens.await.map_err(|_| io::Error::other("the thread ended"))??;
    Ok(Server { addr, _running: running })
}

/// More connections would not make the floor another.
const MOST_CONNECTIONS: usize = 100;

const DURATION: Duration = Duration::from_secs(1);

const WARM_UP: Duration = Duration::from_millis(200);

/// Bytes that a message may have, however long they are to be.
const LIMIT: usize = 256 << 20;
