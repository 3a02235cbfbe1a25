//! Correlation of simultaneous losses: they began within a moment and share an address, a network
//! or a name stem. Informs only; affects no health.

use std::collections::{BTreeMap, BTreeSet};
// addresses as values only: nothing here can open a connection
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::model::pattern::stem;
use crate::model::words::words;
use crate::model::{Moment, Private, Stub};

/// Losses of one cause begin within this time.
const WITHIN: Duration = Duration::from_secs(30);

/// Fewer losses than this are listed one by one.
pub(crate) const FEWEST_OF_A_CAUSE: usize = 3;

/// A cause takes at least this part, in percent, of what shares its property and was neither lost
/// before nor is explained already: two thirds are a clear majority.
const MAJORITY_PERCENT: usize = 66;

/// The kind of property that losses share. The earlier, the more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// They come from one address.
    Address,
    /// They come from one network: /24 of IPv4, /64 of IPv6.
    Subnet,
    /// Their names have one stem.
    Stem,
}

words!(CauseKind { Address => "address", Subnet => "subnet", Stem => "stem" });

/// Losses with one probable cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What they have in common.
    pub kind: CauseKind,
    /// Its label for all readers: of an address only the network part, as `one address in
    /// 129.215.x.x`.
    pub label_public: String,
    /// Its label for maintainers: `129.215.4.7`, `129.215.4.0/24`, `pend*`.
    pub label_private: Private<String>,
    /// The experiments, sorted.
    pub stubs: Vec<Stub>,
    /// How many experiments share it, without those that were lost before or are in a more specific
    /// cause.
    pub of: usize,
    /// When the first of them was lost.
    pub began: Moment,
}

/// A property that experiments share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Address(IpAddr),
    Subnet(IpAddr),
    Stem(&'a str),
}

/// Groups losses, each with when it was, by their probable cause, given where all experiments are,
/// those lost included: where their connections come from, as relay or jump last reported, an address
/// or a list of them as proxies wrote it, of which the first is the experiment's own; may be empty. A
/// loss is in at most one cause, the one that says most. Sorted by their beginning. A loss that is
/// given twice counts once, as of its first time.
pub fn group<'a>(
    losses: impl Iterator<Item = (&'a Stub, Moment)>,
    population: impl Iterator<Item = (&'a Stub, &'a str)>,
) -> Vec<Cause> {
    let mut lost: BTreeMap<&Stub, Moment> = BTreeMap::new();
    for (stub, at) in losses {
        let first = lost.entry(stub).or_insert(at);
        *first = at.min(*first);
    }
    let mut places: BTreeMap<&Stub, Option<IpAddr>> =
        lost.keys().map(|stub| (*stub, None)).collect();
    places.extend(population.map(|(stub, remote)| (stub, client_address(remote))));
    let mut notified = BTreeSet::new();
    let mut causes = Vec::new();
    for kind in CauseKind::ALL {
        for (key, sharing) in sharing(kind, &places) {
            causes.extend(causes_of(key, &sharing, &lost, &mut notified));
        }
    }
    causes.sort_by(|a, b| a.began.cmp(&b.began).then_with(|| a.stubs.cmp(&b.stubs)));
    causes
}

/// The experiments by their property of one kind.
fn sharing<'a>(
    kind: CauseKind,
    places: &BTreeMap<&'a Stub, Option<IpAddr>>,
) -> BTreeMap<Key<'a>, Vec<&'a Stub>> {
    let mut sharing: BTreeMap<Key<'a>, Vec<&'a Stub>> = BTreeMap::new();
    for (stub, address) in places {
        let key = match kind {
            CauseKind::Address => address.map(Key::Address),
            CauseKind::Subnet => address.map(|address| Key::Subnet(subnet(address))),
            CauseKind::Stem => Some(Key::Stem(stem(stub.as_str()))),
        };
        if let Some(key) = key {
            sharing.entry(key).or_default().push(*stub);
        }
    }
    sharing
}

/// The causes among the losses that share one property: the largest burst first, then what remains,
/// as long as there is one.
fn causes_of<'a>(
    key: Key<'_>,
    sharing: &[&'a Stub],
    lost: &BTreeMap<&'a Stub, Moment>,
    notified: &mut BTreeSet<&'a Stub>,
) -> Vec<Cause> {
    let pending = sharing.iter().filter(|stub| !notified.contains(*stub));
    let mut open: Vec<(Moment, &Stub)> = pending
        .filter_map(|stub| lost.get(stub).map(|at| (*at, *stub)))
        .collect();
    open.sort();
    let mut causes = Vec::new();
    while let Some((from, to)) = largest_burst(&open) {
        let burst: Vec<(Moment, &Stub)> = open.drain(from..to).collect();
        let Some((began, _)) = burst.first().copied() else {
            break;
        };
        let is_out = |stub: &Stub| {
            lost.get(stub).is_some_and(|at| {
                *at < began || (notified.contains(stub) && at.since(began) <= WITHIN)
            })
        };
        let of = sharing.iter().filter(|stub| !is_out(stub)).count();
        if burst.len() * 100 >= of * MAJORITY_PERCENT {
            notified.extend(burst.iter().map(|(_, stub)| *stub));
            causes.push(Cause::new(
                key,
                burst.into_iter().map(|(_, stub)| stub.clone()).collect(),
                of,
                began,
            ));
        }
    }
    causes
}

/// The most losses within [`WITHIN`], as a range of the list, which is sorted by time; `None` when
/// they are too few.
fn largest_burst(losses: &[(Moment, &Stub)]) -> Option<(usize, usize)> {
    let mut largest = (0, 0);
    let mut to = 0;
    for (from, (began, _)) in losses.iter().enumerate() {
        while losses
            .get(to)
            .is_some_and(|(at, _)| at.since(*began) <= WITHIN)
        {
            to += 1;
        }
        if to - from > largest.1 - largest.0 {
            largest = (from, to);
        }
    }
    (largest.1 - largest.0 >= FEWEST_OF_A_CAUSE).then_some(largest)
}

impl Cause {
    fn new(key: Key<'_>, mut stubs: Vec<Stub>, of: usize, began: Moment) -> Self {
        stubs.sort();
        let (kind, label_public, label_private) = match key {
            Key::Address(address) => (
                CauseKind::Address,
                format!("one address in {}", masked(address)),
                address.to_string(),
            ),
            Key::Subnet(network) => (
                CauseKind::Subnet,
                format!("one network in {}", masked(network)),
                format!("{network}/{}", bits(network)),
            ),
            Key::Stem(stem) => (CauseKind::Stem, format!("{stem}*"), format!("{stem}*")),
        };
        Self {
            kind,
            label_public,
            label_private: Private::new(label_private),
            stubs,
            of,
            began,
        }
    }
}

/// The experiment's own address: the first of the list that proxies write, with or without a port.
fn client_address(remote: &str) -> Option<IpAddr> {
    let first = remote.split(',').next().unwrap_or_default().trim();
    let bare = first.trim_start_matches('[').trim_end_matches(']');
    let address = bare
        .parse()
        .ok()
        .or_else(|| first.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

fn subnet(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

fn bits(network: IpAddr) -> u8 {
    if network.is_ipv4() { 24 } else { 64 }
}

/// The public part of an address: the first half of an IPv4 one, the provider's 32 bits of an IPv6
/// one.
fn masked(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            format!("{a}.{b}.x.x")
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            format!("{a:x}:{b:x}:x")
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::model::Visibility;

    fn stub(name: &str) -> Stub {
        Stub::try_new(name).expect("a name")
    }

    fn at(second: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(second))
    }

    /// Experiments as name, address and, where it is lost, when; the causes as text.
    fn causes(rows: &[(String, String, Option<u64>)]) -> Vec<Cause> {
        let stubs: Vec<Stub> = rows.iter().map(|(name, ..)| stub(name)).collect();
        let all = || stubs.iter().zip(rows);
        let lost = all().filter_map(|(stub, (.., lost))| Some((stub, at((*lost)?))));
        let places = all().map(|(stub, (_, remote, _))| (stub, remote.as_str()));
        group(lost, places)
    }

    /// `count` experiments of a stem at an address (with `N` for their number), lost at a time or
    /// not.
    fn some(
        stem: &str,
        numbers: std::ops::Range<usize>,
        remote: &str,
        lost: Option<u64>,
    ) -> Vec<(String, String, Option<u64>)> {
        numbers
            .map(|n| {
                (
                    format!("{stem}{n:02}"),
                    remote.replace('N', &n.to_string()),
                    lost,
                )
            })
            .collect()
    }

    fn check(rows: &[Vec<(String, String, Option<u64>)>], expected: &[&str]) {
        let words = |cause: &Cause| {
            format!(
                "{}: {} | {}, {} of {} since {}",
                cause.kind,
                cause
                    .label_private
                    .show(Visibility::MAINTAINER)
                    .cloned()
                    .unwrap_or_default(),
                cause.label_public,
                cause.stubs.len(),
                cause.of,
                cause.began.mono().as_secs()
            )
        };
        assert_eq!(
            causes(&rows.concat()).iter().map(words).collect::<Vec<_>>(),
            expected,
            "{rows:?}"
        );
    }

    #[test]
    fn what_is_lost_together_and_shares_something_has_one_cause() {
        let x = some("x", 0..9, "2001:db8::N", None);
        check(
            &[some("pend", 0..3, "10.1.2.3", Some(5)), x.clone()],
            &["address: 10.1.2.3 | one address in 10.1.x.x, 3 of 3 since 5"],
        );
        check(
            &[some("pend", 0..3, "10.1.2.N", Some(5)), x.clone()],
            &["subnet: 10.1.2.0/24 | one network in 10.1.x.x, 3 of 3 since 5"],
        );
        check(
            &[some("pend", 0..3, "10.1.N.1", Some(5)), x.clone()],
            &["stem: pend* | pend*, 3 of 3 since 5"],
        );
        check(
            &[some("pend", 0..3, "", Some(5)), x.clone()],
            &["stem: pend* | pend*, 3 of 3 since 5"],
        );
        check(
            &[some("x", 20..24, "2001:db8:1:2::N", Some(5)), x],
            &["subnet: 2001:db8:1:2::/64 | one network in 2001:db8:x, 4 of 4 since 5"],
        );
    }

    #[test]
    fn a_few_of_many_have_no_common_cause() {
        check(&[some("pend", 0..2, "10.1.2.3", Some(5))], &[]);
        check(
            &[
                some("pend", 0..3, "10.1.2.3", Some(5)),
                some("pend", 3..100, "10.1.2.3", None),
            ],
            &[],
        );
        check(
            &[
                some("pend", 0..3, "10.1.2.3", Some(5)),
                some("pend", 3..5, "10.1.2.3", None),
            ],
            &[],
        );
        check(
            &[
                some("pend", 0..4, "10.1.2.3", Some(5)),
                some("pend", 4..6, "10.1.2.3", None),
            ],
            &["address: 10.1.2.3 | one address in 10.1.x.x, 4 of 6 since 5"],
        );
    }

    #[test]
    fn what_was_lost_before_does_not_count_against_a_cause() {
        let burst = some("pend", 0..3, "10.1.2.3", Some(1_000));
        let words = "address: 10.1.2.3 | one address in 10.1.x.x, 3 of 3 since 1000";
        check(
            &[burst.clone(), some("a", 0..2, "10.1.2.3", Some(5))],
            &[words],
        );
        // the two were still there then, so it was not the address
        check(
            &[burst.clone(), some("a", 0..2, "10.1.2.3", Some(5_000))],
            &["stem: pend* | pend*, 3 of 3 since 1000"],
        );
        check(
            &[burst, some("a", 0..3, "10.1.2.3", Some(5))],
            // the stem's three are all of their kind, the address has six
            &["stem: a* | a*, 3 of 3 since 5", words],
        );
    }

    #[test]
    fn losses_far_apart_have_no_common_cause() {
        let spread = |step: u64| {
            (0..3_u64)
                .map(|n| (format!("pend{n}"), "10.1.2.3".to_owned(), Some(n * step)))
                .collect::<Vec<_>>()
        };
        check(
            &[spread(15)],
            &["address: 10.1.2.3 | one address in 10.1.x.x, 3 of 3 since 0"],
        );
        check(&[spread(16)], &[]);
    }

    #[test]
    fn the_most_specific_cause_wins() {
        check(
            &[
                some("pend", 0..3, "10.1.2.3", Some(5)),
                some("spin", 10..13, "10.1.2.N", Some(6)),
                some("trus", 0..3, "", Some(7)),
            ],
            &[
                "address: 10.1.2.3 | one address in 10.1.x.x, 3 of 3 since 5",
                "subnet: 10.1.2.0/24 | one network in 10.1.x.x, 3 of 3 since 6",
                "stem: trus* | trus*, 3 of 3 since 7",
            ],
        );
    }

    #[test]
    fn the_first_address_is_the_experiments_own() {
        for (remote, expected) in [
            ("10.1.2.3", Some("10.1.2.3")),
            (" 10.1.2.3 , 35.191.0.1", Some("10.1.2.3")),
            ("10.1.2.3:5678", Some("10.1.2.3")),
            ("::ffff:10.1.2.3", Some("10.1.2.3")),
            ("[2001:db8::7]:80", Some("2001:db8::7")),
            ("[2001:db8::7]", Some("2001:db8::7")),
            ("2001:db8::7", Some("2001:db8::7")),
            ("internal", None),
            ("", None),
            (", 10.1.2.3", None),
        ] {
            assert_eq!(
                client_address(remote)
                    .map(|address| address.to_string())
                    .as_deref(),
                expected,
                "{remote}"
            );
        }
    }

    prop_compose! {
        fn fleet()(rows in prop::collection::vec((0..3_usize, 0..3_usize, 0..5_usize, prop::option::of(0..90_u64)), 0..40))
            -> Vec<(String, String, Option<u64>)> {
            let remotes = ["203.0.113.77", "203.0.113.78, 35.191.0.1", "2001:db8:aaaa:bbbb::77", "198.51.100.9:99", ""];
            rows.iter().enumerate().map(|(n, (stem, _, remote, lost))| {
                (format!("{}{n:02}", ["pend", "spin", "trus"][*stem]), remotes[*remote].to_owned(), *lost)
            }).collect()
        }
    }

    proptest! {
        #[test]
        fn a_cause_is_what_it_says(rows in fleet()) {
            let causes = causes(&rows);
            let lost: BTreeMap<&str, u64> = rows.iter().filter_map(|(name, _, lost)| Some((name.as_str(), (*lost)?))).collect();
            let mut seen = BTreeSet::new();
            for cause in &causes {
                prop_assert!(cause.stubs.len() >= FEWEST_OF_A_CAUSE && cause.stubs.len() <= cause.of && cause.of <= rows.len());
                prop_assert!(cause.stubs.len() * 100 >= cause.of * MAJORITY_PERCENT);
                let times: Vec<u64> = cause.stubs.iter().map(|stub| lost[stub.as_str()]).collect();
                let (first, last) = (times.iter().min().copied(), times.iter().max().copied());
                prop_assert_eq!(first, Some(cause.began.mono().as_secs()));
                prop_assert!(last <= first.map(|first| first + WITHIN.as_secs()));
                for stub in &cause.stubs {
                    prop_assert!(seen.insert(stub.clone()), "{} is in two causes", stub);
                }
                for part in ["113.77", "113.78", "203.0.113", "bbbb", "aaaa", "100.9", "35.191", "198.51.100"] {
                    prop_assert!(!cause.label_public.contains(part), "{}", cause.label_public);
                }
            }
            prop_assert!(causes.windows(2).all(|pair| pair[0].began <= pair[1].began));
        }

        /// The order in which losses and places are given does not matter.
        #[test]
        fn order_is_no_matter(rows in fleet()) {
            let backwards: Vec<_> = rows.iter().rev().cloned().collect();
            prop_assert_eq!(causes(&backwards), causes(&rows));
        }
    }
}
