//! Recipients of mail, and what a mail server says to each, in a line.

use crate::effects::mail::{EnvelopeAddress, SmtpError};

/// Recipients with commas between them.
fn list<'a>(recipients: impl Iterator<Item = &'a EnvelopeAddress>) -> String {
    let all: Vec<String> = recipients.map(ToString::to_string).collect();
    all.join(", ")
}

/// What is wrong, each thing once, with those whom it concerns before it.
pub fn refusals<'a>(
    failures: impl Iterator<Item = (&'a EnvelopeAddress, &'a SmtpError)>,
) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&EnvelopeAddress>)> = Vec::new();
    for (recipient, error) in failures {
        let why = error.with_reply();
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, concerned)) => concerned.push(recipient),
            None => groups.push((why, vec![recipient])),
        }
    }
    groups
        .into_iter()
        .map(|(why, concerned)| format!("{}: {why}", list(concerned.into_iter())))
        .collect()
}
