//! Reads and combines all settings, with all errors at once.

use std::collections::BTreeSet;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use super::access::api;
use super::advice::advice;
use super::changes::Written;
use super::cluster::{cluster, etcd};
use super::configuration::{BookSettings, CanarySettings, Config, DatabaseSettings, FeedSettings};
use super::graphite::{graphite, profile, surfaces};
use super::layers::Layers;
use super::log::log;
use super::mail_settings::MailSettings;
use super::maintenance::maintenance;
use super::notifications::notifications;
use super::policy::policy;
use super::problem::{Problem, Problems};
use super::publication::publication;
use super::reader::Reader;
use super::role::{in_shadow, roles, silent};
use super::services::{Groups, groups};
use super::sources::Sources;
use super::{mail, servers};
use crate::clients::Address;
use crate::clients::canary::Rule;
use engine::model::{SourceName, Topic};
use engine::{Asking, FlapRule, HysteresisTimes, Policy, PolicyAcknowledgements, Sampling};

/// A valid configuration, with its warnings.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// What is allowed but looks like a mistake, each a plain sentence.
    pub warnings: Vec<String>,
    set: BTreeSet<&'static str>,
    pub(super) written: Written,
}

impl Loaded {
    /// Whether the setting `key` (as in the file: `host_book`) was set by any layer but the
    /// defaults.
    pub fn is_set(&self, key: &str) -> bool {
        self.set.contains(key)
    }
}

/// Combines all sources and checks everything.
///
/// # Errors
/// [`Problems`], all at once, none with a secret in it.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    assemble(
        sources,
        &Whole {
            address: servers::address,
            mail: mail::mail,
            secrets: |_| true,
        },
    )
}

/// The same, for what needs only the API and the store: as [`load_rules`], with the secret of the
/// API.
///
/// # Errors
/// [`Problems`], all at once, none with a secret in it.
pub fn load_api(sources: &Sources) -> Result<Loaded, Problems> {
    assemble(
        sources,
        &Whole {
            secrets: |key| key == "secret_api",
            ..RULES
        },
    )
}

/// The same, for callers that need only the rules: hosts and secrets are neither needed nor read,
/// the addresses are unreachable, and mail is on, without real recipients.
///
/// # Errors
/// [`Problems`], all at once, none with a secret in it.
pub fn load_rules(sources: &Sources) -> Result<Loaded, Problems> {
    assemble(sources, &RULES)
}

const RULES: Whole = Whole {
    address: |_, server| servers::nowhere(server),
    mail: |reader, gather| Some(mail::rules_only(reader, gather)),
    secrets: |_| false,
};

/// The configuration of a program that uses labwatch for its own health: no laboratory is watched,
/// and no mail is sent. Hosts and secrets of relay, jump and book are not read.
///
/// # Errors
/// [`Problems`], all at once, none with a secret in it.
pub fn load_without_laboratory(sources: &Sources) -> Result<Loaded, Problems> {
    let mut loaded = load_rules(sources)?;
    loaded.config.mail = None;
    loaded.config.health.laboratory = false;
    Ok(loaded)
}

/// How the two parts are read that differ between a whole configuration and its rules alone.
struct Whole {
    address: fn(&mut Reader<'_>, SourceName) -> Option<Address>,
    mail: fn(&mut Reader<'_>, Duration) -> Option<MailSettings>,
    /// Which secrets are read, by their keys.
    secrets: fn(&str) -> bool,
}

fn assemble(sources: &Sources, parts: &Whole) -> Result<Loaded, Problems> {
    let mut layers = Layers::gather(sources);
    let mut problems = mem::take(&mut layers.problems);
    if problems.iter().any(|problem| problem.key.is_empty()) {
        return Err(Problems(problems)); // what a broken file holds is unknown: the rest would be called missing
    }
    layers.alias("health_last", "health_last_active");
    let mut reader = Reader::new(&layers, parts.secrets);
    let config = config(&mut reader, parts);
    let (found, said) = (reader.problems, reader.warnings);
    let mut warnings = mem::take(&mut layers.warnings);
    warnings.extend(unknown(&mut layers, &mut problems, &found));
    problems.extend(found);
    warnings.extend(said);
    warnings.extend(old_names(&layers));
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded {
            config,
            warnings,
            set: layers.set_keys().collect(),
            written: Written::of(&layers),
        }),
        _ => Err(Problems(problems)),
    }
}

/// Sorts unknown names into problems and warnings, which are returned. Other programs use the
/// environment too: there a name is a problem only where a required setting is missing, because it
/// was probably meant.
fn unknown(layers: &mut Layers, problems: &mut Vec<Problem>, found: &[Problem]) -> Vec<String> {
    let is_complete = !found.iter().any(|problem| problem.is_missing);
    let unknown = mem::take(&mut layers.unknown);
    let (ignored, wrong): (Vec<_>, Vec<_>) = unknown
        .iter()
        .partition(|name| name.from_environment && is_complete);
    let is_set = |key: &str| layers.is_set(key);
    problems.extend(wrong.iter().map(|name| name.problem(is_set)));
    ignored.iter().map(|name| name.warning(is_set)).collect()
}

/// Warnings about names that are accepted because the replaced program had them.
fn old_names(layers: &Layers) -> Option<String> {
    let is_old = layers.is_set("health_last");
    is_old.then(|| "health_last is an old name: write health_last_active".to_owned())
}

fn config(reader: &mut Reader<'_>, parts: &Whole) -> Option<Config> {
    let (book, query_book_every) = book(reader, parts);
    let jump = feed(reader, parts, SourceName::Jump);
    let relay = feed(reader, parts, SourceName::Relay);
    let observation = observation(reader, query_book_every);
    let canary = canary(reader);
    let mut health = health(reader, observation);
    let log_every = reader.duration("health_log_every");
    health.ui_check_every = reader
        .word_or_duration("ui_check_every")
        .and_then(Result::ok);
    health.ui_required = reader.word("ui_check") == Some("required");
    let gather = mail::gather(reader);
    let mail = (parts.mail)(reader, gather);
    let notifications = notifications(reader, gather, mail.as_ref());
    let maintenance = maintenance(reader, &notifications.zone);
    let Groups {
        pools,
        pool_titles,
        categories,
        services,
    } = groups(reader);
    let advice = advice(reader);
    let surfaces = surfaces(reader, &services);
    let (api, database, log) = (api(reader), database(reader), log(reader));
    let graphite = graphite(reader, &surfaces.label);
    profile(reader);
    let (observe, shadow) = roles(reader, database.is_some());
    let etcd = etcd(reader, &surfaces.label);
    let cluster = cluster(reader, &etcd);
    let publication = publication(reader, &surfaces.label, &etcd);
    let policy = policy(reader, &etcd);
    let config = Config {
        relay: relay?,
        jump: jump?,
        book: book?,
        canary,
        health,
        log_every,
        mail,
        notifications,
        maintenance,
        pools,
        pool_titles,
        categories,
        services,
        advice,
        surfaces,
        graphite,
        observe,
        shadow,
        api,
        database,
        cluster,
        publication,
        policy,
        acknowledged: PolicyAcknowledgements::default(),
        log,
    };
    Some(match (observe, shadow) {
        (true, _) => silent(config),
        (false, true) => in_shadow(config),
        (false, false) => config,
    })
}

/// Book, and how often it is polled.
fn book(reader: &mut Reader<'_>, parts: &Whole) -> (Option<BookSettings>, Duration) {
    let address = (parts.address)(reader, SourceName::Book);
    let query_every = reader.duration("query_book_every");
    let timeout = reader.duration("timeout_book");
    let book = address.map(|address| BookSettings { address, timeout });
    (book, query_every)
}

fn feed(reader: &mut Reader<'_>, parts: &Whole, server: SourceName) -> Option<FeedSettings> {
    let address = (parts.address)(reader, server);
    let reconnect_every = reader.duration(&format!("reconnect_{server}_every"));
    Some(FeedSettings {
        address: address?,
        reconnect_every,
    })
}

/// The rules of what is observed; those of its evaluation by default.
fn observation(reader: &mut Reader<'_>, query_book_every: Duration) -> Policy {
    Policy {
        query_book_every,
        ask: match reader.word_or_duration("ask_every") {
            Some(Ok(every)) => Some(Asking::Every(every)),
            Some(Err("auto")) => Some(Asking::Auto),
            Some(Err(_)) | None => None,
        },
        sample: match reader.word("sample") {
            Some("always") => Sampling::Always,
            Some("never") => Sampling::Never,
            _ => Sampling::Auto,
        },
        sample_at_once: reader.number("sample_at_once"),
        sample_for: reader.duration("sample_for"),
        ..Policy::default()
    }
}

fn canary(reader: &mut Reader<'_>) -> Option<CanarySettings> {
    let topic = reader.parsed("canary_topic", |text| {
        Topic::try_new(text).map_err(|error| error.to_string())
    });
    let rule = Rule {
        every: reader.duration("canary_every"),
        late: reader.duration("canary_late"),
        misses: reader.number("canary_misses"),
    };
    let is_on = reader.word("canary")? == "auto";
    topic
        .filter(|_| is_on)
        .map(|topic| CanarySettings { topic, rule })
}

fn health(reader: &mut Reader<'_>, observation: Policy) -> Policy {
    Policy {
        last_active: reader.duration("health_last_active"),
        last_checked: reader.duration("health_last_checked"),
        startup: reader.duration("health_startup"),
        settle: reader.duration("health_settle"),
        outage_hold: reader.duration("health_outage_hold"),
        hold: HysteresisTimes {
            down: reader.duration("health_hold_down"),
            up: reader.duration("health_hold_up"),
        },
        flap: flapping(reader),
        events: reader.number("health_events"),
        ..observation
    }
}

fn flapping(reader: &mut Reader<'_>) -> FlapRule {
    let window = reader.word_or_duration("health_flap_window");
    let rule = FlapRule {
        window: window.and_then(Result::ok).unwrap_or_default(),
        high: reader.number("health_flap_high"),
        low: reader.number("health_flap_low"),
    };
    if rule.low >= rule.high && rule.high > 0 {
        reader.wrong(
            "health_flap_low",
            "is not below health_flap_high",
            "flapping must weigh less at its end than at its start",
        );
    }
    rule
}

fn database(reader: &mut Reader<'_>) -> Option<DatabaseSettings> {
    let days = reader.number("history_days");
    let folder = reader.parsed("data_dir", |text| match PathBuf::from(text) {
        _ if text == "none" => Ok(None),
        path if path.is_absolute() => Ok(Some(path)),
        _ => Err("is not an absolute path".to_owned()),
    });
    folder
        .flatten()
        .map(|folder| DatabaseSettings { folder, days })
}
