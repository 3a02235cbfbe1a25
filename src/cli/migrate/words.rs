//! Quoting of systemd's units and environment files, read and written.

/// A parsed line of a unit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) all: Vec<String>,
    /// Whether a quotation mark was not closed.
    pub(super) is_open: bool,
}

/// Splits at blanks; quotation marks keep them, a backslash keeps the next character.
pub(super) fn words(text: &str) -> Words {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (_, '\\') => word
                .get_or_insert_default()
                .extend(characters.next().map(unescaped)),
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => all.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    Words {
        all,
        is_open: quote.is_some(),
    }
}

fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        's' => ' ',
        other => other,
    }
}

/// The assignments of an environment file, each with the number of its line. A line that is not an
/// assignment comes without a name.
pub(super) fn env_file(text: &str) -> Vec<(usize, String, String)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', ';']))
        .map(|(number, line)| match line.split_once('=') {
            Some((name, value)) => (number, name.trim().to_owned(), unquoted(value.trim())),
            None => (number, String::new(), String::new()),
        })
        .collect()
}

/// The value of an environment file without its quotation marks. Outside of them blanks are part of
/// it.
fn unquoted(text: &str) -> String {
    let mut value = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (Some('"') | None, '\\') => value.extend(characters.next()),
            (_, c) => value.push(c),
        }
    }
    value
}

/// A value for an environment file that systemd and a shell read alike.
pub(super) fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,+%=".contains(c);
    if value.chars().all(is_plain) {
        return value.to_owned();
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            text.push('\\');
        }
        text.push(c);
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_systemd_does() {
        for (text, expected) in [
            ("a b", &["a", "b"][..]),
            ("\"a b\" c", &["a b", "c"]),
            ("A=\"b c\"", &["A=b c"]),
            (r"a\ b", &["a b"]),
            ("''", &[""]),
            ("", &[]),
        ] {
            let found = words(text);
            assert_eq!(
                (&found.all[..], found.is_open),
                (expected_owned(expected).as_slice(), false),
                "{text}"
            );
        }
        assert!(words("\"a b").is_open);
    }

    fn expected_owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        for value in ["plain", "two words", "it's", "$HOME `x` \"y\" \\", "#", ""] {
            let line = format!("A={}", quoted(value));
            let read = env_file(&line);
            assert_eq!(read, [(1, "A".to_owned(), value.to_owned())], "{line}");
        }
    }
}
