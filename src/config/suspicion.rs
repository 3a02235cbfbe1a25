//! Values that were copied with characters around them: quotation marks, comments, placeholders,
//! invisible characters.

/// What a value probably holds beside the intended one, as a text that follows the value. The text
/// quotes nothing of it. TOML has removed quotation marks and comments already, so there they are
/// intended.
pub(super) fn suspicion(text: &str, in_toml: bool) -> Option<&'static str> {
    if is_placeholder(text) {
        Some("looks like a placeholder that was not filled in")
    } else if !in_toml && is_quoted(text) {
        Some("is in quotation marks, which are taken as a part of it: leave them out")
    } else if !in_toml && text.contains(" # ") {
        Some("seems to have a comment behind it: comments stand on lines of their own")
    } else if is_assignment(text) {
        Some("looks like NAME=VALUE: write the value alone")
    } else {
        None
    }
}

/// Invisible characters or bytes that are not text, as a text that follows the value.
pub(super) fn unprintable(text: &str) -> Option<&'static str> {
    let invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}');
    if text.starts_with('\u{feff}') {
        Some("starts with a byte order mark: save the file that it comes from without one")
    } else if text.contains('\u{feff}') || text.contains(invisible) {
        Some("holds an invisible character: type it again")
    } else if text.chars().any(char::is_control) {
        Some("holds a control character")
    } else if text.contains('\u{fffd}') {
        Some("is not UTF-8")
    } else {
        None
    }
}

fn is_placeholder(text: &str) -> bool {
    let in_brackets = text.starts_with('<') && text.ends_with('>') && !text.contains('@');
    text == "..." || in_brackets || is_name_behind_dollar(text)
}

/// Whether a `$` starts the name of a variable: a single capital letter, as a password can have it,
/// does not.
fn is_name_behind_dollar(text: &str) -> bool {
    text.split('$').skip(1).any(|after| {
        if after.starts_with('(') {
            return true;
        }
        let name = after.trim_start_matches('{');
        let length = name
            .bytes()
            .take_while(|b| b.is_ascii_uppercase() || *b == b'_')
            .count();
        let in_braces = name.len() < after.len() && length >= 1;
        in_braces || length >= 4
    })
}

fn is_quoted(text: &str) -> bool {
    let within = |mark: char| {
        text.strip_prefix(mark)
            .is_some_and(|rest| rest.ends_with(mark))
    };
    within('"') || within('\'')
}

/// The name of a variable, with an underscore in it, and a value. The end of a base64 text is not a
/// value.
fn is_assignment(text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else {
        return false;
    };
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    name.contains('_') && name.bytes().all(plain) && !value.trim_matches('=').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_too_is_seen() {
        for (text, words) in [
            ("\"app.example.org\"", "quotation marks"),
            ("'app.example.org'", "quotation marks"),
            ("app.example.org # prod", "comment"),
            ("STATUS_HOST_BOOK=app.example.org", "NAME=VALUE"),
            ("$DOMAIN", "placeholder"),
            ("https://${DOMAIN}/x", "placeholder"),
            ("$BOOK_SECRET", "placeholder"),
            ("$(cat secret)", "placeholder"),
            ("<your secret>", "placeholder"),
            ("...", "placeholder"),
        ] {
            let found = suspicion(text, false).unwrap_or_default();
            assert!(found.contains(words), "{text}: {found}");
        }
        for good in [
            "app.example.org",
            "Lab #1",
            "a$b",
            "pa$Word",
            "AB_C==",
            "Qk9P=",
            "x=y",
            "\"Lab, the\" <lab@example.org>",
            "<lab@example.org>",
            "\"",
        ] {
            assert_eq!(suspicion(good, false), None, "{good}");
        }
        assert_eq!(suspicion("\"a\" # b", true), None);
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        assert!(unprintable("\u{feff}a").is_some_and(|why| why.contains("byte order mark")));
        assert!(unprintable("a\u{200b}b").is_some_and(|why| why.contains("invisible")));
        assert!(unprintable("a\0").is_some_and(|why| why.contains("control")));
        assert_eq!(unprintable("a b \u{e9} \u{1f600}"), None);
    }
}
