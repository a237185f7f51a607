//! The server as the user holds it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use heartwire_proto::engineio::Message;
use heartwire_proto::shared::Ending;

use super::super::disconnected::SendError;
use super::super::outgoing::PreparedMessage;
use super::application::{Application, Handler};
use super::broadcast::Broadcast;
use super::config::{InvalidConfig, ServerBuilder};
use super::connection::Connection;
use super::engine::Engine;
use super::layer::Layer;
use super::service::Service;
use super::stats::Stats;
use crate::callback::HandlerResult;

/// An Engine.IO server. Clones are handles to the same server.
///
/// ```
/// use heartwire::engineio::Server;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::new();
/// server.on_connection(|connection| async move {
///     while let Some(message) = connection.recv().await {
///         connection.send(message).await?;
///     }
///     Ok::<_, heartwire::engineio::SendError>(())
/// });
/// server.listen("127.0.0.1:5000").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Server {
    pub(super) engine: Arc<Engine>,
}

impl ServerBuilder {
    /// Builds the server. It serves once it [listens](Server::listen) or is
    /// [mounted](Server::service).
    ///
    /// # Errors
    ///
    /// Options that contradict each other.
    pub fn build(self) -> Result<Server, InvalidConfig> {
        Ok(Server { engine: Arc::new(Engine::new(self.check()?)) })
    }
}

impl Server {
    /// A server with every option at its default.
    pub fn new() -> Self {
        Self::builder().build().expect("the defaults do not contradict each other")
    }

    /// A server with options.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Runs a future for each connection. It runs in the connection's own task; when it returns, the
    /// connection is closed, and an error is reported.
    ///
    /// # Panics
    ///
    /// If the server has a handler already.
    pub fn on_connection<F, Fut>(&self, on_connection: F)
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerResult> + Send + 'static,
    {
        self.engine.set_application(Application::futures(on_connection));
    }

    /// Calls `handler` for each message: the way with the least work a message.
    ///
    /// # Panics
    ///
    /// If the server has a handler already.
    pub fn set_handler(&self, handler: impl Handler) {
        self.engine.set_application(Application::Handler(Box::new(handler)));
    }

    /// The server as a service, to be mounted in a router. Until a handler is set, clients are told
    /// that the service is unavailable.
    pub fn service(&self) -> Service {
        Service::new(self.engine.clone())
    }

    /// The server in front of another service: requests to its path are its own, all others pass.
    pub fn layer(&self) -> Layer {
        Layer::new(self.engine.clone())
    }

    /// Sends a message to every client. It is encoded once. Returns the clients that did not take it,
    /// because too much waits for them already.
    ///
    /// On a runtime with one thread, whoever has nothing waiting is written to at once; where there are
    /// several, they share the work.
    pub fn broadcast(&self, message: impl Into<Message>) -> Vec<Connection> {
        self.broadcast_where(message, |_| true)
    }

    /// Sends a message to every client that `wants` it, as [`broadcast`](Self::broadcast) does.
    pub fn broadcast_where(
        &self,
        message: impl Into<Message>,
        mut wants: impl FnMut(&Connection) -> bool,
    ) -> Vec<Connection> {
        let mut broadcast = Broadcast::new(&self.engine, PreparedMessage::new(message));
        let mut full = vec![];
        self.engine.sessions.for_each(|shared| {
            let connection = Connection { shared };
            if wants(&connection)
                && let Err(SendError::Full { .. }) = broadcast.send(&connection)
            {
                full.push(connection);
            }
        });
        full
    }

    /// Every client that is connected.
    pub fn connections(&self) -> Vec<Connection> {
        self.engine.sessions.connections()
    }

    /// The client with this session id.
    pub fn connection(&self, id: &str) -> Option<Connection> {
        self.engine.sessions.get(id).map(|shared| Connection { shared })
    }

    /// Clients that are connected.
    pub fn len(&self) -> usize {
        self.engine.sessions.len()
    }

    /// Whether no client is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the server has done so far, in numbers. It costs little, whatever the server does meanwhile.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Stops the server: no new clients, and those that are connected are sent what waits for them and
    /// closed. Those that have not gone after `patience` are cut off. Returns when all have gone and
    /// their handlers have returned.
    pub async fn close(&self, patience: Duration) {
        self.engine.lifecycle.drain();
        self.engine.sessions.for_each(|shared| shared.mailbox.close(Ending::Flush));
        if tokio::time::timeout(patience, self.engine.lifecycle.idle()).await.is_err() {
            self.engine.sessions.for_each(|shared| shared.mailbox.close(Ending::Discard));
            // Farewells are cut off too.
            self.engine.lifecycle.stop();
            self.engine.lifecycle.idle().await;
        }
        self.engine.lifecycle.stop();
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("connections", &self.len()).finish_non_exhaustive()
    }
}
