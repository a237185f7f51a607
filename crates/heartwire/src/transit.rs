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
    used: u8,
}

/// Bytes that were written together, and the messages that end in them. Every connection keeps some, so they
/// are small; no network holds more than they can count.
#[derive(Clone, Copy, Debug, Default)]
struct Leg {
    bytes: u32,
    messages: u32,
}

impl Leg {
    fn new(bytes: usize, messages: usize) -> Self {
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { bytes: count(bytes), messages: count(messages) }
    }

    /// Both as one.
    fn with(self, next: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(next.bytes),
            messages: self.messages.saturating_add(next.messages),
        }
    }
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
        let (leg, used) = (Leg::new(bytes, messages), usize::from(self.used));
        match self.legs[..used].last_mut() {
            // Nothing that anybody counts.
            Some(last) if messages == 0 && last.messages == 0 => *last = last.with(leg),
            _ if used < LEGS => {
                self.legs[used] = leg;
                self.used += 1;
            }
            _ => self.replace(leg, outstanding()),
        }
    }

    /// Messages of which the peer's system may not have everything, if it has not confirmed the last
    /// `outstanding` bytes.
    pub(crate) fn messages(&self, outstanding: usize) -> usize {
        let on_their_way = &self.legs[self.oldest(outstanding)..usize::from(self.used)];
        on_their_way.iter().map(|leg| leg.messages as usize).sum()
    }

    /// The oldest leg of the last `outstanding` bytes.
    fn oldest(&self, outstanding: usize) -> usize {
        let mut covered = 0;
        let mut oldest = usize::from(self.used);
        while oldest > 0 && covered < outstanding {
            oldest -= 1;
            covered += self.legs[oldest].bytes as usize;
        }
        oldest
    }

    /// Makes room for `leg`, of which `outstanding` bytes and what is before it are not confirmed.
    #[cold]
    fn replace(&mut self, leg: Leg, outstanding: usize) {
        let arrived = self.oldest(outstanding.saturating_sub(leg.bytes as usize));
        let mut used = usize::from(self.used);
        if arrived > 0 {
            self.legs.copy_within(arrived..used, 0);
            used -= arrived;
        } else {
            // The two neighbours that are the smallest together.
            let pair = (0..LEGS - 1)
                .min_by_key(|&at| self.legs[at].bytes.saturating_add(self.legs[at + 1].bytes))
                .expect("there are some");
            self.legs[pair] = self.legs[pair].with(self.legs[pair + 1]);
            self.legs.copy_within(pair + 2.., pair + 1);
            used -= 1;
        }
        self.legs[used] = leg;
        self.used = used as u8 + 1;
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
