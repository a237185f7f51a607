//! An Engine.IO server that sends messages back, and those that begin with a B to everybody: `PORT [THREADS]`.

use std::io;

use heartwire::engineio::{Context, Handler, MessageRef, Server};

struct Echo {
    server: Server,
}

impl Handler for Echo {
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        match message {
            MessageRef::Text(text) if text.starts_with('B') => {
                let full = self.server.broadcast(text);
                assert!(full.is_empty(), "the load leaves room for its messages");
            }
            message => context.reply(message).expect("the load leaves room for its messages"),
        }
    }
}

fn main() -> io::Result<()> {
    let trial = trial::server::Server::from_args();
    trial.runtime()?.block_on(async {
        let server = Server::new();
        server.set_handler(Echo { server: server.clone() });
        server.serve(trial.listen()?).await;
        Ok(())
    })
}
