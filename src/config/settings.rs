//! Reads and combines all settings, with all errors at once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::access::api;
use super::advice::advice;
use super::changes::Written;
use super::cluster::{cluster, etcd};
use super::configuration::{
    BookSettings, CanarySettings, Config, DatabaseSettings, FeedSettings, HealthSettings,
    SampleSettings, UiSettings,
};
use super::graphite::{graphite, profile, surfaces};
use super::layers::Layers;
use super::log::log;
use super::mail_settings::MailSettings;
use super::maintenance::maintenance;
use super::notifications::notifications;
use super::policy::policy;
use super::problem::{Problem, Problems};
use super::publication::publication;
use super::reader::{Reader, WordOr};
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
    #[must_use]
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
    loaded.config.laboratory = false;
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
    let mut problems = layers.take_problems();
    if problems.iter().any(|problem| problem.key.is_empty()) {
        return Err(Problems(problems)); // what a broken file holds is unknown: the rest would be called missing
    }
    layers.alias("health_last", "health_last_active");
    let mut reader = Reader::new(&layers, parts.secrets);
    let config = config(&mut reader, parts);
    let (found, said) = (reader.problems, reader.warnings);
    let mut warnings = layers.take_warnings();
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
    let unknown = layers.take_unknown();
    let (ignored, wrong): (Vec<_>, Vec<_>) = unknown
        .iter()
        .partition(|name| name.from_environment && is_complete);
    let is_set = |key: &str| layers.is_set(key);
    problems.extend(wrong.iter().map(|name| name.problem(is_set)));
    ignored.iter().map(|name| name.warning(is_set)).collect()
}

/// Warnings about names that are accepted because the replaced program had them.
fn old_names(layers: &Layers) -> Vec<String> {
    let mut warnings = Vec::new();
    if layers.is_set("health_last") {
        warnings.push("health_last is an old name: write health_last_active".to_owned());
    }
    warnings
}

fn config(reader: &mut Reader<'_>, parts: &Whole) -> Option<Config> {
    let book = book(reader, parts);
    let jump = feed(reader, parts, SourceName::Jump);
    let relay = feed(reader, parts, SourceName::Relay);
    let ask = reader.word_or_duration("ask_every").map(asking);
    let (sample, canary, health) = (sample(reader), canary(reader), health(reader));
    let ui = ui(reader);
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
    let graphite = graphite(reader);
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
        ask: ask?,
        sample,
        ui,
        canary,
        health,
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
        laboratory: true,
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

fn book(reader: &mut Reader<'_>, parts: &Whole) -> Option<BookSettings> {
    let address = (parts.address)(reader, SourceName::Book);
    let query_every = reader.duration("query_book_every");
    let timeout = reader.duration("timeout_book");
    Some(BookSettings {
        address: address?,
        timeout,
        query_every,
    })
}

fn feed(reader: &mut Reader<'_>, parts: &Whole, server: SourceName) -> Option<FeedSettings> {
    let address = (parts.address)(reader, server);
    let reconnect_every = reader.duration(&format!("reconnect_{server}_every"));
    Some(FeedSettings {
        address: address?,
        reconnect_every,
    })
}

fn asking(value: WordOr) -> Option<Asking> {
    match value {
        WordOr::Word("auto") => Some(Asking::Auto),
        WordOr::Word(_) => None,
        WordOr::For(every) => Some(Asking::Every(every)),
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
        at_once: reader.number("sample_at_once"),
        listen: reader.duration("sample_for"),
    }
}

fn ui(reader: &mut Reader<'_>) -> UiSettings {
    let every = reader.word_or_duration("ui_check_every");
    let words = [("optional", false), ("required", true)];
    UiSettings {
        every: every.and_then(WordOr::duration),
        is_required: reader.choice("ui_check", &words).unwrap_or_default(),
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
    let is_on = reader.choice("canary", &[("auto", true), ("off", false)])?;
    topic
        .filter(|_| is_on)
        .map(|topic| CanarySettings { topic, rule })
}

fn health(reader: &mut Reader<'_>) -> HealthSettings {
    HealthSettings {
        last_active: reader.duration("health_last_active"),
        last_checked: reader.duration("health_last_checked"),
        startup: reader.duration("health_startup"),
        settle: reader.duration("health_settle"),
        outage_hold: reader.duration("health_outage_hold"),
        hold: HysteresisTimes {
            down: reader.duration("health_hold_down"),
            up: reader.duration("health_hold_up"),
        },
        flapping: flapping(reader),
        events: reader.number("health_events"),
        log_every: reader.duration("health_log_every"),
    }
}

fn flapping(reader: &mut Reader<'_>) -> FlapRule {
    let window = reader.word_or_duration("health_flap_window");
    let (high, low) = (
        reader.number("health_flap_high"),
        reader.number("health_flap_low"),
    );
    if low >= high && high > 0 {
        reader.wrong(
            "health_flap_low",
            "is not below health_flap_high",
            "flapping must weigh less at its end than at its start",
        );
    }
    FlapRule {
        window: window.and_then(WordOr::duration).unwrap_or_default(),
        high,
        low,
    }
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

impl Config {
    /// The parameters of the engine's evaluation.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            laboratory: self.laboratory,
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
            ui_check_every: self.ui.every,
            ui_required: self.ui.is_required,
            query_book_every: self.book.query_every,
        }
    }
}
