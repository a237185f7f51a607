//! How many connections a server lets in, in all and from one address.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections against limits.
pub(crate) struct Admission {
    max: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    total: usize,
    /// Empty while there is no limit for addresses.
    per_address: HashMap<IpAddr, usize>,
}

/// The right to be connected, for as long as it lives.
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    network: Option<IpAddr>,
}

/// The limit that is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Full {
    /// The server's.
    Server,
    /// The address's.
    Address,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "too many connections",
            Self::Address => "too many connections from this address",
        })
    }
}

impl Admission {
    /// `None` is no limit.
    pub(crate) fn new(max: Option<usize>, max_per_address: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            max: max.unwrap_or(usize::MAX),
            max_per_address: max_per_address.unwrap_or(usize::MAX),
            counts: Mutex::default(),
        })
    }

    /// Lets a connection in; or says which limit is reached.
    pub(crate) fn admit(self: &Arc<Self>, addr: Option<IpAddr>) -> Result<Ticket, Full> {
        let network = addr.filter(|_| self.max_per_address != usize::MAX).map(network);
        let mut counts = self.counts();
        if counts.total >= self.max {
            return Err(Full::Server);
        }
        if let Some(network) = network {
            let count = counts.per_address.entry(network).or_default();
            if *count >= self.max_per_address {
                return Err(Full::Address);
            }
            *count += 1;
        }
        counts.total += 1;
        Ok(Ticket { admission: self.clone(), network })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.total -= 1;
        if let Some(network) = self.network
            && let Some(count) = counts.per_address.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                counts.per_address.remove(&network);
            }
        }
    }
}

/// What counts as one address: with IPv6, customers are given networks of 64 bits.
fn network(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V6(addr) => Ipv6Addr::from_bits(addr.to_bits() >> 64 << 64).into(),
        IpAddr::V4(addr) => addr.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(admission: &Arc<Admission>, addr: &str) -> Result<Ticket, Full> {
        admission.admit(Some(addr.parse().unwrap()))
    }

    #[test]
    fn the_total_is_limited() {
        let admission = Admission::new(Some(2), None);
        let first = admit(&admission, "127.0.0.1").unwrap();
        let _second = admission.admit(None).unwrap();
        assert_eq!(admit(&admission, "10.0.0.1").err(), Some(Full::Server));
        drop(first);
        assert!(admit(&admission, "10.0.0.1").is_ok());
    }

    #[test]
    fn one_address_does_not_take_all_places() {
        let admission = Admission::new(None, Some(1));
        let first = admit(&admission, "127.0.0.1").unwrap();
        let same = admit(&admission, "::ffff:127.0.0.1").err();
        assert_eq!(same, Some(Full::Address), "the same in IPv6");
        assert!(admit(&admission, "127.0.0.2").is_ok());
        assert!(admission.admit(None).is_ok());
        drop(first);
        assert!(admit(&admission, "127.0.0.1").is_ok());
        assert!(admission.counts().per_address.is_empty());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let admission = Admission::new(None, Some(1));
        let _first = admit(&admission, "2001:db8::1").unwrap();
        assert!(admit(&admission, "2001:db8::2").is_err());
        assert!(admit(&admission, "2001:db8:0:1::1").is_ok());
    }
}
