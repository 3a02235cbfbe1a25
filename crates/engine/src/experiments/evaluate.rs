//! The evaluation rules as pure functions from observations to health. Without state.

use std::time::Duration;

use crate::model::{Health, JumpHealth, Moment, StreamHealth, Topic};
use crate::protocol::{Issue, Policy};

/// Whether something is in the newest report of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is, without a gap since then.
    Newest { since: Moment },
    /// It is not; the last report that had it came then.
    Gone { seen: Moment },
    /// No report ever had it; it has been expected since then.
    Never { since: Moment },
}

/// What the newest report says about when a connected stream last transmitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transmission {
    /// Nothing: relay v0.8 and later.
    Unsaid,
    /// That it never did.
    Never,
    /// That it did, this long before the report.
    Ago(Duration),
}

impl Transmission {
    /// Whether this is a later transmission than `other`: of two connections to one topic, the
    /// better one counts.
    pub(crate) fn is_better_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Ago(a), Self::Ago(b)) => a < b,
            (Self::Ago(_), Self::Unsaid | Self::Never) | (Self::Unsaid, Self::Never) => true,
            (Self::Unsaid, Self::Ago(_) | Self::Unsaid) | (Self::Never, _) => false,
        }
    }
}

/// What sampling a stream has shown since it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleEvidence {
    /// Nothing yet: it was not sampled, or sampling was not possible.
    Unverified,
    /// A message, last at this moment.
    At(Moment),
    /// No message for as long as the rule asks.
    Nothing,
}

/// State of a source at the time of an evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceStatus {
    /// Whether it has not reported yet but is still within its time: everything stays as it was.
    pub(crate) is_starting: bool,
    /// Whether its last report still counts.
    pub(crate) is_current: bool,
    /// Whether it restarted or came back so recently that absence means nothing.
    pub(crate) settling: bool,
}

/// A result, and when to evaluate again although no input may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evaluation<H> {
    pub(crate) health: H,
    pub(crate) again: Option<Moment>,
}

pub(super) fn settled<H>(health: H) -> Evaluation<H> {
    Evaluation {
        health,
        again: None,
    }
}

/// `then` once `since + wait` has come, and until that moment `was`.
fn after<H>(since: Moment, wait: Duration, now: Moment, was: H, then: H) -> Evaluation<H> {
    let due = since + wait;
    if now >= due {
        settled(then)
    } else {
        Evaluation {
            health: was,
            again: Some(due),
        }
    }
}

/// The observations of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamFacts {
    pub(crate) presence: Presence,
    pub(crate) transmission: Transmission,
    pub(crate) evidence: SampleEvidence,
    /// Whether it is sampled at all.
    pub(crate) sampled: bool,
    pub(crate) was: StreamHealth,
}

/// A stream's health: "Stream" in `docs/architecture.md`. It is evaluated at the newest report;
/// only absence is evaluated by the passing of time.
pub(crate) fn stream(
    facts: &StreamFacts,
    relay: SourceStatus,
    policy: &Policy,
    now: Moment,
) -> Evaluation<StreamHealth> {
    if relay.is_starting {
        return settled(facts.was);
    }
    if !relay.is_current {
        return settled(StreamHealth::Unknown);
    }
    match facts.presence {
        Presence::Newest { since } => connected(facts, since, policy, now),
        Presence::Gone { .. } | Presence::Never { .. } if relay.settling => settled(facts.was),
        Presence::Gone { seen: since } | Presence::Never { since } => after(
            since,
            policy.last_checked,
            now,
            facts.was,
            StreamHealth::Missing,
        ),
    }
}

fn connected(
    facts: &StreamFacts,
    since: Moment,
    policy: &Policy,
    now: Moment,
) -> Evaluation<StreamHealth> {
    use StreamHealth::{Active, Silent};
    let recently_received =
        matches!(facts.evidence, SampleEvidence::At(when) if now.since(when) <= policy.last_active);
    match (facts.transmission, facts.evidence) {
        (Transmission::Ago(age), _) if age <= policy.last_active => settled(Active),
        (Transmission::Ago(_) | Transmission::Never, _) if facts.sampled && recently_received => {
            settled(Active)
        }
        (Transmission::Ago(_), _) => settled(Silent),
        // A stream that is not sampled any more is not known to be silent.
        (Transmission::Unsaid, SampleEvidence::Nothing) if facts.sampled => settled(Silent),
        // A stream that has only just connected is given time to send its first message.
        (Transmission::Never, _) => after(since, policy.last_active, now, facts.was, Silent),
        (Transmission::Unsaid, SampleEvidence::Unverified) if facts.sampled => {
            after(since, policy.last_active, now, facts.was, Active)
        }
        (
            Transmission::Unsaid,
            SampleEvidence::At(_) | SampleEvidence::Nothing | SampleEvidence::Unverified,
        ) => settled(Active),
    }
}

/// The health of a remote login, by the table in `docs/architecture.md`.
pub(crate) fn jump(
    presence: Presence,
    was: JumpHealth,
    jump: SourceStatus,
    policy: &Policy,
    now: Moment,
) -> Evaluation<JumpHealth> {
    if jump.is_starting {
        return settled(was);
    }
    if !jump.is_current {
        return settled(JumpHealth::Unknown);
    }
    match presence {
        Presence::Newest { .. } => settled(JumpHealth::Up),
        Presence::Gone { .. } | Presence::Never { .. } if jump.settling => settled(was),
        Presence::Gone { seen: since } | Presence::Never { since } => {
            after(since, policy.last_checked, now, was, JumpHealth::Lost)
        }
    }
}

/// The observations of the pages on which students open an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PageFacts {
    /// The failing pages, as [`Issue::Page`], sorted.
    pub(crate) issues: Vec<Issue>,
    /// Whether there are pages, and all of them fail for every visitor.
    pub(crate) is_gone: bool,
}

/// An experiment's health and issues: the table in `docs/architecture.md`.
///
/// `streams` gives each with whether it is required. `jump` is the last known state of the remote
/// login, because the loss of the source is an alert of its own. `outage` says that relay has been
/// silent beyond `HEALTH_OUTAGE_HOLD`. `pages.is_gone` makes it unusable, but not while nothing is
/// known of its streams: then the fault may be labwatch's.
pub(crate) fn experiment<'a>(
    streams: impl Iterator<Item = (&'a Topic, bool, StreamHealth)>,
    jump: JumpHealth,
    outage: bool,
    pages: &PageFacts,
) -> (Health, Vec<Issue>) {
    let mut issues = pages.issues.clone();
    let (mut bad, mut unknown) = (false, false);
    for (topic, required, health) in streams {
        let lost = matches!(health, StreamHealth::Silent | StreamHealth::Missing);
        bad |= required && (lost || outage);
        unknown |= required && health == StreamHealth::Unknown;
        match (lost, required) {
            (true, true) => issues.push(Issue::Required(topic.clone(), health)),
            (true, false) => issues.push(Issue::Other(topic.clone(), health)),
            (false, _) => {}
        }
    }
    if outage && bad {
        issues.push(Issue::RelayOutage);
    }
    if jump == JumpHealth::Lost {
        issues.push(Issue::JumpLost);
    }
    let no_page = pages.is_gone && !unknown;
    if no_page {
        issues.push(Issue::NoPage);
    }
    issues.sort();
    let health = match (bad || no_page, unknown) {
        (true, _) => Health::Down,
        (false, true) => Health::Unknown,
        (false, false) if issues.is_empty() => Health::Ok,
        (false, false) => Health::Degraded,
    };
    if health == Health::Unknown {
        issues.clear();
    }
    (health, issues)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{PageFault, PageName};
    use StreamHealth::{Active, Missing, Silent, Unknown};

    const CURRENT: SourceStatus = SourceStatus {
        is_starting: false,
        is_current: true,
        settling: false,
    };
    const SETTLING: SourceStatus = SourceStatus {
        settling: true,
        ..CURRENT
    };
    const MUTE: SourceStatus = SourceStatus {
        is_current: false,
        ..CURRENT
    };
    const STARTING: SourceStatus = SourceStatus {
        is_starting: true,
        ..MUTE
    };

    fn at(seconds: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    fn ago(seconds: u64) -> Transmission {
        Transmission::Ago(Duration::from_secs(seconds))
    }

    /// Evaluated at second 100, with both thresholds at 10 s.
    #[test]
    fn every_state_of_a_stream() {
        let newest = |since| Presence::Newest { since: at(since) };
        let gone = |seen| Presence::Gone { seen: at(seen) };
        let never = |since| Presence::Never { since: at(since) };
        let none = SampleEvidence::Unverified;
        #[rustfmt::skip]
        let rows = [
            // presence, transmission, evidence, sampled, was, relay → health, evaluate again at
            (newest(0), ago(0), none, false, Silent, CURRENT, Active, None),
            (newest(0), ago(10), none, false, Active, CURRENT, Active, None),
            (newest(0), ago(11), none, false, Active, CURRENT, Silent, None),
            (newest(0), ago(11), SampleEvidence::At(at(95)), true, Active, CURRENT, Active, None),
            (newest(0), ago(11), SampleEvidence::At(at(80)), true, Active, CURRENT, Silent, None),
            (newest(0), ago(11), none, false, Active, SETTLING, Silent, None),
            (newest(0), ago(0), none, false, Active, MUTE, Unknown, None),
            (never(0), Transmission::Unsaid, none, false, Missing, STARTING, Missing, None),
            (never(0), Transmission::Unsaid, none, false, Unknown, STARTING, Unknown, None),
            (newest(95), Transmission::Never, none, false, Unknown, CURRENT, Unknown, Some(105)),
            (newest(95), Transmission::Never, none, false, Active, CURRENT, Active, Some(105)),
            (newest(90), Transmission::Never, none, false, Active, CURRENT, Silent, None),
            (newest(0), Transmission::Unsaid, none, false, Unknown, CURRENT, Active, None),
            (newest(0), Transmission::Unsaid, none, true, Unknown, CURRENT, Active, None),
            (newest(95), Transmission::Unsaid, none, true, Missing, CURRENT, Missing, Some(105)),
            (newest(95), Transmission::Unsaid, SampleEvidence::At(at(50)), true, Missing, CURRENT, Active, None),
            (newest(95), Transmission::Unsaid, SampleEvidence::Nothing, true, Active, CURRENT, Silent, None),
            (newest(0), Transmission::Unsaid, SampleEvidence::Nothing, false, Silent, CURRENT, Active, None),
            (gone(99), ago(0), none, false, Active, CURRENT, Active, Some(109)),
            (gone(90), ago(0), none, false, Active, CURRENT, Missing, None),
            (gone(90), ago(0), none, false, Active, SETTLING, Active, None),
            (gone(90), ago(0), none, false, Active, MUTE, Unknown, None),
            (never(95), Transmission::Unsaid, none, false, Unknown, CURRENT, Unknown, Some(105)),
            (never(90), Transmission::Unsaid, none, false, Unknown, CURRENT, Missing, None),
            (never(90), Transmission::Unsaid, none, false, Unknown, SETTLING, Unknown, None),
        ];
        let policy = Policy::default();
        for (presence, transmission, evidence, sampled, was, relay, health, again) in rows {
            let facts = StreamFacts {
                presence,
                transmission,
                evidence,
                sampled,
                was,
            };
            let evaluate = stream(&facts, relay, &policy, at(100));
            assert_eq!(
                (evaluate.health, evaluate.again),
                (health, again.map(at)),
                "{facts:?} {relay:?}"
            );
        }
    }

    #[test]
    fn every_state_of_a_remote_login() {
        use JumpHealth::{Lost, Unknown, Up};
        let rows = [
            (Presence::Newest { since: at(0) }, Lost, CURRENT, Up, None),
            (Presence::Newest { since: at(0) }, Up, MUTE, Unknown, None),
            (Presence::Never { since: at(0) }, Lost, STARTING, Lost, None),
            (Presence::Gone { seen: at(95) }, Up, CURRENT, Up, Some(105)),
            (Presence::Gone { seen: at(90) }, Up, CURRENT, Lost, None),
            (Presence::Gone { seen: at(90) }, Up, SETTLING, Up, None),
            (
                Presence::Never { since: at(95) },
                Unknown,
                CURRENT,
                Unknown,
                Some(105),
            ),
            (
                Presence::Never { since: at(90) },
                Unknown,
                CURRENT,
                Lost,
                None,
            ),
        ];
        for (presence, was, source, health, again) in rows {
            let evaluate = jump(presence, was, source, &Policy::default(), at(100));
            assert_eq!(
                (evaluate.health, evaluate.again),
                (health, again.map(at)),
                "{presence:?} {was} {source:?}"
            );
        }
    }

    #[test]
    fn every_row_of_the_experiment_table() {
        use Health::{Degraded, Down, Ok};
        use JumpHealth::{Lost, Up};
        let jump_unknown = JumpHealth::Unknown;
        #[rustfmt::skip]
        let rows = [
            // required streams, other streams, jump, outage → health, codes of the issues
            (vec![Active, Active], vec![Active], Up, false, Ok, vec![]),
            (vec![Active], vec![], jump_unknown, false, Ok, vec![]),
            (vec![Active], vec![], Lost, false, Degraded, vec!["missing jump"]),
            (vec![Active], vec![Missing], Up, false, Degraded, vec!["unhealthy o0"]),
            (vec![Active], vec![Silent], Lost, false, Degraded, vec!["missing jump", "unhealthy o0"]),
            (vec![Active], vec![Unknown], Up, false, Ok, vec![]),
            (vec![Active, Silent], vec![], Up, false, Down, vec!["unhealthy r1"]),
            (vec![Missing, Silent], vec![Missing], Lost, false, Down, vec!["missing required r0", "unhealthy r1", "missing jump", "unhealthy o0"]),
            (vec![Missing, Unknown], vec![], Up, false, Down, vec!["missing required r0"]),
            (vec![Unknown, Active], vec![], Up, false, Health::Unknown, vec![]),
            (vec![Unknown], vec![], Lost, false, Health::Unknown, vec![]),
            (vec![Unknown], vec![], Up, true, Down, vec!["relay outage"]),
            (vec![], vec![], Up, false, Ok, vec![]),
            (vec![], vec![], Lost, true, Degraded, vec!["missing jump"]),
        ];
        for (required, others, jump, outage, health, codes) in rows {
            let named = |prefix: &str, states: &[StreamHealth]| -> Vec<(Topic, StreamHealth)> {
                states
                    .iter()
                    .enumerate()
                    .map(|(i, h)| (Topic::try_new(&format!("{prefix}{i}")).expect("a name"), *h))
                    .collect()
            };
            let (req, oth) = (named("r", &required), named("o", &others));
            let streams = req
                .iter()
                .map(|(t, h)| (t, true, *h))
                .chain(oth.iter().map(|(t, h)| (t, false, *h)));
            let (got, issues) = experiment(streams, jump, outage, &PageFacts::default());
            let got_codes: Vec<String> = issues.iter().map(Issue::code).collect();
            assert_eq!(
                (got, got_codes),
                (health, codes.into_iter().map(str::to_owned).collect()),
                "{required:?} {others:?} {jump}"
            );
        }
    }

    #[test]
    fn every_row_of_the_pages() {
        use Health::{Degraded, Down, Ok};
        let topic = Topic::try_new("pend00-st-data").expect("a name");
        let page = PageName::try_new("lab.example/ui/").expect("a name");
        #[rustfmt::skip]
        let rows = [
            // a page fails, none is left, the required stream → health, codes of the issues
            (false, false, Active, Ok, vec![]),
            (true, false, Active, Degraded, vec!["unhealthy page lab.example/ui/"]),
            (true, true, Active, Down, vec!["missing required page", "unhealthy page lab.example/ui/"]),
            (true, false, Missing, Down, vec!["missing required pend00-st-data", "unhealthy page lab.example/ui/"]),
            (true, false, Unknown, Health::Unknown, vec![]),
            (true, true, Unknown, Health::Unknown, vec![]),
        ];
        for (fails, is_gone, stream, health, codes) in rows {
            let fault = PageFault::Answers(404);
            let issues = fails.then(|| Issue::Page(page.clone(), fault));
            let pages = PageFacts {
                issues: issues.into_iter().collect(),
                is_gone,
            };
            let streams = [(&topic, true, stream)].into_iter();
            let (got, issues) = experiment(streams, JumpHealth::Up, false, &pages);
            let got_codes: Vec<String> = issues.iter().map(Issue::code).collect();
            let got_codes: Vec<&str> = got_codes.iter().map(String::as_str).collect();
            assert_eq!((got, got_codes), (health, codes), "{pages:?} {stream}");
        }
    }

    #[test]
    fn the_better_of_two_connections_counts() {
        let order = [ago(1), ago(2), Transmission::Unsaid, Transmission::Never];
        for (i, better) in order.iter().enumerate() {
            for (j, worse) in order.iter().enumerate() {
                assert_eq!(better.is_better_than(*worse), i < j, "{better:?} {worse:?}");
            }
        }
    }
}
