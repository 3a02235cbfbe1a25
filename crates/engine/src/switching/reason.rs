//! The reasons that students read in book.

use crate::model::{OUR_PREFIX, StreamHealth, Stub, Topic};
use crate::protocol::Issue;

/// The most streams that a reason names.
const NAMED_STREAMS: usize = 3;

/// The reason for giving a resource back.
pub(crate) fn given_back() -> String {
    format!("{OUR_PREFIX}working again")
}

/// The reason for making a resource available because an operator released it, while its health is
/// not known.
pub(crate) fn enabled() -> String {
    format!("{OUR_PREFIX}enabled by a maintainer")
}

/// The reason for keeping a resource withdrawn after a fault until a maintainer has inspected it,
/// whatever its health.
pub(crate) fn to_be_inspected() -> String {
    format!(
        "{OUR_PREFIX}out of order after a fault; it can be booked again when a maintainer has inspected it"
    )
}

/// The reason for withdrawing a flapping resource: one for as long as it flaps.
pub(crate) fn comes_and_goes(stub: &Stub, issues: &[Issue]) -> String {
    let required = issues.iter().filter_map(|issue| match issue {
        Issue::Required(topic, _) => Some(carried(stub, topic)),
        Issue::RelayOutage
        | Issue::NoPage
        | Issue::JumpLost
        | Issue::Other(..)
        | Issue::Page(..) => None,
    });
    let what = match required.collect::<Vec<_>>() {
        names if names.is_empty() => "it comes and goes".to_owned(),
        names if names.len() == 1 => format!("its {} comes and goes", list(&names)),
        names => format!("its {} come and go", list(&names)),
    };
    format!(
        "{OUR_PREFIX}out of order at the moment, {what}; it can be booked again as soon as it works steadily"
    )
}

/// The reason for withdrawing a resource. Its text is stable while the issues are the same, so that
/// it is not written again and again.
pub(crate) fn withdrawn(stub: &Stub, issues: &[Issue]) -> String {
    let lost = streams(stub, issues, StreamHealth::Missing);
    let silent = streams(stub, issues, StreamHealth::Silent);
    let what = if issues.contains(&Issue::RelayOutage) {
        "the connection to all experiments is interrupted".to_owned()
    } else {
        match (lost.is_empty(), silent.is_empty()) {
            (false, true) => format!("its {} {} not connected", list(&lost), verb(&lost)),
            (true, false) => format!(
                "its {} {} connected but not sending",
                list(&silent),
                verb(&silent)
            ),
            (false, false) => {
                format!(
                    "its {} {} not connected and its {} not sending",
                    list(&lost),
                    verb(&lost),
                    list(&silent)
                )
            }
            (true, true) if issues.contains(&Issue::NoPage) => {
                "its web page cannot be opened".to_owned()
            }
            (true, true) => "it is not working".to_owned(),
        }
    };
    format!(
        "{OUR_PREFIX}out of order at the moment, {what}; it can be booked again as soon as it works"
    )
}

/// What the required streams of this health carry: `data`, `video`, as their keys say.
fn streams(stub: &Stub, issues: &[Issue], health: StreamHealth) -> Vec<String> {
    let of_health = issues.iter().filter_map(|issue| match issue {
        Issue::Required(topic, is) if *is == health => Some(topic),
        Issue::Required(..)
        | Issue::RelayOutage
        | Issue::NoPage
        | Issue::JumpLost
        | Issue::Other(..)
        | Issue::Page(..) => None,
    });
    of_health.map(|topic| carried(stub, topic)).collect()
}

fn carried(stub: &Stub, topic: &Topic) -> String {
    let key = topic
        .as_str()
        .strip_prefix(stub.as_str())
        .and_then(|rest| rest.strip_prefix('-'))
        .unwrap_or(topic.as_str());
    key.strip_prefix("st-").unwrap_or(key).replace('-', " ")
}

fn verb(names: &[String]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
}

fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if names.len() <= NAMED_STREAMS => {
            format!("{} and {last}", first.join(", "))
        }
        [first, second, ..] => format!("{first}, {second} and {} more", names.len() - 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StreamHealth::{Missing, Silent};

    #[test]
    fn a_student_reads_what_is_wrong() {
        let stub = Stub::try_new("pend00").expect("a name");
        let rows: [(&[(&str, StreamHealth)], &str); 5] = [
            (&[("st-video", Missing)], "its video is not connected"),
            (
                &[("st-data", Silent)],
                "its data is connected but not sending",
            ),
            (
                &[("st-data", Missing), ("st-video", Missing)],
                "its data and video are not connected",
            ),
            (
                &[("st-data", Silent), ("st-video-alt", Missing)],
                "its video alt is not connected and its data not sending",
            ),
            (
                &[("a", Silent), ("b", Silent), ("c", Silent), ("d", Silent)],
                "its a, b and 2 more are connected but not sending",
            ),
        ];
        for (streams, words) in rows {
            let issues: Vec<Issue> = streams
                .iter()
                .map(|(key, health)| {
                    Issue::Required(Topic::of(&stub, key).expect("a name"), *health)
                })
                .collect();
            assert_eq!(
                withdrawn(&stub, &issues),
                format!(
                    "labwatch: out of order at the moment, {words}; it can be booked again as soon as it works"
                )
            );
        }
        let lost = |key| Issue::Required(Topic::of(&stub, key).expect("a name"), Missing);
        for (issues, words) in [
            (vec![lost("st-data")], "its data comes and goes"),
            (
                vec![lost("st-data"), lost("st-video"), Issue::JumpLost],
                "its data and video come and go",
            ),
            (vec![], "it comes and goes"),
        ] {
            let reason = format!(
                "labwatch: out of order at the moment, {words}; it can be booked again as soon as it works steadily"
            );
            assert_eq!(comes_and_goes(&stub, &issues), reason);
        }
        assert!(
            withdrawn(&stub, &[Issue::RelayOutage])
                .contains("the connection to all experiments is interrupted")
        );
    }
}
