//! engineioxide on hyper, a server that sends messages back, and those that begin with a B to everybody:
//! `PORT [THREADS]`.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engineioxide::handler::EngineIoHandler;
use engineioxide::service::EngineIoService;
use engineioxide::{DisconnectReason, Socket, Str};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;

#[derive(Debug, Default)]
struct Echo {
    sockets: Mutex<HashMap<String, Arc<Socket<()>>>>,
}

impl EngineIoHandler for Echo {
    type Data = ();

    fn on_connect(self: Arc<Self>, socket: Arc<Socket<()>>) {
        self.sockets.lock().unwrap().insert(socket.id.to_string(), socket);
    }

    fn on_disconnect(&self, socket: Arc<Socket<()>>, _: DisconnectReason) {
        self.sockets.lock().unwrap().remove(&socket.id.to_string());
    }

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket<()>>) {
        // A message that does not fit is missed by the load, which ends the run.
        if message.as_bytes().first() == Some(&b'B') {
            for socket in self.sockets.lock().unwrap().values() {
                let _ = socket.emit(message.clone());
            }
        } else {
            let _ = socket.emit(message);
        }
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket<()>>) {
        let _ = socket.emit_binary(data);
    }
}

fn main() -> io::Result<()> {
    let trial = trial::server::Server::from_args();
    trial.runtime()?.block_on(async {
        let service = EngineIoService::new(Arc::new(Echo::default()));
        let listener = trial.listen()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service.clone();
            tokio::spawn(async move {
                let http = http1::Builder::new();
                let connection = http.serve_connection(TokioIo::new(stream), service);
                let _ = connection.with_upgrades().await;
            });
        }
    })
}
