//! What is wrong with an experiment, as a short text: `data and video are missing, remote login is
//! lost`. Pure.

use engine::Issue;
use engine::model::{StreamHealth, Stub, Topic};

use super::words::{clip, list};

/// The most symptoms that are named.
const MAX_NAMED: usize = 6;

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 60;

/// What a stream does or does not do, and whether it is required.
type Fault = (StreamHealth, bool);

/// The issues of an experiment, streams in the same state together.
pub(super) fn symptoms(issues: &[Issue], stub: &Stub) -> String {
    let mut streams: Vec<(Fault, Vec<String>)> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for issue in issues.iter().take(MAX_NAMED) {
        let (topic, fault) = match issue {
            Issue::Required(topic, health) => (topic, (*health, true)),
            Issue::Other(topic, health) => (topic, (*health, false)),
            Issue::RelayOutage => {
                others.push("relay has been silent for too long".to_owned());
                continue;
            }
            Issue::JumpLost => {
                others.push("remote login is lost".to_owned());
                continue;
            }
            Issue::NoPage | Issue::Page(..) => {
                others.push(issue.to_string());
                continue;
            }
        };
        let name = stream(topic, stub);
        match streams.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, names)) => names.push(name),
            None => streams.push((fault, vec![name])),
        }
    }
    let streams = streams
        .iter()
        .map(|(fault, names)| of_streams(*fault, names));
    let mut all: Vec<String> = streams.chain(others).collect();
    let more = issues.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all.join(", ")
}

fn of_streams(fault: Fault, names: &[String]) -> String {
    let is_one = names.len() == 1;
    let names = list(names);
    let is = if is_one { "is" } else { "are" };
    match fault {
        (StreamHealth::Silent, true) if is_one => format!("{names} is connected but sends nothing"),
        (StreamHealth::Silent, true) => format!("{names} are connected but send nothing"),
        (health, true) => format!("{names} {is} {health}"),
        (health, false) => format!("{names} (not required) {is} {health}"),
    }
}

/// A stream's name beside that of its experiment: `video` of `pend00-st-video`.
fn stream(topic: &Topic, stub: &Stub) -> String {
    let key = topic
        .as_str()
        .strip_prefix(stub.as_str())
        .and_then(|rest| rest.strip_prefix('-'));
    let key = key.map(|key| key.strip_prefix("st-").unwrap_or(key));
    clip(
        key.filter(|key| !key.is_empty()).unwrap_or(topic.as_str()),
        MAX_NAME_CHARS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_in_the_same_state_are_said_together() {
        use StreamHealth::{Missing, Silent};
        let stub = Stub::try_new("pend00").expect("a name");
        let topic = |name: &str| Topic::try_new(name).expect("a name");
        let data = |health| Issue::Required(topic("pend00-st-data"), health);
        let video = |health| Issue::Required(topic("pend00-st-video"), health);
        let other = Issue::Other(topic("pend00-st-aux"), Missing);
        for (issues, said) in [
            (vec![], ""),
            (vec![video(Missing)], "video is missing"),
            (
                vec![data(Missing), video(Missing)],
                "data and video are missing",
            ),
            (
                vec![data(Silent), video(Missing), Issue::JumpLost],
                "data is connected but sends nothing, video is missing, remote login is lost",
            ),
            (
                vec![data(Silent), video(Silent)],
                "data and video are connected but send nothing",
            ),
            (vec![other], "aux (not required) is missing"),
            (
                vec![Issue::RelayOutage],
                "relay has been silent for too long",
            ),
            (
                vec![
                    Issue::Required(topic("odd"), Missing),
                    Issue::Required(topic("pend00-"), Missing),
                ],
                "odd and pend00- are missing",
            ),
            (
                vec![video(Missing); 8],
                "video, video, video, video, video and video are missing, 2 more",
            ),
        ] {
            assert_eq!(symptoms(&issues, &stub), said);
        }
    }
}
