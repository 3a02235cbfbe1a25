//! Parser of the policy's keys. An invalid value is reported, and the former one stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::model::Gather as _;

use crate::config::{CategoryPolicy, PolicyOverlay, PolicySettings};

/// The most bytes of a text.
const MAX_TEXT_BYTES: usize = 500;

/// The shortest and the longest period, in seconds: as `[[category]]` has them.
const PERIODS: std::ops::RangeInclusive<u64> = 1..=300;

/// The most categories: as many as the configuration file may have.
const MAX_CATEGORIES: usize = 200;

/// The most bytes of a name.
const MAX_NAME_BYTES: usize = 256;

/// How much of a wrong value is shown, in characters.
const SHOWN_CHARS: usize = 60;

/// How many wrong values are named.
const NAMED: usize = 3;

/// What a key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Ack,
    Path,
    ClusterAck,
    Period,
    IsResilient,
    Sticky,
    Enabled,
}

/// Valid values, as they were written.
pub type Known = BTreeMap<String, String>;

/// The policy, key by key.
pub(super) struct Document {
    settings: PolicySettings,
    known: Known,
    /// The revision of etcd at which each was last changed.
    revisions: BTreeMap<String, i64>,
    /// The error of a value, by key.
    wrong: BTreeMap<String, String>,
}

impl Document {
    /// The policy as it was last read.
    pub(super) fn new(settings: PolicySettings, known: Known) -> Self {
        Self {
            settings,
            known,
            revisions: BTreeMap::new(),
            wrong: BTreeMap::new(),
        }
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// Takes over all keys in etcd. Keys that are not there any more are gone.
    pub(super) fn replace(&mut self, all: Vec<(String, Vec<u8>, i64)>) {
        let there: BTreeSet<&str> = all.iter().map(|(key, ..)| key.as_str()).gather();
        self.known.retain(|key, _| there.contains(key.as_str()));
        self.wrong.clear();
        self.revisions.clear();
        for (key, value, revision) in all {
            self.take(&key, Some(&value), revision);
        }
    }

    /// Applies a change of a key at this revision; without a value it was deleted. Values of a
    /// later
    /// revision stay.
    pub(super) fn take(&mut self, key: &str, value: Option<&[u8]>, revision: i64) {
        let is_late = self
            .revisions
            .get(key)
            .is_some_and(|known| *known >= revision);
        let Some((field, _)) = self.settings.place(key).filter(|_| !is_late) else {
            return;
        };
        self.wrong.remove(key);
        let Some(value) = value else {
            self.known.remove(key);
            self.revisions.remove(key);
            return;
        };
        self.revisions.insert(key.to_owned(), revision);
        let text = String::from_utf8_lossy(value).trim().to_owned();
        // A value that is not text is as wrong as an empty one.
        let checked = std::str::from_utf8(value).map_or("", |_| &text);
        match field.check(checked) {
            Ok(()) => {
                self.known.insert(key.to_owned(), text);
            }
            Err(expected) => {
                let former = self.known.get(key);
                // A person's text is not for every reader.
                let is_private = matches!(field, Field::Ack | Field::ClusterAck);
                let (is, stays) = if is_private {
                    let stays = former.map(|_| "the former one stays in force".to_owned());
                    ("wrong".to_owned(), stays)
                } else {
                    let shown: String = text.chars().take(SHOWN_CHARS).collect();
                    let stays = former.map(|former| format!("{former:?} stays in force"));
                    (format!("{shown:?}"), stays)
                };
                let stays = stays.unwrap_or_else(|| "the default is in force".to_owned());
                let words = format!("{key} is {is}, expected is {expected}; {stays}");
                tracing::warn!(key, expected, "a value of the policy is wrong: {stays}");
                self.wrong.insert(key.to_owned(), words);
            }
        }
    }

    /// The revision at which a key was last changed; 0: it is not there.
    pub(super) fn revision(&self, key: &str) -> i64 {
        self.revisions.get(key).copied().unwrap_or_default()
    }

    /// The errors, as text.
    pub(super) fn problems(&self) -> Option<String> {
        let mut words: Vec<String> = self.wrong.values().take(NAMED).cloned().collect();
        let more = self.wrong.len().saturating_sub(NAMED);
        if more > 0 {
            words.push(format!("and {more} more"));
        }
        if let Some(name) = self.categories().nth(MAX_CATEGORIES) {
            words.push(format!(
                "there are more than {MAX_CATEGORIES} categories: {name} and those behind it are left out"
            ));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// The names of all categories, sorted.
    fn categories(&self) -> impl Iterator<Item = &str> {
        let places = self.known.keys().filter_map(|key| self.settings.place(key));
        let of_category = places.filter(|(field, _)| field.is_of_category());
        let names: BTreeSet<&str> = of_category.map(|(_, name)| name).collect();
        names.into_iter()
    }

    /// The policy over the configuration file.
    pub(super) fn overlay(&self) -> PolicyOverlay {
        let mut overlay = PolicyOverlay::default();
        for (key, text) in &self.known {
            let Some((field, name)) = self.settings.place(key) else {
                continue;
            };
            let acks = &mut overlay.acknowledged;
            match field {
                Field::Ack => drop(acks.by_name.insert(name.to_owned(), text.clone())),
                Field::Path => drop(overlay.paths.insert(name.to_owned(), text.clone())),
                Field::ClusterAck => acks.installation = Some(text.clone()),
                Field::Period => of(&mut overlay, name).period = period(text),
                Field::IsResilient => of(&mut overlay, name).resilient = yes_or_no(text),
                Field::Sticky => of(&mut overlay, name).sticky = yes_or_no(text),
                // A category that is closed here exists.
                Field::Enabled => drop(of(&mut overlay, name)),
            }
        }
        let names: BTreeSet<&str> = self.categories().take(MAX_CATEGORIES).gather();
        overlay
            .categories
            .retain(|name, _| names.contains(name.as_str()));
        overlay
    }

    /// Whether categories are open, as far as the policy has it, by name.
    pub(super) fn enabled(&self) -> BTreeMap<String, bool> {
        let names: BTreeSet<&str> = self.categories().take(MAX_CATEGORIES).gather();
        let all = self.known.iter();
        let open = all.filter_map(|(key, text)| {
            let (field, name) = self.settings.place(key)?;
            let open = yes_or_no(text).filter(|_| field == Field::Enabled)?;
            Some((name, open))
        });
        open.filter(|(name, _)| names.contains(name))
            .map(|(name, open)| (name.to_owned(), open))
            .gather()
    }
}

fn of<'a>(overlay: &'a mut PolicyOverlay, name: &str) -> &'a mut CategoryPolicy {
    overlay.categories.entry(name.to_owned()).or_default()
}

impl PolicySettings {
    /// The key for whether a category is open.
    pub(super) fn enabled_key(&self, category: &str) -> String {
        format!("{}/{category}/enabled", self.categories)
    }

    /// What a key is about, and the name that stands in it.
    fn place<'a>(&self, key: &'a str) -> Option<(Field, &'a str)> {
        if key == self.cluster_ack {
            return Some((Field::ClusterAck, ""));
        }
        let below = |root: &str| key.strip_prefix(root)?.strip_prefix('/');
        let split = |path: &'a str| path.rsplit_once('/').filter(|(name, _)| is_name(name));
        if let Some((name, field)) = below(&self.categories).and_then(split) {
            let field = match field {
                "period_seconds" => Field::Period,
                "is_resilient" => Field::IsResilient,
                "sticky" => Field::Sticky,
                "enabled" => Field::Enabled,
                _ => return None,
            };
            return Some((field, name));
        }
        // The categories of a service are keys too; those are taken from the configuration file, as
        // services are.
        match below(&self.acks).and_then(split)? {
            (name, "ack") => Some((Field::Ack, name)),
            (name, "path") => Some((Field::Path, name)),
            (_, _) => None,
        }
    }
}

impl Field {
    fn is_of_category(self) -> bool {
        !matches!(self, Self::Ack | Self::Path | Self::ClusterAck)
    }

    /// Whether a value is valid; if not, what is expected.
    fn check(self, text: &str) -> Result<(), &'static str> {
        let (is_right, expected) = match self {
            Self::Ack | Self::ClusterAck => (is_text(text), "one line of at most 500 bytes"),
            Self::Path => (
                is_path(text),
                "a path of at most 500 bytes, from its slash on",
            ),
            Self::Period => (period(text).is_some(), "a number of seconds from 1 to 300"),
            Self::IsResilient | Self::Sticky | Self::Enabled => {
                (yes_or_no(text).is_some(), "true or false")
            }
        };
        if is_right { Ok(()) } else { Err(expected) }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control)
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control)
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && is_text(text) && !text.contains([' ', '#', '\\'])
}

fn period(text: &str) -> Option<Duration> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| PERIODS.contains(seconds));
    seconds.map(Duration::from_secs)
}

/// Booleans, in the words of the other programs that read the same keys.
fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::EtcdSettings;

    pub(crate) fn settings() -> PolicySettings {
        PolicySettings {
            etcd: EtcdSettings {
                endpoints: Vec::new(),
                user: None,
                ca: None,
                identity: None,
                prefix: "/labwatch/lab".to_owned(),
            },
            acks: "/ft/healthcheck".to_owned(),
            categories: "/ft/healthcheck-categories".to_owned(),
            cluster_ack: "/ft/config/aggregate-healthcheck/cluster-ack".to_owned(),
            is_read_only: false,
        }
    }

    fn document() -> Document {
        Document::new(settings(), Known::new())
    }

    const EXAM: &str = "/ft/healthcheck-categories/exam/";

    #[test]
    fn the_layout_is_read_and_what_else_stands_there_is_left_alone() {
        let mut document = document();
        let all = [
            ("/ft/healthcheck/foo-1/ack", "replacing the motor\n"),
            ("/ft/healthcheck/a/b/ack", "known"),
            ("/ft/healthcheck/foo-1/path", "/__health"),
            ("/ft/healthcheck/foo-1/categories", "exam"),
            ("/ft/healthcheck//ack", "of nothing"),
            (
                "/ft/config/aggregate-healthcheck/cluster-ack",
                "the lab moves",
            ),
            ("/ft/healthcheck-categories/exam/period_seconds", "10"),
            ("/ft/healthcheck-categories/exam/is_resilient", "true"),
            ("/ft/healthcheck-categories/exam/sticky", "F"),
            ("/ft/healthcheck-categories/shut/enabled", "false"),
            ("/other", "x"),
        ];
        let all = all.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec(), 1));
        document.replace(all.to_vec());
        let overlay = document.overlay();
        let acks = &overlay.acknowledged.by_name;
        assert_eq!(acks.keys().collect::<Vec<_>>(), ["a/b", "foo-1"]);
        assert_eq!(acks["foo-1"], "replacing the motor");
        let paths = [("foo-1".to_owned(), "/__health".to_owned())];
        assert_eq!(overlay.paths, paths.into());
        assert_eq!(
            overlay.acknowledged.installation.as_deref(),
            Some("the lab moves")
        );
        let exam = CategoryPolicy {
            period: Some(Duration::from_secs(10)),
            resilient: Some(true),
            sticky: Some(false),
        };
        assert_eq!(overlay.categories["exam"], exam);
        assert_eq!(overlay.categories["shut"], CategoryPolicy::default());
        assert_eq!(document.enabled(), [("shut".to_owned(), false)].into());
        assert_eq!(document.problems(), None);
    }

    #[test]
    fn a_wrong_value_is_named_and_the_former_one_stays_until_the_key_goes() {
        let mut document = document();
        let (enabled, period) = (format!("{EXAM}enabled"), format!("{EXAM}period_seconds"));
        document.take(&enabled, Some(b"false"), 1);
        document.take(&enabled, Some(b"maybe"), 2);
        document.take(&period, Some(b"0"), 3);
        assert_eq!(document.enabled(), [("exam".to_owned(), false)].into());
        let problems = document.problems().expect("both");
        for part in [
            "/ft/healthcheck-categories/exam/enabled is \"maybe\", expected is true or false; \"false\" stays in force",
            "period_seconds is \"0\", expected is a number of seconds from 1 to 300; the default is in force",
        ] {
            assert!(problems.contains(part), "{problems}");
        }
        let ack = "/ft/healthcheck/foo-1/ack";
        document.take(ack, Some(b"motor \xff\xfe"), 4);
        let problems = document.problems().expect("three");
        assert!(
            problems.contains("foo-1/ack is wrong, expected is one line"),
            "{problems}"
        );
        document.take(ack, None, 5);
        let path = "/ft/healthcheck/foo-1/path";
        document.take(path, Some(b"/status?full=1"), 4);
        document.take(path, Some(b"http://other/"), 5);
        let problems = document.problems().expect("three");
        let part = "/ft/healthcheck/foo-1/path is \"http://other/\", expected is a path";
        assert!(problems.contains(part), "{problems}");
        assert_eq!(document.overlay().paths["foo-1"], "/status?full=1");
        document.take(path, None, 6);
        assert!(document.overlay().paths.is_empty());
        document.take(&enabled, None, 4);
        document.take(&period, Some(b"5"), 5);
        assert_eq!(document.problems(), None);
        assert!(document.enabled().is_empty());
        assert_eq!(
            document.overlay().categories["exam"].period,
            Some(Duration::from_secs(5))
        );
    }

    #[test]
    fn what_comes_late_changes_nothing_and_what_is_gone_from_a_new_reading_is_gone() {
        let mut document = document();
        let enabled = format!("{EXAM}enabled");
        document.take(&enabled, Some(b"true"), 7);
        document.take(&enabled, Some(b"false"), 6);
        document.take(&enabled, None, 5);
        assert_eq!(document.enabled(), [("exam".to_owned(), true)].into());
        assert_eq!(document.revision(&enabled), 7);
        document.replace(Vec::new());
        assert_eq!(document.overlay(), PolicyOverlay::default());
        assert_eq!(document.revision(&enabled), 0);
    }

    #[test]
    fn texts_are_one_line_within_a_bound() {
        let key = "/ft/healthcheck/foo/ack";
        for wrong in ["", "  ", "a\nb", &"x".repeat(501)] {
            let mut document = document();
            document.take(key, Some(wrong.as_bytes()), 1);
            assert!(document.problems().is_some(), "{wrong:?}");
            assert!(document.overlay().acknowledged.by_name.is_empty());
        }
    }

    #[test]
    fn names_and_categories_are_bounded() {
        let mut document = document();
        document.take("/ft/healthcheck/a\nb/ack", Some(b"x"), 1);
        let long = format!("/ft/healthcheck/{}/ack", "x".repeat(257));
        document.take(&long, Some(b"x"), 1);
        assert_eq!(document.overlay(), PolicyOverlay::default());
        for number in 0..=MAX_CATEGORIES {
            let key = format!("/ft/healthcheck-categories/c{number:03}/enabled");
            document.take(&key, Some(b"false"), 1);
        }
        assert_eq!(document.overlay().categories.len(), MAX_CATEGORIES);
        assert_eq!(document.enabled().len(), MAX_CATEGORIES);
        let problems = document.problems().expect("too many");
        assert!(
            problems.contains("c200 and those behind it are left out"),
            "{problems}"
        );
    }
}
