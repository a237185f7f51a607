//! Messages on their way: which of them the peer's system may not have, given how many bytes it has not
//! confirmed.

/// Messages that were written, the latest of them, by the bytes that carry them.
///
/// What a connection has written long ago has arrived long ago, so it is enough to know the latest writes. Where
/// there are more than fit, the oldest are forgotten if the peer's system has them, and else neighbours are made
/// one: then a few more messages count as being on their way than are.
#[derive(Debug, Default)]
pub(crate) struct Transit {
    /// From the oldest to the latest.
    legs: [Leg; LEGS],
    used: usize,
}

/// Bytes that were written together, and the messages that end in them.
#[derive(Clone, Copy, Debug, Default)]
struct Leg {
    bytes: usize,
    messages: usize,
}

impl Transit {
    /// Takes the news that `bytes` more were written, in which `messages` end. `outstanding` says how many
    /// bytes the peer's system has not confirmed, these included.
    #[inline]
    pub(crate) fn sent(
        &mut self,
        messages: usize,
        bytes: usize,
        outstanding: impl FnOnce() -> usize,
    ) {
        if bytes == 0 {
            return;
        }
        let leg = Leg { bytes, messages };
        match self.legs[..self.used].last_mut() {
            // Nothing that anybody counts.
            Some(last) if messages == 0 && last.messages == 0 => last.bytes += bytes,
            _ if self.used < LEGS => {
                self.legs[self.used] = leg;
                self.used += 1;
            }
            _ => self.replace(leg, outstanding()),
        }
    }

    /// Messages of which the peer's system may not have everything, if it has not confirmed the last
    /// `outstanding` bytes.
    pub(crate) fn messages(&self, outstanding: usize) -> usize {
        self.legs[self.oldest(outstanding)..self.used].iter().map(|leg| leg.messages).sum()
    }

    /// The oldest leg of the last `outstanding` bytes.
    fn oldest(&self, outstanding: usize) -> usize {
        let mut covered = 0;
        let mut oldest = self.used;
        while oldest > 0 && covered < outstanding {
            oldest -= 1;
            covered += self.legs[oldest].bytes;
        }
        oldest
    }

    /// Makes room for `leg`, of which `outstanding` bytes and what is before it are not confirmed.
    #[cold]
    fn replace(&mut self, leg: Leg, outstanding: usize) {
        let arrived = self.oldest(outstanding.saturating_sub(leg.bytes));
        if arrived > 0 {
            self.legs.copy_within(arrived..self.used, 0);
            self.used -= arrived;
        } else {
            // The two neighbours that are the smallest together.
            let pair = (0..LEGS - 1)
                .min_by_key(|&at| self.legs[at].bytes.saturating_add(self.legs[at + 1].bytes))
                .expect("there are some");
            let Leg { bytes, messages } = self.legs[pair + 1];
            self.legs[pair].bytes += bytes;
            self.legs[pair].messages += messages;
            self.legs.copy_within(pair + 2.., pair + 1);
            self.used -= 1;
        }
        self.legs[self.used] = leg;
        self.used += 1;
    }
}

/// Writes that are told apart: few enough to cost an idle connection next to nothing.
const LEGS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_on_its_way_until_its_last_byte_is_confirmed() {
        let mut transit = Transit::default();
        transit.sent(2, 20, || unreachable!("there is room"));
        transit.sent(1, 10, || unreachable!("there is room"));
        assert_eq!(transit.messages(0), 0);
        assert_eq!(transit.messages(1), 1);
        assert_eq!(transit.messages(10), 1);
        assert_eq!(transit.messages(11), 3);
        assert_eq!(transit.messages(usize::MAX), 3);
    }

    #[test]
    fn bytes_without_messages_are_no_messages() {
        let mut transit = Transit::default();
        transit.sent(1, 10, || unreachable!("there is room"));
        for _ in 0..100 {
            transit.sent(0, 3, || unreachable!("they are one leg"));
        }
        assert_eq!(transit.messages(300), 0);
        assert_eq!(transit.messages(301), 1);
    }

    #[test]
    fn what_has_arrived_is_forgotten() {
        let mut transit = Transit::default();
        for _ in 0..1000 {
            transit.sent(1, 10, || 10);
        }
        assert!(transit.messages(usize::MAX) <= LEGS);
        assert_eq!(transit.messages(30), 3);
    }

    #[test]
    fn where_nothing_arrives_every_message_is_counted() {
        let mut transit = Transit::default();
        for count in 1..=1000 {
            transit.sent(1, 10, || count * 10);
        }
        assert_eq!(transit.messages(10_000), 1000);
        // What is counted besides is no more than the leg in which the last confirmed byte is.
        for outstanding in 1..10_000 {
            let (counted, right) = (transit.messages(outstanding), outstanding.div_ceil(10));
            assert!((right..=1000).contains(&counted), "{counted} of {right}");
        }
    }
}
