//! The list of settings, read from the commented defaults, so that documentation and program cannot differ. Reads no other source.

/// The defaults with their documentation, as shipped.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// What the name of every setting starts with in the environment.
pub const ENV_PREFIX: &str = "STATUS_";

/// The variable that names the configuration file.
pub const ENV_CONFIG: &str = "STATUS_CONFIG";

/// The settings whose values are never shown. Each may also come from a file, by a setting of the same name with `_file` behind it.
pub const SECRETS: [&str; 8] = [
    "secret_book",
    "secret_jump",
    "secret_relay",
    "email_password",
    "secret_webhook",
    "secret_api",
    "webhook_url",
    "dead_man_url",
];

/// The most letters by which a misspelt name may differ from the one that is suggested, unless a third of its letters is more.
const SUGGESTED_WITHIN: usize = 2;

/// A setting, as `defaults.toml` documents it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name in the configuration file.
    pub name: &'static str,
    /// Its value there, in TOML: the default, or an example where it has none.
    pub value: &'static str,
    /// Whether `value` is in force unless set otherwise; if not it is an example.
    pub has_default: bool,
    /// What it means, its unit, and what is allowed.
    pub doc: String,
    /// The heading that it stands under.
    pub section: &'static str,
}

impl Key {
    /// Its name in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// The value without TOML's quotation marks.
    #[must_use]
    pub fn plain_value(&self) -> &'static str {
        self.value.trim_matches('"')
    }
}

/// Every setting, in the order of `defaults.toml`.
#[must_use]
pub fn keys() -> Vec<Key> {
    documented(DEFAULTS)
}

/// Everything that is documented in a text like `defaults.toml`, in its order.
pub(super) fn documented(text: &'static str) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut section = "";
    let mut doc: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if let Some(prose) = line.strip_prefix("# ") {
            doc.push(prose);
        } else if let Some((name, value)) = line.split_once(" = ") {
            let example = name.strip_prefix('#');
            let name = example.unwrap_or(name);
            keys.push(Key {
                name,
                value,
                has_default: example.is_none(),
                doc: doc.join(" "),
                section,
            });
            doc.clear();
        } else {
            doc.clear();
        }
    }
    keys
}

/// The environment's name of the setting `key`.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.to_ascii_uppercase())
}

/// The known setting whose name is nearest to `unlisted`, if one is near enough to be meant.
pub(super) fn nearest<'a, S: AsRef<str>>(unlisted: &str, known: &'a [S]) -> Option<&'a str> {
    let lower = unlisted.to_ascii_lowercase();
    let unlisted = lower.strip_prefix("status_").unwrap_or(&lower);
    let within = SUGGESTED_WITHIN.max(unlisted.len() / 3);
    let named = known.iter().map(AsRef::as_ref);
    let (distance, name) = named
        .map(|name| (distance(unlisted, name), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= within).then_some(name)
}

/// How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((to, pair), left_below) in b.chars().zip(row.windows(2)).zip(1..) {
            let [diagonal, above] = pair else { continue };
            let left = next.get(left_below - 1).copied().unwrap_or(usize::MAX - 1);
            next.push(
                (diagonal + usize::from(from != to))
                    .min(above + 1)
                    .min(left + 1),
            );
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_defaults_is_understood() {
        let keys = keys();
        let assignments = DEFAULTS
            .lines()
            .filter(|line| !line.starts_with("# ") && line.contains('='))
            .count();
        assert_eq!(keys.len(), assignments);
        for key in &keys {
            assert!(
                key.name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{}",
                key.name
            );
            assert!(
                key.doc.contains("Allowed: "),
                "{} says what is allowed",
                key.name
            );
            assert!(
                !key.section.is_empty(),
                "{} stands under a heading",
                key.name
            );
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("host_bok", "host_book", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_misspelt_name_finds_its_setting() {
        let known: Vec<String> = keys().iter().map(|key| key.name.to_owned()).collect();
        for (unlisted, expected) in [
            ("host_bok", Some("host_book")),
            ("host_bookjump", Some("host_book")),
            ("STATUS_HOST_JUMP", Some("host_jump")),
            ("health_lastactive", Some("health_last_active")),
            ("whom_to_tell", None),
            ("zzz", None),
        ] {
            assert_eq!(nearest(unlisted, &known), expected, "{unlisted}");
        }
    }
}
