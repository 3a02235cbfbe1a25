//! Counts failures to get in, by address, so that nobody can try for long. Asks no clock.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many failures an address has in a [`WINDOW`]. After them nothing that it shows is looked at until the window is over.
pub const MAX_FAILURES: u32 = 10;

/// How long failures count, from the first of them.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How many addresses are counted at the same time. When more come, the one that began first is forgotten.
pub const MAX_ADDRESSES: usize = 4_096;

/// The failures of each address. Of IPv6, 64 bits count: so many addresses one customer has.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<BTreeMap<IpAddr, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Instant,
}

impl Failures {
    fn left(self, now: Instant) -> Option<Duration> {
        WINDOW
            .checked_sub(now.saturating_duration_since(self.since))
            .filter(|left| !left.is_zero())
    }
}

impl Throttle {
    /// How long this address has still to wait, if it has to.
    #[must_use]
    pub fn wait(&self, from: IpAddr, now: Instant) -> Option<Duration> {
        let table = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        table
            .get(&customer(from))
            .filter(|failures| failures.count >= MAX_FAILURES)
            .and_then(|failures| failures.left(now))
    }

    /// Counts a failure.
    pub fn failed(&self, from: IpAddr, now: Instant) {
        let mut table = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let from = customer(from);
        if table.len() >= MAX_ADDRESSES && !table.contains_key(&from) {
            make_room(&mut table, now);
        }
        let entry = table.entry(from).or_insert(Failures {
            count: 0,
            since: now,
        });
        if entry.left(now).is_none() {
            *entry = Failures {
                count: 0,
                since: now,
            };
        }
        entry.count = entry.count.saturating_add(1);
    }
}

fn make_room(table: &mut BTreeMap<IpAddr, Failures>, now: Instant) {
    table.retain(|_, failures| failures.left(now).is_some());
    if table.len() >= MAX_ADDRESSES
        && let Some(oldest) = table
            .iter()
            .min_by_key(|(_, failures)| failures.since)
            .map(|(address, _)| *address)
    {
        table.remove(&oldest);
    }
}

fn customer(address: IpAddr) -> IpAddr {
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
    fn ten_failures_close_the_door_for_the_rest_of_the_minute() {
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
        let table = throttle.failures.lock().expect("whole");
        assert_eq!(table.len(), MAX_ADDRESSES);
        assert!(
            !table.contains_key(&IpAddr::V4(0.into()))
                && table.contains_key(&IpAddr::V4((many - 1).into()))
        );
    }
}
