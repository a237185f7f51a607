//! Messages that say who has sent them, and as what number.

use heartwire_proto::shared::Weight;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Letter {
    pub(crate) sender: usize,
    pub(crate) number: usize,
}

impl Weight for Letter {
    fn weight(&self) -> usize {
        1
    }
}

/// Every message of every sender is there, once, and in the order in which it was sent.
pub(crate) fn check(letters: &[Letter], sent: &[usize]) {
    for (sender, count) in sent.iter().enumerate() {
        let numbers = letters.iter().filter(|letter| letter.sender == sender);
        let numbers: Vec<_> = numbers.map(|letter| letter.number).collect();
        assert_eq!(numbers, (0..*count).collect::<Vec<_>>(), "of sender {sender}");
    }
    assert_eq!(letters.len(), sent.iter().sum::<usize>());
}
