//! The mailbox in every order of events that weak memory allows: what one thread has written, another may
//! see late, where no lock is between them. loom tries all of them, with three changes of the thread at most
//! where none has to wait.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use heartwire_proto::shared::{Ending, Limits, Weight};
use loom::future::block_on;
use loom::model::Builder;
use loom::thread;

use crate::mailbox::Mailbox;
use crate::sync::Mutex;

/// As `sync` in heartwire.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use loom::sync::{Mutex, MutexGuard};

    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    }
}

#[path = "../../heartwire/src/mailbox.rs"]
#[expect(dead_code, reason = "not everything is modelled")]
mod mailbox;

const LIMITS: Limits = Limits { messages: 10, bytes: 10 };

fn main() {
    for (name, threads) in [
        ("pushes", pushes as fn()),
        ("pushes and closes", pushes_and_closes),
        ("sends directly", sends_directly),
    ] {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(threads);
        println!("{name}: all is well");
    }
}

/// A driver that sleeps is woken by what is pushed, and sees it.
fn pushes() {
    let mailbox = Arc::new(Mailbox::new(LIMITS));
    let sender = {
        let mailbox = mailbox.clone();
        thread::spawn(move || {
            for number in 0..2 {
                assert!(mailbox.push(Letter(number)).is_ok(), "there is room, and it is open");
            }
            mailbox.close(Ending::Flush);
        })
    };
    let mut network = vec![];
    block_on(poll_fn(|cx| poll_drive(&mailbox, cx, &mut network)));
    sender.join().expect("it does not panic");
    assert_eq!(network, [Letter(0), Letter(1)]);
}

/// What is accepted beside a close arrives.
fn pushes_and_closes() {
    let mailbox = Arc::new(Mailbox::new(LIMITS));
    let sender = {
        let mailbox = mailbox.clone();
        thread::spawn(move || mailbox.push(Letter(0)).is_ok())
    };
    let closer = {
        let mailbox = mailbox.clone();
        thread::spawn(move || mailbox.close(Ending::Flush))
    };
    let mut network = vec![];
    block_on(poll_fn(|cx| poll_drive(&mailbox, cx, &mut network)));
    closer.join().expect("it does not panic");
    let accepted = sender.join().expect("it does not panic");
    assert_eq!(network.len(), usize::from(accepted));
    assert_eq!(mailbox.close_and_drain(), []);
}

/// Who sends takes the driver's place if it sleeps: the driver is woken for what is left, and for the end.
fn sends_directly() {
    let mailbox = Arc::new(Mailbox::new(LIMITS));
    let network = Arc::new(Mutex::new(vec![]));
    let sender = {
        let (mailbox, network) = (mailbox.clone(), network.clone());
        thread::spawn(move || {
            for number in 0..2 {
                let asleep = mailbox.push_quietly(Letter(number));
                if asleep.expect("there is room, and it is open") {
                    let sent = network.try_lock().is_ok_and(|mut network| {
                        mailbox.visit(|queue| {
                            network.extend(queue.pop());
                            queue.is_empty() && queue.ending() == Ending::Open
                        })
                    });
                    if !sent {
                        mailbox.wake_sender();
                    }
                }
            }
            mailbox.close(Ending::Flush);
        })
    };
    block_on(poll_fn(|cx| {
        let mut network = network.lock().expect("nobody panics with it");
        poll_drive(&mailbox, cx, &mut network)
    }));
    sender.join().expect("it does not panic");
    let network = network.lock().expect("nobody panics with it");
    assert_eq!(*network, [Letter(0), Letter(1)]);
}

fn poll_drive(mailbox: &Mailbox<Letter>, cx: &Context<'_>, network: &mut Vec<Letter>) -> Poll<()> {
    while mailbox.is_dirty() {
        let ended = mailbox.attend(cx, |queue| match queue.pop() {
            Some(letter) => {
                network.push(letter);
                false
            }
            None => queue.ending() != Ending::Open,
        });
        if ended {
            return Poll::Ready(());
        }
    }
    Poll::Pending
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Letter(u32);

impl Weight for Letter {
    fn weight(&self) -> usize {
        1
    }
}
