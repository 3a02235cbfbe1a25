//! All settings read and put together, with every problem at once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::access::api;
use super::advice::advice;
use super::changes::Written;
use super::graphite::{graphite, profile, surfaces};
use super::layers::{Layers, Sources};
use super::maintenance::maintenance;
use super::notifications::telling;
use super::problem::Problems;
use super::reader::{Reader, duration_within};
use super::services::{Groups, groups};
use super::{
    BookSettings, Config, FeedSettings, HealthSettings, LogFile, LogFormat, LogSettings,
    MailSettings, MemorySettings, SampleSettings, mail, servers,
};
use crate::clients::Address;
use engine::model::{SourceName, parse_duration};
use engine::{Asking, FlapRule, HysteresisTimes, Policy, Sampling};

pub(super) const MILLI: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

/// A configuration that is right, with what is to be said about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is allowed but looks like a mistake, each a plain sentence.
    pub warnings: Vec<String>,
    set: BTreeSet<String>,
    pub(super) written: Written,
}

impl Loaded {
    /// Whether the setting `key` (as in the file: `host_book`) was set by anything but the defaults.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.set.contains(key)
    }
}

/// Puts all sources together and checks everything.
///
/// # Errors
/// [`Problems`], all at once, none with a secret in it.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    assemble(
        sources,
        &Whole {
            address: servers::address,
            mail: mail::mail,
            secrets: true,
        },
    )
}

/// The same, for what needs only the rules: hosts and secrets are neither needed nor looked at, the addresses lead nowhere, and mail is
/// on, to nobody.
///
/// # Errors
/// [`Problems`], all at once, none with a secret in it.
pub fn load_rules(sources: &Sources) -> Result<Loaded, Problems> {
    let mail = |reader: &mut Reader<'_>, gather| Some(mail::rules_only(reader, gather));
    assemble(
        sources,
        &Whole {
            address: |_, server| servers::nowhere(server),
            mail,
            secrets: false,
        },
    )
}

/// The configuration of a program that uses labwatch for its own health: no laboratory is watched, and no mail is sent. Hosts and secrets
/// of relay, jump and book are not looked at.
///
/// # Errors
/// [`Problems`], all at once, none with a secret in it.
pub fn load_without_laboratory(sources: &Sources) -> Result<Loaded, Problems> {
    let mut loaded = load_rules(sources)?;
    loaded.config.mail = None;
    Ok(loaded)
}

/// How the two parts are read that differ between a whole configuration and its rules alone.
struct Whole {
    address: fn(&mut Reader<'_>, SourceName) -> Option<Address>,
    mail: fn(&mut Reader<'_>, Duration) -> Option<MailSettings>,
    secrets: bool,
}

fn assemble(sources: &Sources, parts: &Whole) -> Result<Loaded, Problems> {
    let mut layers = Layers::gather(sources);
    let mut problems = layers.take_problems();
    if problems.iter().any(|problem| problem.key.is_empty()) {
        return Err(Problems(problems)); // what a broken file holds is unknown: the rest would be called missing
    }
    let old_name = layers.alias("health_last", "health_last_active");
    let mut reader = Reader::new(&layers, parts.secrets);
    let config = config(&mut reader, parts);
    let (found, mut warnings) = (reader.problems, reader.warnings);
    problems.extend(found);
    if old_name {
        warnings.push("health_last is an old name: write health_last_active".to_owned());
    }
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded {
            config,
            warnings,
            set: layers.set_keys().cloned().collect(),
            written: Written::of(&layers),
        }),
        _ => Err(Problems(problems)),
    }
}

fn config(reader: &mut Reader<'_>, parts: &Whole) -> Option<Config> {
    let book = book(reader, parts);
    let jump = feed(reader, parts, SourceName::Jump);
    let relay = feed(reader, parts, SourceName::Relay);
    let ask = reader.parsed(
        "ask_every",
        "auto, off, or a duration from 1s to 1h",
        asking,
    );
    let (sample, health) = (sample(reader), health(reader));
    let gather = mail::gather(reader);
    let mail = (parts.mail)(reader, gather);
    let telling = telling(reader, gather, mail.as_ref());
    let maintenance = maintenance(reader, &telling.zone);
    let Groups {
        pools,
        categories,
        services,
    } = groups(reader);
    let advice = advice(reader);
    let surfaces = surfaces(reader, &services);
    let (api, memory, log) = (api(reader), memory(reader), log(reader));
    let (graphite, profile) = (graphite(reader), profile(reader));
    let observe = reader.switch("observe");
    let config = Config {
        relay: relay?,
        jump: jump?,
        book: book?,
        ask: ask?,
        sample,
        health,
        mail,
        telling,
        maintenance,
        pools,
        categories,
        services,
        advice,
        surfaces,
        graphite,
        profile,
        laboratory: parts.secrets,
        observe,
        api,
        memory,
        log,
    };
    Some(if observe { silent(config) } else { config })
}

/// The same without anything that goes out.
fn silent(mut config: Config) -> Config {
    (config.mail, config.graphite) = (None, None);
    (config.telling.dead_man, config.telling.report_monthly) = (None, false);
    config
}

fn book(reader: &mut Reader<'_>, parts: &Whole) -> Option<BookSettings> {
    let address = (parts.address)(reader, SourceName::Book);
    let query_every = reader.duration("query_book_every", SECOND..=DAY);
    let timeout = reader.duration("timeout_book", 100 * MILLI..=5 * MINUTE);
    Some(BookSettings {
        address: address?,
        timeout,
        query_every,
    })
}

fn feed(reader: &mut Reader<'_>, parts: &Whole, server: SourceName) -> Option<FeedSettings> {
    let address = (parts.address)(reader, server);
    let reconnect_every =
        reader.duration(&format!("reconnect_{server}_every"), 10 * SECOND..=30 * DAY);
    Some(FeedSettings {
        address: address?,
        reconnect_every,
    })
}

fn asking(text: &str) -> Result<Option<Asking>, String> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => return Ok(Some(Asking::Auto)),
        "off" => return Ok(None),
        _ => {}
    }
    let every = parse_duration(text).map_err(|error| format!("is not a duration: {error}"))?;
    if (SECOND..=HOUR).contains(&every) {
        Ok(Some(Asking::Every(every)))
    } else {
        Err("is out of bounds".to_owned())
    }
}

fn sample(reader: &mut Reader<'_>) -> SampleSettings {
    let words = [
        ("auto", Sampling::Auto),
        ("always", Sampling::Always),
        ("never", Sampling::Never),
    ];
    SampleSettings {
        when: reader.choice("sample", &words).unwrap_or(Sampling::Auto),
        at_once: reader.number("sample_at_once", 1..=64),
        listen: reader.duration("sample_for", 100 * MILLI..=MINUTE),
    }
}

fn health(reader: &mut Reader<'_>) -> HealthSettings {
    HealthSettings {
        last_active: reader.duration("health_last_active", SECOND..=DAY),
        last_checked: reader.duration("health_last_checked", SECOND..=DAY),
        startup: reader.duration("health_startup", Duration::ZERO..=DAY),
        settle: reader.duration("health_settle", Duration::ZERO..=HOUR),
        outage_hold: reader.duration("health_outage_hold", 10 * SECOND..=7 * DAY),
        hold: HysteresisTimes {
            down: reader.duration("health_hold_down", Duration::ZERO..=HOUR),
            up: reader.duration("health_hold_up", Duration::ZERO..=HOUR),
        },
        flapping: flapping(reader),
        events: reader.number("health_events", 1..=10_000),
        log_every: reader.duration("health_log_every", SECOND..=7 * DAY),
    }
}

fn flapping(reader: &mut Reader<'_>) -> FlapRule {
    let window = reader.parsed(
        "health_flap_window",
        "off, or a duration from 10m to 1d",
        |text| match text {
            off if off.eq_ignore_ascii_case("off") => Ok(Duration::ZERO),
            text => duration_within(text, &(10 * MINUTE..=DAY)),
        },
    );
    let (high, low) = (
        reader.number("health_flap_high", 10..=90),
        reader.number("health_flap_low", 5..=85),
    );
    if low >= high && high > 0 {
        reader.wrong(
            "health_flap_low",
            "is not below health_flap_high",
            "flapping must weigh less at its end than at its start",
        );
    }
    FlapRule {
        window: window.unwrap_or_default(),
        high,
        low,
    }
}

fn log(reader: &mut Reader<'_>) -> LogSettings {
    const LEVEL: &str =
        "off, error, warn, info, debug, trace, or a filter such as info,labwatch::clients=debug";
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    LogSettings {
        level: reader
            .parsed("log_level", LEVEL, log_level)
            .unwrap_or_default(),
        format: reader
            .choice("log_format", &formats)
            .unwrap_or(LogFormat::Json),
        file: log_file(reader),
    }
}

fn log_file(reader: &mut Reader<'_>) -> Option<LogFile> {
    let path = reader.parsed("log_file", "stdout, or a path", |text| {
        Ok(PathBuf::from(text))
    });
    let max_size = reader.size("log_max_size", 64 * KIB..=4 * GIB);
    let max_age = reader.duration("log_max_age", HOUR..=3_650 * DAY);
    let max_total = reader.size("log_max_total", 64 * KIB..=1_024 * GIB);
    if (1..max_size).contains(&max_total) {
        reader.wrong(
            "log_max_total",
            "is below log_max_size",
            "all log files together need room for at least one",
        );
    }
    let path = path.filter(|path| path.as_os_str() != "stdout")?;
    Some(LogFile {
        path,
        max_size,
        max_age,
        max_total,
    })
}

/// A level or a filter, in today's words. A lone word that is no level would be taken for the name of a library.
fn log_level(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    let level = match text.as_str() {
        "warning" => "warn",
        "fatal" | "panic" => "error",
        other => other,
    };
    let lone = level
        .split(',')
        .map(str::trim)
        .filter(|part| !part.contains('='));
    if lone
        .clone()
        .any(|part| LevelFilter::from_str(part).is_err() || part.is_empty())
    {
        return Err("is not a level".to_owned());
    }
    Targets::from_str(level).map_err(|error| format!("is not a filter: {error}"))?;
    Ok(level.to_owned())
}

fn memory(reader: &mut Reader<'_>) -> Option<MemorySettings> {
    let days = reader.number("history_days", 1..=36_500);
    let folder = reader.parsed(
        "data_dir",
        "an absolute path, or none",
        |text| match PathBuf::from(text) {
            _ if text == "none" => Ok(None),
            path if path.is_absolute() => Ok(Some(path)),
            _ => Err("is not an absolute path".to_owned()),
        },
    );
    folder
        .flatten()
        .map(|folder| MemorySettings { folder, days })
}

impl Config {
    /// The numbers that the engine judges by.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            flap: self.health.flapping,
            last_active: self.health.last_active,
            last_checked: self.health.last_checked,
            startup: self.health.startup,
            settle: self.health.settle,
            outage_hold: self.health.outage_hold,
            hold: self.health.hold,
            events: self.health.events,
            ask: self.ask,
            sample: self.sample.when,
            sample_at_once: self.sample.at_once,
            sample_for: self.sample.listen,
            query_book_every: self.book.query_every,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for (text, level) in [
            ("INFO", "info"),
            ("warning", "warn"),
            ("fatal", "error"),
            ("off", "off"),
            (
                "info,labwatch::clients=debug",
                "info,labwatch::clients=debug",
            ),
            ("labwatch=trace", "labwatch=trace"),
        ] {
            assert_eq!(log_level(text), Ok(level.to_owned()));
        }
        for bad in ["infoo", "info,feeds", "labwatch=loud", "", ","] {
            assert!(log_level(bad).is_err(), "{bad}");
        }
    }
}
