//! A repod server that sends messages back: `PORT [THREADS]`.

use std::io;

use heartwire::repod::{Context, Handler, MessageRef, Server};

struct Echo;

impl Handler for Echo {
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        context.forward(message).expect("the load leaves room for its messages");
    }
}

fn main() -> io::Result<()> {
    let trial = trial::server::Server::from_args();
    trial.runtime()?.block_on(async {
        let server = Server::new();
        server.set_handler(Echo);
        server.serve(trial.listen()?).await;
        Ok(())
    })
}
