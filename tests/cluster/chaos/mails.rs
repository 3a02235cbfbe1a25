//! What the mails say: that nothing is said twice but with the same Message-ID, and what was said
//! last.

use std::collections::BTreeMap;

use lab::CaughtMail;

/// The news of a mail, by experiment: its health, and the line about it.
type News = BTreeMap<String, (String, String)>;

/// What all mails say.
#[derive(Debug, Default)]
pub struct Read {
    /// The last notified health of each experiment.
    pub last: BTreeMap<String, String>,
    /// Mails that came again with the same Message-ID.
    pub repeated: usize,
    pub faults: Vec<String>,
}

/// Reads the mails in the order in which they came.
pub fn read(mails: &[CaughtMail]) -> Read {
    let mut read = Read::default();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for mail in mails {
        let id = header(mail, "Message-ID").unwrap_or_default();
        if let Some(before) = seen.get(&id) {
            read.repeated += 1;
            if *before != mail.text {
                let fault = format!(
                    "{id} came again with another text:\n{before}\nand\n{}",
                    mail.text
                );
                read.faults.push(fault);
            }
            continue;
        }
        seen.insert(id.clone(), mail.text.clone());
        for (stub, (health, line)) in news(mail) {
            if lines.insert(stub.clone(), line.clone()).as_ref() == Some(&line) {
                let fault = format!("{id} says again what was said before: {line}");
                read.faults.push(fault);
            }
            read.last.insert(stub, health);
        }
    }
    read
}

/// The header that says for programs what is new: `news down=1 open=2 alerts=0
/// pend03=down/withdrawn`.
fn news(mail: &CaughtMail) -> News {
    let state = header(mail, "X-Labwatch-State").unwrap_or_default();
    let Some(rest) = state.strip_prefix("news ") else {
        return News::new();
    };
    let states = rest.split_whitespace().filter_map(|word| {
        let (stub, state) = word.split_once('=')?;
        let (health, _) = state.split_once('/')?;
        Some((stub.to_owned(), health.to_owned()))
    });
    states
        .map(|(stub, health)| {
            // Several experiments with the same news share a line.
            let is_about = |line: &&str| {
                let names = line.split_once(": ").map_or("", |(names, _)| names);
                is_among(&stub, names)
            };
            let mut lines = mail.text.lines().skip_while(|line| !is_about(line));
            let first = lines.next().unwrap_or_default();
            let why = lines
                .next()
                .filter(|line| line.starts_with(' '))
                .unwrap_or_default();
            let line = format!("{first}{why}");
            (stub, (health, line))
        })
        .collect()
}

/// Whether it is one of them, as in `pend01, pend03 to pend05 and spin00 (5)`.
fn is_among(stub: &str, names: &str) -> bool {
    let words: Vec<&str> = names
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let ranges = words.windows(3).filter(|three| three[1] == "to");
    words.contains(&stub)
        || ranges
            .into_iter()
            .any(|three| three[0] <= stub && stub <= three[2])
}

/// A header of a mail in one line.
fn header(mail: &CaughtMail, name: &str) -> Option<String> {
    let head = mail.raw.split("\r\n\r\n").next()?.replace("\r\n ", " ");
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
    Some(line.trim().to_owned())
}

#[test]
fn what_is_said_again_is_found() {
    let mail = |id: &str, state: &str, text: &str| CaughtMail {
        from: String::new(),
        to: Vec::new(),
        raw: format!(
            "Message-ID: <{id}>\r\nX-Labwatch-State: news down=1\r\n {state}\r\n\r\n{text}"
        ),
        subject: String::new(),
        text: text.to_owned(),
        html: None,
    };
    let down = "pend00: down since 01:04\n    Why: a\n";
    let first = mail("1", "pend00=down/withdrawn", down);
    let again = read(&[first.clone(), first.clone()]);
    assert_eq!((again.repeated, again.faults.len()), (1, 0), "{again:?}");
    assert_eq!(again.last["pend00"], "down");
    let both = "pend00 to spin00 (2): down since 01:04\n    Why: a\n";
    let grouped = mail("4", "pend00=down/withdrawn spin00=down/withdrawn", both);
    assert_eq!(read(&[grouped]).last["spin00"], "down");
    let other = mail("2", "pend00=down/withdrawn", down);
    let back = mail("3", "pend00=ok/bookable", "pend00: back\n");
    assert_eq!(read(&[first.clone(), other.clone()]).faults.len(), 1);
    assert_eq!(read(&[first.clone(), back, other]).faults.len(), 0);
    let changed = mail("1", "pend00=down/withdrawn", "pend00: down since 02:00\n");
    assert_eq!(read(&[first, changed]).faults.len(), 1);
}

#[test]
fn names_are_found_in_lists_and_ranges() {
    for (stub, names, found) in [
        ("pend01", "pend01", true),
        ("pend01", "pend00, pend01 and spin00", true),
        ("pend04", "pend01, pend03 to pend05 (4)", true),
        ("pend02", "pend01, pend03 to pend05 (4)", false),
        ("pend1", "pend10", false),
    ] {
        assert_eq!(is_among(stub, names), found, "{stub} in {names}");
    }
}
