//! Matching of names: by a pattern, or by the stem that they share.

/// The characters that separate a name's stem from its number.
const SEPARATORS: [char; 3] = ['-', '_', '.'];

/// The stem of a numbered name: `pend` of `pend07` and of `pend-07`. A name that is all number is
/// its own stem.
pub fn stem(name: &str) -> &str {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || SEPARATORS.contains(&c));
    if stem.is_empty() { name } else { stem }
}

/// Whether a pattern matches the whole name: `*` stands for any text, `?` for one character.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    // position of the last star, and up to where in the name it reaches
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match (pattern.get(at), name.get(from)) {
            (Some('*'), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(p), Some(n)) if *p == '?' || p == n => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((starred, reach)) = star else {
                    return false;
                };
                star = Some((starred, reach + 1));
                (at, from) = (starred + 1, reach + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|p| *p == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_no_part_of_a_stem() {
        for (name, expected) in [
            ("pend07", "pend"),
            ("pend-07", "pend"),
            ("rig_2.10", "rig"),
            ("spin", "spin"),
            ("42", "42"),
            ("a1b2", "a1b"),
            ("", ""),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
    }

    #[test]
    fn a_pattern_takes_in_the_whole_name() {
        let rows = [
            ("pend*", "pend07", true),
            ("pend*", "apend07", false),
            ("pend0?", "pend07", true),
            ("pend0?", "pend071", false),
            ("*", "", true),
            ("**7", "pend07", true),
            ("*nd*7", "pend07", true),
            ("*a*b", "aab", true),
            ("*a*b", "aba", false),
            ("", "x", false),
            ("", "", true),
            ("?", "\u{e9}", true),
            ("p[ae]nd", "pend", false),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    proptest::proptest! {
        /// Compares with the definition, letter by letter.
        #[test]
        fn a_pattern_means_what_it_says(pattern in "[ab*?]{0,7}", name in "[ab]{0,7}") {
            fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
                match (pattern, name) {
                    ([], name) => name.is_empty(),
                    ([b'*', rest @ ..], name) => (0..=name.len()).any(|taken| by_definition(rest, &name[taken..])),
                    ([p, rest @ ..], [n, left @ ..]) => (*p == b'?' || p == n) && by_definition(rest, left),
                    (_, []) => false,
                }
            }
            proptest::prop_assert_eq!(matches(&pattern, &name), by_definition(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
