//! Rate limits by address or by token. Reads no clock.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many bad tokens of an address are answered in a [`WINDOW`]. Further ones must wait; valid
/// ones never do.
pub const MAX_FAILURES: u32 = 10;

/// How long failures count, from the first of them.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How many addresses are counted at the same time. Beyond, the one that began first is dropped.
pub const MAX_ADDRESSES: usize = 4_096;

/// Counts events by key in windows of time that begin with the key's first event.
#[derive(Debug)]
pub struct RateLimit<K> {
    most: u32,
    window: Duration,
    keys: usize,
    counts: Mutex<BTreeMap<K, Count>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    events: u32,
    since: Instant,
}

impl<K: Ord + Clone> RateLimit<K> {
    /// At most this many events in a window, for at most this many keys at the same time.
    #[must_use]
    pub fn new(most: u32, window: Duration, keys: usize) -> Self {
        Self {
            most,
            window,
            keys,
            counts: Mutex::default(),
        }
    }

    /// How long this key must still wait, if it has used up its events.
    #[must_use]
    pub fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .get(key)
            .filter(|count| count.events >= self.most)
            .and_then(|count| self.left(*count, now))
    }

    /// Counts an event.
    pub fn count(&self, key: K, now: Instant) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= self.keys && !counts.contains_key(&key) {
            self.make_room(&mut counts, now);
        }
        let new = Count {
            events: 0,
            since: now,
        };
        let entry = counts.entry(key).or_insert(new);
        if self.left(*entry, now).is_none() {
            *entry = new;
        }
        entry.events = entry.events.saturating_add(1);
    }

    /// Counts an event where the key has one left.
    ///
    /// # Errors
    /// How long it must wait, where it has none.
    pub fn take(&self, key: &K, now: Instant) -> Result<(), Duration> {
        if let Some(wait) = self.wait(key, now) {
            return Err(wait);
        }
        self.count(key.clone(), now);
        Ok(())
    }

    fn left(&self, count: Count, now: Instant) -> Option<Duration> {
        self.window
            .checked_sub(now.saturating_duration_since(count.since))
            .filter(|left| !left.is_zero())
    }

    fn make_room(&self, counts: &mut BTreeMap<K, Count>, now: Instant) {
        counts.retain(|_, count| self.left(*count, now).is_some());
        if counts.len() < self.keys {
            return;
        }
        let oldest = counts.iter().min_by_key(|(_, count)| count.since);
        if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
            counts.remove(&oldest);
        }
    }
}

/// The bad tokens of each address.
#[derive(Debug)]
pub struct Throttle(RateLimit<IpAddr>);

impl Default for Throttle {
    fn default() -> Self {
        Self(RateLimit::new(MAX_FAILURES, WINDOW, MAX_ADDRESSES))
    }
}

impl Throttle {
    /// How long this address must still wait, if at all.
    #[must_use]
    pub fn wait(&self, from: IpAddr, now: Instant) -> Option<Duration> {
        self.0.wait(&customer(from), now)
    }

    /// Counts a failure.
    pub fn failed(&self, from: IpAddr, now: Instant) {
        self.0.count(customer(from), now);
    }
}

/// The part of an address that is counted: of IPv6 the first 64 bits, because one customer has that
/// many.
#[must_use]
pub fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn ten_failures_are_enough_for_the_rest_of_the_minute() {
        let (throttle, start, from) = (Throttle::default(), Instant::now(), address("10.0.0.1"));
        for second in 0..10 {
            assert_eq!(
                throttle.wait(from, start + Duration::from_secs(second)),
                None,
                "{second}"
            );
            throttle.failed(from, start + Duration::from_secs(second));
        }
        let now = start + Duration::from_secs(10);
        assert_eq!(throttle.wait(from, now), Some(Duration::from_secs(50)));
        assert_eq!(
            throttle.wait(address("10.0.0.2"), now),
            None,
            "another address is not concerned"
        );
        assert_eq!(
            throttle.wait(address("::ffff:10.0.0.1"), now),
            Some(Duration::from_secs(50)),
            "the same in another form"
        );
        assert_eq!(throttle.wait(from, start + WINDOW), None);
        throttle.failed(from, start + WINDOW);
        assert_eq!(
            throttle.wait(from, start + WINDOW),
            None,
            "the count begins anew"
        );
    }

    #[test]
    fn a_customer_of_ipv6_is_one() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for host in 0..MAX_FAILURES {
            throttle.failed(address(&format!("2001:db8:1:2::{host:x}")), now);
        }
        assert!(
            throttle
                .wait(address("2001:db8:1:2:ffff::1"), now)
                .is_some()
        );
        assert!(throttle.wait(address("2001:db8:1:3::1"), now).is_none());
    }

    #[test]
    fn the_table_does_not_grow_beyond_its_bound() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let many = u32::try_from(MAX_ADDRESSES).expect("fits") + 5;
        for n in 0..many {
            throttle.failed(
                IpAddr::V4(n.into()),
                start + Duration::from_millis(n.into()),
            );
        }
        let table = throttle.0.counts.lock().expect("whole");
        assert_eq!(table.len(), MAX_ADDRESSES);
        assert!(
            !table.contains_key(&IpAddr::V4(0.into()))
                && table.contains_key(&IpAddr::V4((many - 1).into()))
        );
    }
}
