//! The headers of a mail, folded so that no line is longer than the protocol allows (RFC 5322,
//! section 2.1.1), for any number of recipients and any words. Always in ASCII: other letters are
//! encoded (RFC 2047).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use lettre::message::Mailbox;

use super::smtp::EnvelopeAddress;

/// The preferred length of a line, in bytes.
const PREFERRED_LINE_BYTES: usize = 78;

/// How much text one encoded word carries, in bytes: it may have 75 with what is around it, and
/// Base64 makes 4 of 3.
const ENCODED_BYTES: usize = 45;

/// The longest word that is written as it is, in bytes.
const MAX_PLAIN_BYTES: usize = 70;

/// The headers of a mail, in the order in which they are added.
#[derive(Debug, Default)]
pub struct Headers(String);

impl Headers {
    /// Adds one whose value is made of words that may be parted; the caller vouches that they are
    /// ASCII and shorter than a line.
    pub fn words(&mut self, name: &str, words: impl IntoIterator<Item = String>) {
        let mut line = format!("{name}:");
        for word in words {
            if line.len() + 1 + word.len() > PREFERRED_LINE_BYTES
                && !line.trim().is_empty()
                && !line.ends_with(':')
            {
                self.0.push_str(&line);
                self.0.push_str("\r\n");
                line.clear();
            }
            line.push(' ');
            line.push_str(&word);
        }
        self.0.push_str(&line);
        self.0.push_str("\r\n");
    }

    /// Adds one that is free text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.words(name, phrase(text, is_plain_text));
    }

    /// Adds one that names mailboxes; none without any.
    pub fn mailboxes(&mut self, name: &str, mailboxes: &[Mailbox]) {
        let last = mailboxes.len().saturating_sub(1);
        let words = mailboxes.iter().enumerate().flat_map(|(at, mailbox)| {
            let mut words = words_of(mailbox);
            if let (Some(word), true) = (words.last_mut(), at < last) {
                word.push(',');
            }
            words
        });
        if !mailboxes.is_empty() {
            self.words(name, words);
        }
    }

    /// Adds the date.
    pub fn date(&mut self, at: Timestamp) {
        let date = at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
        self.words("Date", [date]);
    }

    /// All of them, with CR LF.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// A mailbox as the words of a header. One that only a mail in UTF-8 could name is written as a
/// group without members, whose name is the address (RFC 6857, section 3.1), so that all other
/// recipients can get the mail.
fn words_of(mailbox: &Mailbox) -> Vec<String> {
    let address = EnvelopeAddress::new(&mailbox.email);
    if address.needs_utf8() {
        let mut words = encoded(&address.to_string());
        words.push(":;".to_owned());
        return words;
    }
    match mailbox.name.as_deref().map(str::trim) {
        None | Some("") => vec![address.to_string()],
        Some(name) => {
            let mut words = display_name(name);
            words.push(format!("<{address}>"));
            words
        }
    }
}

fn display_name(name: &str) -> Vec<String> {
    let plain = |word: &str| word.bytes().all(is_atom_byte);
    let can_be_quoted = name.len() < MAX_PLAIN_BYTES
        && name.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !name.contains("=?");
    if can_be_quoted && !name.split(' ').all(plain) {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        return vec![format!("\"{quoted}\"")];
    }
    phrase(name, |word| plain(word) && !word.contains("=?"))
}

fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn is_plain_text(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_graphic()) && !word.contains("=?")
}

/// Text as the words of a header: as they are where all may stand so, otherwise all encoded.
/// Control characters become blanks.
fn phrase(text: &str, is_plain: impl Fn(&str) -> bool) -> Vec<String> {
    let text = text.replace(char::is_control, " ");
    let words = || text.split_whitespace();
    if words().all(|word| word.len() <= MAX_PLAIN_BYTES && is_plain(word)) {
        words().map(str::to_owned).collect()
    } else {
        encoded(text.trim())
    }
}

/// Text as encoded words, each of whole characters. The blanks between them are none of the text.
fn encoded(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for char in text.chars() {
        match parts.last_mut() {
            Some(part) if part.len() + char.len_utf8() <= ENCODED_BYTES => part.push(char),
            _ => parts.push(char.to_string()),
        }
    }
    parts
        .iter()
        .map(|part| format!("=?utf-8?b?{}?=", STANDARD.encode(part)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> String {
        let mut headers = Headers::default();
        headers.text("Subject", text);
        headers.into_text()
    }

    fn to(mailboxes: &[&str]) -> String {
        let mailboxes: Vec<Mailbox> = mailboxes
            .iter()
            .map(|text| text.parse().expect("a mailbox"))
            .collect();
        let mut headers = Headers::default();
        headers.mailboxes("To", &mailboxes);
        headers.into_text()
    }

    #[test]
    fn words_stand_as_they_are_where_they_can() {
        assert_eq!(
            text("[lab] 1 down: pend03"),
            "Subject: [lab] 1 down: pend03\r\n"
        );
        assert_eq!(text("a\r\nBcc: b@x.org"), "Subject: a Bcc: b@x.org\r\n");
        assert_eq!(text("=?x"), "Subject: =?utf-8?b?PT94?=\r\n");
        assert_eq!(text("über"), "Subject: =?utf-8?b?w7xiZXI=?=\r\n");
        assert_eq!(text(""), "Subject:\r\n");
        assert_eq!(
            to(&["ann@example.org", "Bob <bob@example.org>"]),
            "To: ann@example.org, Bob <bob@example.org>\r\n"
        );
        assert_eq!(
            to(&["\"Doe, \\\"J\\\"\" <jo@example.org>"]),
            "To: \"Doe, \\\"J\\\"\" <jo@example.org>\r\n"
        );
        assert_eq!(to(&[]), "");
    }

    #[test]
    fn letters_outside_of_ascii_are_encoded() {
        assert_eq!(
            to(&["Jörg <bob@münchen.example>"]),
            "To: =?utf-8?b?SsO2cmc=?= <bob@xn--mnchen-3ya.example>\r\n"
        );
        assert_eq!(
            to(&["jörg@example.org", "ann@example.org"]),
            "To: =?utf-8?b?asO2cmdAZXhhbXBsZS5vcmc=?= :;, ann@example.org\r\n"
        );
    }

    #[test]
    fn many_recipients_make_many_lines() {
        let many: Vec<String> = (0..120)
            .map(|n| format!("firstname.lastname{n:03}@physics.example.ac.uk"))
            .collect();
        let header = to(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(header.lines().count() > 60);
        assert!(
            header
                .lines()
                .all(|line| line.len() <= PREFERRED_LINE_BYTES),
            "{header}"
        );
        assert_eq!(header.matches(',').count(), 119);
        let unfolded = header.replace("\r\n ", " ");
        assert_eq!(unfolded, format!("To: {}\r\n", many.join(", ")));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_long_line_or_another_header(given in "\\PC{0,400}|[ -~\r\n\t]{0,400}|x{0,1200}") {
            let header = text(&given);
            let body = header.strip_suffix("\r\n").expect("ends");
            prop_assert!(header.is_ascii());
            for (at, line) in body.split("\r\n").enumerate() {
                prop_assert!(line.len() <= PREFERRED_LINE_BYTES + MAX_PLAIN_BYTES, "{}", line);
                prop_assert!(at == 0 || (line.starts_with(' ') && !line.trim().is_empty()));
                prop_assert!(!line.contains(['\r', '\n']));
            }
        }
    }
}
