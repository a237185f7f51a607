//! The server as the user holds it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use heartwire_proto::repod::{EncodeError, Frame};
use heartwire_proto::shared::Ending;
use serde::Serialize;

use super::super::disconnected::SendError;
use super::application::{Application, Handler};
use super::channel::{Channel, ChannelId};
use super::config::ServerBuilder;
use super::engine::Engine;
use crate::callback::HandlerResult;

/// A repod server. Clones are handles to the same server.
///
/// ```
/// use heartwire::repod::{SendError, Server};
///
/// # async fn run() -> std::io::Result<()> {
/// let server = Server::new();
/// server.on_connection(|channel| async move {
///     while let Some(message) = channel.recv().await {
///         channel.send(&message).await?;
///     }
///     Ok::<_, SendError>(())
/// });
/// server.listen("127.0.0.1:5071").await
/// # }
/// ```
#[derive(Clone)]
pub struct Server {
    pub(super) engine: Arc<Engine>,
}

impl ServerBuilder {
    /// Builds the server. It serves once it [listens](Server::listen).
    pub fn build(self) -> Server {
        Server { engine: Arc::new(Engine::new(self.options)) }
    }
}

impl Server {
    /// A server with every option at its default.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A server with options.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Runs a future for each channel. It runs in the channel's own task; when it returns, the channel
    /// is closed, and an error is reported.
    ///
    /// # Panics
    ///
    /// If the server has a handler already.
    pub fn on_connection<F, Fut>(&self, on_connection: F)
    where
        F: Fn(Channel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerResult> + Send + 'static,
    {
        self.engine.set_application(Application::futures(on_connection));
    }

    /// Calls `handler` for each message: the way with the least work a message. For callbacks by
    /// action, give it [`Actions`](super::Actions).
    ///
    /// # Panics
    ///
    /// If the server has a handler already.
    pub fn set_handler(&self, handler: impl Handler) {
        self.engine.set_application(Application::Handler(Box::new(handler)));
    }

    /// Sends a message to every client. It is encoded once. Returns the clients that did not take it,
    /// because too much waits for them already.
    ///
    /// # Errors
    ///
    /// The value cannot be sent by anybody.
    pub fn send_to_all<T: Serialize + ?Sized>(
        &self,
        message: &T,
    ) -> Result<Vec<Channel>, EncodeError> {
        Ok(self.send_frame_to_all(&Frame::encode(message)?))
    }

    /// Sends a message that is encoded already to every client, as [`send_to_all`](Self::send_to_all)
    /// does.
    pub fn send_frame_to_all(&self, frame: &Frame) -> Vec<Channel> {
        self.engine.channels().values().filter(|channel| is_full(channel, frame)).cloned().collect()
    }

    /// Sends a message that is encoded already to every client that `wants` it, as
    /// [`send_to_all`](Self::send_to_all) does.
    pub fn send_frame_where(
        &self,
        frame: &Frame,
        mut wants: impl FnMut(&Channel) -> bool,
    ) -> Vec<Channel> {
        // `wants` may do what it likes, so it is not asked under the lock.
        let mut channels = self.channels();
        channels.retain(|channel| wants(channel) && is_full(channel, frame));
        channels
    }

    /// Every client that is connected.
    pub fn channels(&self) -> Vec<Channel> {
        self.engine.channels().values().cloned().collect()
    }

    /// The client with this id, if it is connected.
    pub fn channel(&self, id: ChannelId) -> Option<Channel> {
        self.engine.channels().get(&id).cloned()
    }

    /// Clients that are connected.
    pub fn len(&self) -> usize {
        self.engine.channels().len()
    }

    /// Whether no client is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stops the server: no new clients, and those that are connected are sent what waits for them and
    /// closed. Those that have not gone after `patience` are cut off. Returns when all have gone and
    /// their handlers have returned.
    pub async fn close(&self, patience: Duration) {
        let lifecycle = &self.engine.lifecycle;
        lifecycle.drain();
        self.close_all(Ending::Flush);
        if tokio::time::timeout(patience, lifecycle.idle()).await.is_err() {
            self.close_all(Ending::Discard);
            lifecycle.stop();
            lifecycle.idle().await;
        }
        lifecycle.stop();
    }

    fn close_all(&self, ending: Ending) {
        for channel in self.engine.channels().values() {
            channel.shared.mailbox.close(ending);
        }
    }
}

/// Sends a message to a client, and says whether too much waits for it already.
fn is_full(channel: &Channel, frame: &Frame) -> bool {
    matches!(channel.try_send_frame(frame.clone()), Err(SendError::Full { .. }))
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("channels", &self.len()).finish_non_exhaustive()
    }
}
