//! Bounds on connections: a total, a number for each client, and some for this host alone. When all
//! places are taken, a connection that waits for a request is closed, so that idle clients cannot
//! keep out active ones.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::auth::customer;

/// The numbers of places.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlaceLimits {
    /// Connections in total, without those of this host.
    pub(super) together: usize,
    /// Connections of one client. Clients on this host and trusted proxies, which stand for many,
    /// may use all.
    pub(super) of_one: usize,
    /// Further connections that only clients on this host may have.
    pub(super) for_this_host: usize,
}

#[derive(Debug)]
pub(super) struct Places {
    limits: PlaceLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    latest: u64,
    connections: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    client: IpAddr,
    /// The turn since which it waits for the head of a request; `None` while a request is answered.
    waits_since: Option<u64>,
    displaced: CancellationToken,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    displaced: CancellationToken,
}

impl Places {
    pub(super) fn new(limits: PlaceLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for a client's connection; where all are taken, that of the connection which
    /// has waited longest for a request. `None` when all connections that could be closed are being
    /// answered.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr, speaks_for_many: bool) -> Option<Place> {
        let is_local = client.to_canonical().is_loopback();
        let client = customer(client);
        let mut taken = self.taken();
        if !is_local && !speaks_for_many && taken.of(client) >= self.limits.of_one {
            taken.displace(|connection| connection.client == client)?;
        }
        let together = self.limits.together
            + if is_local {
                self.limits.for_this_host
            } else {
                0
            };
        if taken.connections.len() >= together {
            let largest = taken.largest_waiting()?;
            taken.displace(|connection| connection.client == largest)?;
        }
        Some(taken.add(self, client))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of(&self, client: IpAddr) -> usize {
        let connections = self.connections.values();
        connections
            .filter(|connection| connection.client == client)
            .count()
    }

    /// Of the clients with a connection that waits, the one with the most of them.
    fn largest_waiting(&self) -> Option<IpAddr> {
        let mut waiting: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for connection in self.connections.values() {
            if connection.waits_since.is_some() {
                *waiting.entry(connection.client).or_default() += 1;
            }
        }
        let largest = waiting.into_iter().max_by_key(|(_, count)| *count);
        largest.map(|(client, _)| client)
    }

    /// Closes the connection that has waited longest among these.
    fn displace(&mut self, which: impl Fn(&Connection) -> bool) -> Option<()> {
        let candidates = self.connections.iter().filter(|(_, one)| which(one));
        let waiting = candidates.filter_map(|(id, one)| Some((one.waits_since?, *id)));
        let (_, id) = waiting.min()?;
        let displaced = self.connections.remove(&id)?;
        displaced.displaced.cancel();
        Some(())
    }

    fn add(&mut self, places: &Arc<Places>, client: IpAddr) -> Place {
        self.latest += 1;
        let displaced = CancellationToken::new();
        let connection = Connection {
            client,
            waits_since: Some(self.latest),
            displaced: displaced.clone(),
        };
        self.connections.insert(self.latest, connection);
        Place {
            places: Arc::clone(places),
            id: self.latest,
            displaced,
        }
    }
}

impl Place {
    /// Is cancelled when another connection has taken the place.
    pub(super) fn displaced(&self) -> CancellationToken {
        self.displaced.clone()
    }

    /// Notes whether the connection waits for a request or is being answered.
    pub(super) fn waits(&self, waits: bool) {
        let mut taken = self.places.taken();
        taken.latest += 1;
        let now = taken.latest;
        if let Some(connection) = taken.connections.get_mut(&self.id) {
            connection.waits_since = waits.then_some(now);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().connections.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PlaceLimits = PlaceLimits {
        together: 4,
        of_one: 2,
        for_this_host: 1,
    };

    fn take(places: &Arc<Places>, client: &str) -> Option<Place> {
        places.take(client.parse().expect("an address"), false)
    }

    fn is_displaced(place: &Place) -> bool {
        place.displaced.is_cancelled()
    }

    #[test]
    fn a_client_displaces_its_own_connections_before_those_of_others() {
        let places = Places::new(LIMITS);
        let first = take(&places, "192.0.2.1").expect("a place");
        let second = take(&places, "192.0.2.1").expect("a place");
        let other = take(&places, "192.0.2.2").expect("a place");
        let third = take(&places, "192.0.2.1").expect("a place");
        assert!(is_displaced(&first) && !is_displaced(&second) && !is_displaced(&other));
        second.waits(false);
        third.waits(false);
        assert!(
            take(&places, "192.0.2.1").is_none(),
            "what is being answered is not cut off"
        );
        assert!(take(&places, "192.0.2.3").is_some());
    }

    #[test]
    fn a_client_of_ipv6_is_one_whatever_its_last_bits() {
        let places = Places::new(LIMITS);
        let first = take(&places, "2001:db8::1").expect("a place");
        let _second = take(&places, "2001:db8::2").expect("a place");
        let _third = take(&places, "2001:db8::3").expect("a place");
        assert!(is_displaced(&first));
    }

    #[test]
    fn a_full_server_lets_the_next_one_in_for_the_client_with_the_most_that_wait() {
        let places = Places::new(LIMITS);
        let single = take(&places, "192.0.2.1").expect("a place");
        let many: Vec<_> = (0..3)
            .map(|_| places.take([192, 0, 2, 2].into(), true).expect("a place"))
            .collect();
        many[0].waits(false);
        let _new = take(&places, "192.0.2.3").expect("a place");
        assert!(!is_displaced(&single) && !is_displaced(&many[0]));
        assert!(is_displaced(&many[1]) && !is_displaced(&many[2]));
    }

    #[test]
    fn this_host_has_a_place_when_all_are_being_answered() {
        let places = Places::new(LIMITS);
        let answered: Vec<_> = (1..=4)
            .map(|n| take(&places, &format!("192.0.2.{n}")).expect("a place"))
            .collect();
        for place in &answered {
            place.waits(false);
        }
        assert!(take(&places, "192.0.2.9").is_none());
        let own = take(&places, "127.0.0.1").expect("a place");
        own.waits(false);
        assert!(take(&places, "::1").is_none());
        drop(own);
        assert!(take(&places, "::1").is_some());
    }
}
