//! The inbox, and how a connection ended: one tells, many ask.

use std::future::poll_fn;
use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::thread;

use crate::inbox::Inbox;
use crate::letter::{Letter, check};
use crate::outcome::Outcome;

/// A full inbox stops the driver until somebody has received; every message goes to one of those who do.
pub(crate) fn receives() {
    // Room for one: an item costs 64 bytes besides its own.
    let inbox = Arc::new(Inbox::new(60));
    let driver = {
        let inbox = inbox.clone();
        thread::spawn(move || {
            for number in 0..4 {
                block_on(poll_fn(|cx| inbox.poll_room(cx)));
                inbox.push(Letter { sender: 0, number });
            }
            inbox.close();
        })
    };
    let one = {
        let inbox = inbox.clone();
        thread::spawn(move || {
            let mut received = vec![];
            while let Some(letter) = block_on(poll_fn(|cx| inbox.poll_take(cx))) {
                received.push(letter);
            }
            received
        })
    };
    let many = {
        let inbox = inbox.clone();
        thread::spawn(move || {
            let mut received = vec![];
            while block_on(poll_fn(|cx| inbox.poll_take_many(cx, 2, &mut received))) > 0 {}
            received
        })
    };
    driver.join().expect("it does not panic");
    let mut letters = one.join().expect("it does not panic");
    let others = many.join().expect("it does not panic");
    for received in [&letters, &others] {
        assert!(received.is_sorted_by_key(|letter| letter.number), "{received:?}");
    }
    letters.extend(others);
    letters.sort_by_key(|letter| letter.number);
    check(&letters, &[4]);
}

/// Of those who end a connection one tells the user, and whoever waits for the end is woken.
pub(crate) fn ends() {
    let outcome = Arc::new(Outcome::new());
    let waiting = [(); 2].map(|()| {
        let outcome = outcome.clone();
        thread::spawn(move || block_on(outcome.wait()))
    });
    let ending = [1, 2].map(|who| {
        let outcome = outcome.clone();
        thread::spawn(move || {
            let first = outcome.begin();
            if first {
                outcome.set(who);
            }
            first
        })
    });
    let told = ending.map(|end| end.join().expect("it does not panic"));
    assert_eq!(told.iter().filter(|told| **told).count(), 1);
    let first = if told[0] { 1 } else { 2 };
    waiting.into_iter().for_each(|wait| assert_eq!(wait.join().ok(), Some(first)));
}
