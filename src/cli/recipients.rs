//! Mail recipients, and a mail server's replies to them, as lines of text.

use crate::effects::mail::{EnvelopeAddress, SmtpError};

/// Recipients with commas between them.
fn list<'a>(recipients: impl Iterator<Item = &'a EnvelopeAddress>) -> String {
    let all: Vec<String> = recipients.map(ToString::to_string).collect();
    all.join(", ")
}

/// The errors, each once, after the recipients that it affects.
pub fn refusals<'a>(
    failures: impl Iterator<Item = (&'a EnvelopeAddress, &'a SmtpError)>,
) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&EnvelopeAddress>)> = Vec::new();
    for (recipient, error) in failures {
        let why = error.with_reply();
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, affected)) => affected.push(recipient),
            None => groups.push((why, vec![recipient])),
        }
    }
    groups
        .into_iter()
        .map(|(why, affected)| format!("{}: {why}", list(affected.into_iter())))
        .collect()
}
