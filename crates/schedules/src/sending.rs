//! The mailbox: many send, one takes what its transport can carry, somebody closes.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use heartwire_proto::shared::{Ending, Limits, PushError};
use shuttle::future::block_on;
use shuttle::thread;

use crate::letter::{Letter, check};
use crate::mailbox::Mailbox;
use crate::sync::{Mutex, PoisonError};

const LIMITS: Limits = Limits { messages: 2, bytes: 100 };

/// Senders wait for room; nobody sleeps for ever, and everything arrives in order.
pub(crate) fn sends() {
    let mailbox = Arc::new(Mailbox::new(LIMITS));
    let senders = [0, 1].map(|sender| {
        let mailbox = mailbox.clone();
        thread::spawn(move || {
            for number in 0..3 {
                let pushed = block_on(mailbox.push_when_ready(Letter { sender, number }));
                assert!(pushed.is_ok(), "it is open");
            }
        })
    });
    let driver = {
        let mailbox = mailbox.clone();
        thread::spawn(move || block_on(drive(&mailbox)))
    };
    senders.into_iter().for_each(|sender| sender.join().expect("it does not panic"));
    mailbox.close(Ending::Flush);
    check(&driver.join().expect("it does not panic"), &[3, 3]);
}

/// What was accepted before the end is sent or left over, and who waits for room is told.
pub(crate) fn closes_while_sending(ending: Ending) {
    let mailbox = Arc::new(Mailbox::new(LIMITS));
    let waiting = {
        let mailbox = mailbox.clone();
        thread::spawn(move || {
            (0..3)
                .take_while(|&number| {
                    block_on(mailbox.push_when_ready(Letter { sender: 0, number })).is_ok()
                })
                .count()
        })
    };
    let trying = {
        let mailbox = mailbox.clone();
        thread::spawn(move || {
            let mut accepted = 0;
            for _ in 0..3 {
                match mailbox.push(Letter { sender: 1, number: accepted }) {
                    Ok(()) => accepted += 1,
                    Err(PushError::Full { .. }) => {}
                    Err(PushError::Closed(_)) => break,
                }
            }
            accepted
        })
    };
    let driver = {
        let mailbox = mailbox.clone();
        thread::spawn(move || {
            let mut sent = block_on(drive(&mailbox));
            if ending == Ending::Flush {
                let left = mailbox.close_and_drain();
                assert_eq!(left, [], "everything was flushed");
            } else {
                sent.extend(mailbox.close_and_drain());
            }
            sent
        })
    };
    mailbox.close(ending);
    let sent = driver.join().expect("it does not panic");
    let accepted = [waiting, trying].map(|sender| sender.join().expect("it does not panic"));
    check(&sent, &accepted);
    assert!(mailbox.push(Letter { sender: 0, number: 0 }).is_err(), "it is over");
    assert_eq!(mailbox.waiting(), (0, 0));
}

/// Who sends writes to the network himself, if the driver sleeps and nobody else does.
pub(crate) fn sends_directly() {
    let mailbox = Arc::new(Mailbox::new(Limits { messages: 10, bytes: 100 }));
    let network = Arc::new(Mutex::new(vec![]));
    let senders = [0, 1].map(|sender| {
        let (mailbox, network) = (mailbox.clone(), network.clone());
        thread::spawn(move || {
            for number in 0..2 {
                let asleep = mailbox.push_quietly(Letter { sender, number });
                let asleep = asleep.unwrap_or_else(|_| panic!("there is room, and it is open"));
                if asleep && !send_directly(&mailbox, &network) {
                    mailbox.wake_sender();
                }
            }
        })
    });
    let driver = {
        let (mailbox, network) = (mailbox.clone(), network.clone());
        thread::spawn(move || {
            block_on(poll_fn(|cx| {
                let mut network = network.lock().unwrap_or_else(PoisonError::into_inner);
                poll_drive(&mailbox, cx, &mut network)
            }));
        })
    };
    senders.into_iter().for_each(|sender| sender.join().expect("it does not panic"));
    mailbox.close(Ending::Flush);
    driver.join().expect("it does not panic");
    check(&network.lock().unwrap_or_else(PoisonError::into_inner), &[2, 2]);
}

fn send_directly(mailbox: &Mailbox<Letter>, network: &Mutex<Vec<Letter>>) -> bool {
    let Ok(mut network) = network.try_lock() else { return false };
    mailbox.visit(|queue| {
        if queue.ending() == Ending::Open {
            network.extend(queue.pop());
        }
        queue.is_empty() && queue.ending() == Ending::Open
    })
}

/// What a driver does until its connection has ended.
async fn drive(mailbox: &Mailbox<Letter>) -> Vec<Letter> {
    let mut network = vec![];
    poll_fn(|cx| poll_drive(mailbox, cx, &mut network)).await;
    network
}

fn poll_drive(mailbox: &Mailbox<Letter>, cx: &Context<'_>, network: &mut Vec<Letter>) -> Poll<()> {
    while mailbox.is_dirty() {
        let ended = mailbox.attend(cx, |queue| match queue.ending() {
            Ending::Discard => true,
            Ending::Flush | Ending::Open => match queue.pop() {
                Some(letter) => {
                    network.push(letter);
                    false
                }
                None => queue.ending() == Ending::Flush,
            },
        });
        if ended {
            return Poll::Ready(());
        }
    }
    Poll::Pending
}

/// Whoever waits for the queue to be empty, for its end, or for another word is woken.
pub(crate) fn waits() {
    let mailbox = Arc::new(Mailbox::new(LIMITS));
    let empty = {
        let mailbox = mailbox.clone();
        thread::spawn(move || block_on(poll_fn(|cx| mailbox.poll_empty(cx))))
    };
    let owner = {
        let mailbox = mailbox.clone();
        thread::spawn(move || block_on(mailbox.ending()))
    };
    let sender = {
        let mailbox = mailbox.clone();
        thread::spawn(move || mailbox.push(Letter { sender: 0, number: 0 }).is_ok())
    };
    let driver = {
        let mailbox = mailbox.clone();
        thread::spawn(move || block_on(drive(&mailbox)))
    };
    let accepted = sender.join().expect("it does not panic");
    empty.join().expect("it does not panic");
    mailbox.close(Ending::Flush);
    assert_eq!(owner.join().expect("it does not panic"), Ending::Flush);
    check(&driver.join().expect("it does not panic"), &[usize::from(accepted)]);
}
