//! Characters that make a name look like another one: invisible ones, and those that reorder the
//! text around them.

use std::borrow::Cow;

/// Whether this character is a control, invisible, or changes the direction of the text around it.
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with every deceptive character in a visible form, as `\u{202e}`. Line ends and tabs
/// stay, because only texts that labwatch lays out have them.
pub fn escape_deceptive(text: &str) -> Cow<'_, str> {
    let shown =
        |character: char| !is_deceptive(character) || matches!(character, '\n' | '\r' | '\t');
    if text.chars().all(shown) {
        return Cow::Borrowed(text);
    }
    let parts = text.chars().map(|character| {
        if shown(character) {
            character.to_string()
        } else {
            character.escape_unicode().to_string()
        }
    });
    Cow::Owned(parts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped() {
        for (text, expect) in [
            ("pend00\nline\tü 字 é", "pend00\nline\tü 字 é"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{200b}\u{feff}b", "a\\u{200b}\\u{feff}b"),
            ("a\u{2028}b\u{1b}[31m", "a\\u{2028}b\\u{1b}[31m"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(escape_deceptive(text), expect, "{text:?}");
        }
        assert!(matches!(escape_deceptive("plain"), Cow::Borrowed(_)));
    }
}
