//! The client as a stream and a sink.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
use futures_sink::Sink;
use heartwire::engineio::client::{Client, Event};
use heartwire::engineio::{DisconnectReason, Message, SendError, Server};

use super::super::support::{WAYS, client, numbered, silent};
use crate::support::run;

#[test]
fn messages_go_through_a_sink_and_events_come_by_a_stream() {
    run(async {
        for (name, transports) in WAYS {
            let mut server = silent(Server::builder()).await;
            let builder = client(server.url(), transports).send_limits(10, 1000);
            let mut client = builder.connect().await.unwrap();
            let sent = numbered("message", 500);
            for message in &sent {
                feed(&mut client, message.clone()).await.unwrap();
            }
            poll_fn(|cx| Pin::new(&mut client).poll_flush(cx)).await.unwrap();
            assert_eq!(client.waiting(), (0, 0), "{name}");
            assert_eq!(server.messages(500).await, sent, "{name}");
            poll_fn(|cx| Pin::new(&mut client).poll_close(cx)).await.unwrap();
            let mut last = None;
            while let Some(event) = poll_fn(|cx| Stream::poll_next(Pin::new(&mut client), cx)).await
            {
                last = Some(event);
            }
            match last {
                Some(Event::Disconnected(end)) => {
                    assert_eq!(end.reason, DisconnectReason::ClientDisconnect, "{name}");
                    assert_eq!(end.unsent, 0, "{name}");
                }
                other => panic!("{other:?}"),
            }
            assert!(matches!(feed(&mut client, "late".into()).await, Err(SendError::Closed(_))));
        }
    });
}

async fn feed(client: &mut Client, message: Message) -> Result<(), SendError> {
    poll_fn(|cx| Pin::new(&mut *client).poll_ready(cx)).await?;
    Pin::new(client).start_send(message)
}
