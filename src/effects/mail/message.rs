//! A whole mail: its headers, and its text in both forms. Always in ASCII, and no line longer than
//! the protocol allows.

use aws_lc_rs::digest;
use jiff::Timestamp;
use lettre::message::{Mailbox, MultiPart, SinglePart};

use super::headers::Headers;
use super::smtp::EnvelopeAddress;
use crate::effects::hex;

/// How much of a hash a boundary has: as many characters as a random one of the library.
const BOUNDARY_BYTES: usize = 20;

/// The recipients of a mail, by header.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// To.
    pub to: Vec<Mailbox>,
    /// Cc.
    pub cc: Vec<Mailbox>,
}

impl Addresses {
    /// All of them for the envelope.
    pub fn envelope(&self) -> Vec<EnvelopeAddress> {
        self.to
            .iter()
            .chain(&self.cc)
            .map(|mailbox| EnvelopeAddress::new(&mailbox.email))
            .collect()
    }

    /// The same, each once, sorted.
    pub fn distinct(&self) -> Vec<EnvelopeAddress> {
        let mut all = self.envelope();
        all.sort();
        all.dedup();
        all
    }
}

/// The headers of a mail.
pub struct Head<'a> {
    /// The sender.
    pub from: &'a Mailbox,
    /// The recipients.
    pub recipients: &'a Addresses,
    /// The subject.
    pub subject: &'a str,
    /// When it was composed.
    pub at: Timestamp,
    /// The id, in angle brackets.
    pub id: String,
    /// The ids of the mails before it in its thread, the latest last.
    pub references: Vec<String>,
    /// The state for filters, as short ASCII words. May be empty.
    pub state: Vec<String>,
}

/// The mail.
pub fn message(head: &Head<'_>, text: String, html: String) -> Vec<u8> {
    let mut headers = Headers::default();
    headers.mailboxes("From", std::slice::from_ref(head.from));
    headers.mailboxes("To", &head.recipients.to);
    headers.mailboxes("Cc", &head.recipients.cc);
    headers.text("Subject", head.subject);
    headers.date(head.at);
    headers.words("Message-ID", [head.id.clone()]);
    if let Some(latest) = head.references.last() {
        headers.words("In-Reply-To", [latest.clone()]);
        headers.words("References", head.references.iter().cloned());
    }
    if !head.state.is_empty() {
        headers.words("X-Labwatch-State", head.state.iter().cloned());
    }
    headers.words("Auto-Submitted", ["auto-generated".to_owned()]);
    headers.words("MIME-Version", ["1.0".to_owned()]);
    let mut mail = headers.into_text().into_bytes();
    let parts = MultiPart::alternative()
        .boundary(boundary(&head.id, &text, &html))
        .singlepart(SinglePart::plain(text))
        .singlepart(SinglePart::html(html));
    mail.extend(parts.formatted());
    mail
}

/// What separates the parts: the same for the same mail, so that each attempt sends the same bytes,
/// and nothing that a text can contain.
fn boundary(id: &str, text: &str, html: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [id, text, html] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    hex(&context.finish().as_ref()[..BOUNDARY_BYTES])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The longest line that a mail may have, in bytes, without its end (RFC 5322, section 2.1.1).
    const MAX_LINE_BYTES: usize = 998;

    fn mailbox() -> impl Strategy<Value = Mailbox> {
        let name = prop_oneof![
            Just(None),
            "\\PC{0,200}".prop_map(Some),
            "[ -~]{0,200}".prop_map(Some)
        ];
        let address = (
            "[a-zé]{1,40}(\\.[a-z]{1,20})?",
            "[a-zü]{1,50}\\.[a-z]{1,50}\\.example",
        );
        (name, address).prop_filter_map("an address", |(name, (user, domain))| {
            let email = lettre::Address::new(user, domain).ok()?;
            Some(Mailbox::new(name, email))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_mail_has_a_line_that_is_too_long(
            from in mailbox(),
            to in prop::collection::vec(mailbox(), 1..150),
            cc in prop::collection::vec(mailbox(), 0..3),
            subject in "\\PC{0,300}|[!-~]{0,300}",
            references in 0..60_usize,
            text in "\\PC{0,300}|[ -~]{0,3000}|x{0,3000}",
        ) {
            let recipients = Addresses { to, cc };
            let head = Head {
                from: &from,
                recipients: &recipients,
                subject: &subject,
                at: Timestamp::UNIX_EPOCH,
                id: "<labwatch.1.2@lab.example.org>".to_owned(),
                references: (0..references).map(|n| format!("<labwatch.{n}@lab.example.org>")).collect(),
                state: (0..references).map(|n| format!("pend{n}=down/withdrawn")).collect(),
            };
            let mail = message(&head, text.clone(), text.clone());
            prop_assert!(mail.is_ascii());
            let mail = String::from_utf8(mail).expect("ASCII");
            for line in mail.split("\r\n") {
                prop_assert!(line.len() <= MAX_LINE_BYTES, "{}", line);
            }
            let (head, _) = mail.split_once("\r\n\r\n").expect("a body");
            let names: Vec<&str> = head
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split_once(':').expect("a header").0)
                .collect();
            let once = |name: &str| names.iter().filter(|found| **found == name).count() == 1;
            prop_assert!(once("From") && once("To") && once("Subject") && once("Message-ID"), "{}", head);
            prop_assert_eq!(once("Cc"), !recipients.cc.is_empty());
            prop_assert!(!names.contains(&"Bcc"));
        }
    }
}
