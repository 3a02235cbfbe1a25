//! The settings of the program `status`, and what labwatch makes of each.

use std::collections::BTreeMap;

use super::unit::{Variable, is_secret};
use crate::config::{ENV_PREFIX, Kind, declared};
use engine::model::Gather as _;
use engine::model::parse_duration;

/// The settings that `status` reads; it ignores all others.
const READ_BY_STATUS: &str = "\
    BASEPATH_BOOK BASEPATH_JUMP BASEPATH_RELAY EMAIL_AUTH_TYPE EMAIL_CC EMAIL_FROM EMAIL_HOST \
    EMAIL_LINK EMAIL_PASSWORD EMAIL_PORT EMAIL_SUBJECT EMAIL_TO HEALTH_EVENTS HEALTH_LAST_ACTIVE \
    HEALTH_LAST_CHECKED HEALTH_LOG_EVERY HEALTH_STARTUP HOST_BOOK HOST_JUMP HOST_RELAY LOG_FILE \
    LOG_FORMAT LOG_LEVEL PORT_PROFILE PORT_SERVE PROFILE QUERY_BOOK_EVERY RECONNECT_JUMP_EVERY \
    RECONNECT_RELAY_EVERY SCHEME_BOOK SCHEME_JUMP SCHEME_RELAY SECRET_BOOK SECRET_JUMP \
    SECRET_RELAY TIMEOUT_BOOK";

/// `status` shows the first four characters of a secret in its log, and fails where there are
/// fewer.
const SHOWN_BY_STATUS: usize = 4;

/// The result of the old settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Migrated {
    /// Variables and values, without secrets, in the order of their names.
    pub(super) settings: BTreeMap<String, String>,
    /// Secrets by the names of their files.
    pub(super) secrets: BTreeMap<String, String>,
    /// Remarks about variables. Sentences without values of secrets.
    pub(super) remarks: Vec<String>,
}

impl Migrated {
    pub(super) fn of(variables: &[&Variable]) -> Self {
        let mut all = Self::default();
        let by_key: BTreeMap<&str, &str> = variables
            .iter()
            .filter_map(|variable| {
                Some((variable.name.strip_prefix(ENV_PREFIX)?, &*variable.value))
            })
            .gather();
        for variable in variables {
            all.take(variable, &by_key);
        }
        all.missing(&by_key);
        all
    }

    fn take(&mut self, variable: &Variable, others: &BTreeMap<&str, &str>) {
        let Some(key) = variable.name.strip_prefix(ENV_PREFIX) else {
            self.remark(variable, "is no setting, and is left out");
            return;
        };
        let value = variable.value.trim();
        if value.is_empty() {
            return; // the same as none, to both programs
        }
        if is_secret(&variable.name) {
            self.secret(variable, key, others);
            return;
        }
        match fate(key, value, others) {
            Fate::As(name, remark) => {
                self.settings
                    .insert(format!("{ENV_PREFIX}{name}"), value.to_owned());
                if let Some(text) = remark {
                    self.remark(variable, &text);
                }
            }
            Fate::LeftOut(remark) => self.remark(variable, &remark),
        }
    }

    fn secret(&mut self, variable: &Variable, key: &str, others: &BTreeMap<&str, &str>) {
        let name = key.to_ascii_lowercase();
        if declared(&name).is_none() {
            self.remark(
                variable,
                "is unknown to status and to labwatch, and is left out",
            );
            return;
        }
        if variable.in_unit {
            self.remark(
                variable,
                "stood in a unit, which every user of this host can read: change it on its server, and then in its file here",
            );
        }
        if variable.value.chars().count() < SHOWN_BY_STATUS {
            self.remark(variable, "is so short that status failed at its start");
        }
        if key == "EMAIL_PASSWORD"
            && others
                .get("EMAIL_AUTH_TYPE")
                .is_none_or(|kind| *kind == "none")
        {
            self.remark(
                variable,
                "is not used, because STATUS_EMAIL_AUTH_TYPE is none; it is left out",
            );
            return;
        }
        self.secrets.insert(name, variable.value.clone());
    }

    fn missing(&mut self, others: &BTreeMap<&str, &str>) {
        if others
            .get("BASEPATH_BOOK")
            .is_none_or(|path| ["", "/"].contains(path))
        {
            self.remarks.push(
                "STATUS_BASEPATH_BOOK is not set, and status cannot reach book without: see with labwatch check --connect that there is none"
                    .to_owned(),
            );
        }
        let has_host = others
            .get("EMAIL_HOST")
            .is_some_and(|host| !host.is_empty());
        if !has_host && others.contains_key("EMAIL_TO") {
            self.remarks.push(
                "STATUS_EMAIL_HOST is not set: status has lost every mail, and labwatch asks for it".to_owned(),
            );
        }
    }

    fn remark(&mut self, variable: &Variable, text: &str) {
        self.remarks
            .push(format!("{} ({}) {text}", variable.name, variable.origin));
    }
}

/// What becomes of a setting.
enum Fate {
    /// It is kept under this name, with a remark.
    As(String, Option<String>),
    LeftOut(String),
}

fn fate(key: &str, value: &str, others: &BTreeMap<&str, &str>) -> Fate {
    let as_it_is = |remark: Option<&str>| Fate::As(key.to_owned(), remark.map(str::to_owned));
    let left_out = |text: &str| Fate::LeftOut(text.to_owned());
    match key {
        "PROFILE" | "PORT_PROFILE" => {
            left_out("has no meaning any more: CPU profiles are taken with perf")
        }
        "LOG_FILE" => left_out(
            "is left out: the log goes to the journal, where journalctl -u labwatch finds it. The old file can be deleted",
        ),
        "LOG_FORMAT" => left_out("is left out: the journal has fields of its own"),
        "LOG_LEVEL" => left_out(
            "is left out: info shows what an admin wants to see of a day, and status wrote whole mails at error",
        ),
        "TIMEOUT_BOOK" => as_it_is(Some(
            "was read by status and never used; now calls to book end after it",
        )),
        "HEALTH_EVENTS" if value.parse().is_ok_and(|count: u64| count == 0) => {
            left_out("was 0, with which status mails at every evaluation; it is left out")
        }
        "HEALTH_LAST" => last_active(value, others),
        "EMAIL_TO" | "EMAIL_CC" if value.contains([',', ';']) => as_it_is(Some(
            "has its recipients separated by commas, which status took for one address: such mails were lost. Now each gets them",
        )),
        "EMAIL_PORT" if value == "465" => as_it_is(Some(
            "is the port of TLS from the first byte, which status cannot do: its mails were lost. labwatch does it",
        )),
        "EMAIL_AUTH_TYPE" if !["none", "plain"].contains(&value) => {
            as_it_is(Some("is neither none nor plain, the two that status knows"))
        }
        _ if declared(&key.to_ascii_lowercase()).is_none() => {
            left_out("is unknown to status and to labwatch, and is left out")
        }
        _ if !READ_BY_STATUS.split(' ').any(|known| known == key) => as_it_is(Some(
            "was ignored by status; it is a setting of labwatch and now counts",
        )),
        _ => as_it_is(days(key, value).as_deref()),
    }
}

/// The documented name that `status` does not read.
fn last_active(value: &str, others: &BTreeMap<&str, &str>) -> Fate {
    match others.get("HEALTH_LAST_ACTIVE") {
        Some(set) => Fate::LeftOut(format!(
            "was ignored by status and is left out: STATUS_HEALTH_LAST_ACTIVE={set} counts"
        )),
        None => Fate::As(
            "HEALTH_LAST_ACTIVE".to_owned(),
            Some(format!(
                "was ignored by status, which called a stream silent after 10s; it is taken as STATUS_HEALTH_LAST_ACTIVE={value}"
            )),
        ),
    }
}

/// Days and weeks, which Go cannot read.
fn days(key: &str, value: &str) -> Option<String> {
    let declared = declared(&key.to_ascii_lowercase())?;
    let is_duration = matches!(declared.kind, Kind::Duration(..) | Kind::WordOrDuration(..));
    (is_duration && value.contains(['d', 'w']) && parse_duration(value).is_ok())
        .then(|| format!("is {value}, which status cannot read; labwatch can"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrated(variables: &[(&str, &str)]) -> Migrated {
        let variables: Vec<Variable> = variables
            .iter()
            .map(|(name, value)| Variable {
                name: format!("STATUS_{name}"),
                value: (*value).to_owned(),
                origin: "status.service:7".to_owned(),
                in_unit: true,
            })
            .collect();
        Migrated::of(&variables.iter().collect::<Vec<_>>())
    }

    #[test]
    fn each_misreading_is_named() {
        for (name, value, words, kept) in [
            (
                "EMAIL_TO",
                "a@x.org,b@x.org",
                "took for one address",
                Some("EMAIL_TO"),
            ),
            ("EMAIL_PORT", "465", "cannot do", Some("EMAIL_PORT")),
            (
                "HEALTH_LAST",
                "5m",
                "was ignored by status",
                Some("HEALTH_LAST_ACTIVE"),
            ),
            ("HEALTH_EVENTS", "0", "mails at every evaluation", None),
            (
                "RECONNECT_JUMP_EVERY",
                "1d",
                "cannot read",
                Some("RECONNECT_JUMP_EVERY"),
            ),
            ("TIMEOUT_BOOK", "10s", "never used", Some("TIMEOUT_BOOK")),
            (
                "HOST_BOOKJUMP",
                "app.example.org",
                "unknown to status",
                None,
            ),
            ("SAMPLE", "always", "now counts", Some("SAMPLE")),
            (
                "LOG_FILE",
                "/var/log/status/status.log",
                "goes to the journal",
                None,
            ),
            ("PORT_PROFILE", "6061", "perf", None),
        ] {
            let found = migrated(&[
                ("BASEPATH_BOOK", "/book"),
                ("EMAIL_HOST", "x.org"),
                (name, value),
            ]);
            assert!(
                matches!(&found.remarks[..], [one] if one.contains(words) && one.contains("status.service:7")),
                "{name}: {:?}",
                found.remarks
            );
            let is_kept = |name: &str| found.settings.contains_key(&format!("STATUS_{name}"));
            assert_eq!(kept.is_some_and(is_kept), kept.is_some(), "{name}");
            assert_eq!(
                found.settings.len(),
                2 + usize::from(kept.is_some() && kept != Some("EMAIL_HOST"))
            );
        }
    }

    #[test]
    fn secrets_leave_the_unit_and_are_not_shown() {
        let found = migrated(&[
            ("BASEPATH_BOOK", "/book"),
            ("SECRET_BOOK", "hunter22"),
            ("SECRET_JUMP", "abc"),
            ("EMAIL_PASSWORD", "hunter33"),
        ]);
        let names: Vec<&str> = found.secrets.keys().map(|name| &**name).collect();
        assert_eq!(names, ["secret_book", "secret_jump"]);
        let all = found.remarks.join("\n");
        assert_eq!(all.matches("change it on its server").count(), 3, "{all}");
        assert!(
            all.contains("so short") && all.contains("is not used"),
            "{all}"
        );
        assert!(!all.contains("hunter"), "{all}");
        let plain = [("EMAIL_AUTH_TYPE", "plain"), ("EMAIL_PASSWORD", "hunter33")];
        assert_eq!(migrated(&plain).secrets["email_password"], "hunter33");
    }

    #[test]
    fn what_is_ordinary_needs_no_remark() {
        let ordinary = [
            ("BASEPATH_BOOK", "/ed0/book"),
            ("EMAIL_CC", ""),
            ("HOST_BOOK", "app.example.org"),
            ("RECONNECT_JUMP_EVERY", "24h"),
        ];
        let found = migrated(&ordinary);
        assert_eq!((&found.remarks[..], found.settings.len()), (&[][..], 3));
    }
}
