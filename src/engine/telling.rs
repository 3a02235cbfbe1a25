//! Telling people: the difference between what they were last told and what is, until both are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::bookings::Affected;
use super::experiment::Experiment;
use super::input::MailFault;
use super::memory::{Concern, Known, Told};
use super::snapshot::{Counts, MailView};
use super::summary::{Alert, Background, Line, Summary};
use crate::model::{Bookable, Fault, Health, Moment, Stub};

/// The wait after the first failed mail; it doubles with each further one, up to [`RETRY_AT_MOST`].
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The longest wait before a failed mail is tried again.
const RETRY_AT_MOST: Duration = Duration::from_secs(600);

/// A mail waits at most this long for switches that are under way, so that it can say what came of them.
const WAIT_FOR_SWITCHES: Duration = Duration::from_secs(10);

/// A mail waits at most this long for a source to settle after its restart or return, so that what comes back together is told together.
const WAIT_FOR_SETTLING: Duration = Duration::from_secs(60);

/// What changes nothing for students is told after this time: relay and jump, each asked every five seconds, see the same power cut
/// that far apart, and one mail is to tell it.
const PARTS_FOLLOW_WITHIN: Duration = Duration::from_secs(6);

/// An outage of a source, or of book's manifest, that is shorter than this is not mailed: servers are restarted, and come back
/// within seconds.
const TELL_OUTAGE_AFTER: Duration = Duration::from_secs(60);

/// A mail whose outcome is not known after this long counts as failed.
const OUTCOME_WITHIN: Duration = Duration::from_secs(600);

impl Known {
    /// What is to be told of an experiment now; `None` while nothing is known.
    fn of(experiment: &Experiment, manifest_known: bool) -> Option<Self> {
        let is_known = experiment.is_judged() && experiment.health != Health::Unknown;
        is_known.then(|| Self {
            health: experiment.health,
            issues: experiment.issues.clone(),
            listed: experiment.listed() || !manifest_known,
            bad_since: experiment.bad_since.map(Moment::wall),
        })
    }

    /// What everybody assumes who was told nothing.
    fn assumed() -> Self {
        Self { health: Health::Ok, issues: Vec::new(), listed: true, bad_since: None }
    }

    fn is_plain(&self) -> bool {
        self.health == Health::Ok && self.issues.is_empty() && self.listed
    }

    fn is_worth_telling_after(&self, told: &Self) -> bool {
        self.health != told.health || self.issues != told.issues || (!self.listed && told.listed)
    }
}

/// A concern that holds now, in words.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) concern: Concern,
    pub(super) text: String,
    pub(super) since: Moment,
}

/// What people were last told about an experiment.
#[derive(Debug, Clone)]
struct Heard {
    known: Known,
    /// Since when it is bad, as they were told.
    bad_since: Option<Moment>,
}

/// A summary on its way, with what people will have been told when it arrives.
#[derive(Debug, Clone)]
struct OnItsWay {
    id: u64,
    since: Moment,
    tales: Vec<(Stub, Option<Heard>)>,
    concerns: BTreeMap<Concern, Moment>,
}

/// The state of telling.
#[derive(Debug, Clone, Default)]
pub(super) struct Telling {
    told: BTreeMap<Stub, Heard>,
    told_concerns: BTreeMap<Concern, Moment>,
    /// When concerns ended of which people do not know that yet.
    ended: BTreeMap<Concern, Moment>,
    /// Experiments of which people must be told something, with from when on.
    untold: BTreeMap<Stub, Moment>,
    /// Experiments of a mail that failed, with since when they were bad: nobody knows whether it was read, so they are told about
    /// although they may be again as they were told before.
    owed: BTreeMap<Stub, Moment>,
    concern_since: Option<Moment>,
    switching_since: Option<Moment>,
    on_its_way: Option<OnItsWay>,
    next_id: u64,
    failures: u32,
    retry_at: Option<Moment>,
    last_sent: Option<Moment>,
    fault: Option<Fault>,
}

/// What a summary is made from.
pub(super) struct Scene<'a> {
    pub(super) now: Moment,
    pub(super) manifest_known: bool,
    pub(super) gather: Duration,
    pub(super) counts: Counts,
    pub(super) experiments: &'a dyn Fn(&Stub) -> Option<&'a Experiment>,
    pub(super) all: &'a dyn Fn() -> Vec<&'a Experiment>,
    pub(super) bookable: &'a dyn Fn(&Experiment) -> Option<Bookable>,
    /// Whether a switch is decided or under way.
    pub(super) is_switching: bool,
    /// Until when relay or jump settle.
    pub(super) settles_until: Option<Moment>,
    pub(super) troubles: Vec<Trouble>,
}

impl Telling {
    /// Whether people know all that there is to know, unless there is a trouble now.
    pub(super) fn is_done(&self) -> bool {
        self.untold.is_empty() && self.told_concerns.is_empty() && self.on_its_way.is_none() && self.concern_since.is_none()
    }

    /// Whether people were told of a concern and not yet that it ended.
    pub(super) fn knows(&self, concern: Concern) -> bool {
        self.told_concerns.contains_key(&concern)
    }

    /// Takes note that an experiment changed.
    pub(super) fn consider(&mut self, experiment: &Experiment, manifest_known: bool, now: Moment) {
        let Some(tale) = Known::of(experiment, manifest_known) else { return };
        let told = self.told.get(&experiment.stub).map_or_else(Known::assumed, |heard| heard.known.clone());
        let owed = self.owed.contains_key(&experiment.stub);
        if !owed && !tale.is_worth_telling_after(&told) {
            self.untold.remove(&experiment.stub);
            return;
        }
        let is_urgent = owed || (tale.health == Health::Down) != (told.health == Health::Down);
        let from = if is_urgent { now } else { now + PARTS_FOLLOW_WITHIN };
        let entry = self.untold.entry(experiment.stub.clone()).or_insert(from);
        *entry = from.min(*entry);
    }

    /// Takes note that an experiment is forgotten.
    pub(super) fn forget(&mut self, stub: &Stub) {
        self.told.remove(stub);
        self.untold.remove(stub);
        self.owed.remove(stub);
    }

    /// The summary that is due now, if one is.
    pub(super) fn due(&mut self, scene: &Scene<'_>) -> Option<Summary> {
        self.expire(scene.now);
        let concerns = concerns_of(&scene.troubles);
        self.note_ends(&concerns, scene.now);
        let concerns_differ = !concerns.keys().eq(self.told_concerns.keys());
        self.concern_since = concerns_differ.then(|| self.concern_since.unwrap_or(scene.now));
        self.switching_since = scene.is_switching.then(|| self.switching_since.unwrap_or(scene.now));
        if self.on_its_way.is_some() || self.due_at(scene).is_none_or(|at| at > scene.now) {
            return None;
        }
        let news = self.news(scene);
        (concerns_differ || !news.is_empty()).then(|| self.compose(news, concerns, scene))
    }

    fn note_ends(&mut self, concerns: &BTreeMap<Concern, Moment>, now: Moment) {
        self.ended.retain(|concern, _| !concerns.contains_key(concern));
        for concern in self.told_concerns.keys().filter(|concern| !concerns.contains_key(*concern)) {
            self.ended.entry(*concern).or_insert(now);
        }
    }

    /// When something is to be told, if anything is.
    fn due_at(&self, scene: &Scene<'_>) -> Option<Moment> {
        let first = self.waiting_since()?;
        let gathered = first + scene.gather;
        let switched = self.switching_since.map(|since| since + WAIT_FOR_SWITCHES);
        let settled = scene.settles_until.map(|until| until.min(first + WAIT_FOR_SETTLING));
        [Some(gathered), switched, settled, self.retry_at].into_iter().flatten().max()
    }

    fn waiting_since(&self) -> Option<Moment> {
        self.untold.values().copied().chain(self.concern_since).min()
    }

    /// When to look again although nothing came.
    pub(super) fn deadline(&self, gather: Duration, now: Moment) -> Option<Moment> {
        if let Some(mail) = &self.on_its_way {
            return Some(mail.since + OUTCOME_WITHIN);
        }
        let first = self.waiting_since()?;
        let switched = self.switching_since.map(|since| since + WAIT_FOR_SWITCHES);
        let candidates = [Some(first + gather), switched, Some(first + WAIT_FOR_SETTLING)];
        let retry = self.retry_at.filter(|at| *at > now);
        retry.or_else(|| candidates.into_iter().flatten().filter(|at| *at > now).min())
    }

    /// What is new of each experiment, problems first, with what people will know once they have read it.
    fn news(&self, scene: &Scene<'_>) -> Vec<(Line, Option<Heard>)> {
        let mut news: Vec<_> = self.untold.keys().filter_map(|stub| self.news_of((scene.experiments)(stub)?, scene)).collect();
        news.sort_by(|(a, _), (b, _)| is_well(a).cmp(&is_well(b)).then_with(|| a.stub.cmp(&b.stub)));
        news
    }

    fn compose(&mut self, news: Vec<(Line, Option<Heard>)>, concerns: BTreeMap<Concern, Moment>, scene: &Scene<'_>) -> Summary {
        self.next_id += 1;
        let id = self.next_id;
        let problems = (scene.all)().into_iter().filter(|e| self.is_problem(e)).map(|e| self.line(e, scene)).collect();
        let alerts = self.alerts(scene);
        let (news, tales): (Vec<Line>, Vec<_>) = news.into_iter().map(|(line, told)| (line.clone(), (line.stub, told))).unzip();
        self.on_its_way = Some(OnItsWay { id, since: scene.now, tales, concerns });
        Summary { id, at: scene.now.wall(), news, problems, alerts, counts: scene.counts, background: Background::default() }
    }

    fn news_of(&self, experiment: &Experiment, scene: &Scene<'_>) -> Option<(Line, Option<Heard>)> {
        let known = Known::of(experiment, scene.manifest_known)?;
        let heard = (!known.is_plain()).then_some(Heard { known, bad_since: experiment.bad_since });
        Some((self.line(experiment, scene), heard))
    }

    fn line(&self, experiment: &Experiment, scene: &Scene<'_>) -> Line {
        let told = self.told.get(&experiment.stub);
        let owed = self.owed.get(&experiment.stub).copied();
        let bad_since = told.and_then(|told| told.bad_since).or(owed);
        let is_well = experiment.health == Health::Ok;
        Line {
            stub: experiment.stub.clone(),
            health: experiment.health,
            told: told.map_or(Health::Ok, |told| told.known.health),
            bookable: (scene.bookable)(experiment),
            listed: experiment.listed() || !scene.manifest_known,
            issues: experiment.issues.clone(),
            since: experiment.bad_since.unwrap_or(experiment.since).wall(),
            lasted: bad_since.filter(|_| is_well).map(|since| experiment.since.since(since)),
            affected: Affected::default(),
            advice: None,
        }
    }

    /// Whether an experiment belongs among the open problems: it is bad, or it was told bad and is not judged now.
    fn is_problem(&self, experiment: &Experiment) -> bool {
        match experiment.health {
            Health::Degraded | Health::Down => true,
            Health::Unknown => self.told.get(&experiment.stub).is_some_and(|told| told.known.health != Health::Ok),
            Health::Ok => false,
        }
    }

    fn alerts(&self, scene: &Scene<'_>) -> Vec<Alert> {
        let holding: BTreeSet<&Concern> = scene.troubles.iter().map(|trouble| &trouble.concern).collect();
        let open = scene.troubles.iter().map(|trouble| Alert {
            text: trouble.text.clone(),
            since: trouble.since.wall(),
            ended: None,
            new: !self.told_concerns.contains_key(&trouble.concern),
        });
        let ended = self.told_concerns.iter().filter(|(concern, _)| !holding.contains(concern)).map(|(concern, since)| Alert {
            text: concern.ended_text(),
            since: since.wall(),
            ended: Some(self.ended.get(concern).copied().unwrap_or(scene.now).since(*since)),
            new: true,
        });
        open.chain(ended).collect()
    }

    /// Takes up what is remembered.
    pub(super) fn recall(&mut self, told: &[Told], owed: &[(Stub, Timestamp)], last_mail: u64, now: Moment) {
        for told in told {
            match told {
                Told::Experiment(stub, Some(known)) => {
                    let heard = Heard { known: known.clone(), bad_since: known.bad_since.map(|at| now.back_at(at)) };
                    self.told.insert(stub.clone(), heard);
                }
                Told::Concern(concern, Some(since)) => {
                    self.told_concerns.insert(*concern, now.back_at(*since));
                }
                Told::Experiment(_, None) | Told::Concern(_, None) => {}
            }
        }
        self.owed = owed.iter().map(|(stub, since)| (stub.clone(), now.back_at(*since))).collect();
        self.next_id = last_mail;
    }

    /// What [`Telling::recall`] takes. A mail on its way may be lost with us, so its experiments are owed.
    pub(super) fn memory(&self) -> (Vec<Told>, Vec<(Stub, Timestamp)>, u64) {
        let concerns = self.told_concerns.iter().map(|(concern, since)| Told::Concern(*concern, Some(since.wall())));
        let told = self.told.iter().map(|(stub, heard)| Told::Experiment(stub.clone(), Some(heard.known.clone())));
        let since = |heard: &Option<Heard>| heard.as_ref().and_then(|heard| heard.bad_since);
        let tales =
            self.on_its_way.iter().flat_map(|mail| mail.tales.iter().map(|(stub, heard)| (stub, since(heard).unwrap_or(mail.since))));
        let owed = self.owed.iter().map(|(stub, since)| (stub, *since)).chain(tales);
        let owed = owed.map(|(stub, since)| (stub.clone(), since.wall())).collect();
        (told.chain(concerns).collect(), owed, self.next_id)
    }

    /// Takes in what a mail came to. Returns what people now know.
    pub(super) fn mailed(&mut self, id: u64, outcome: &Result<(), MailFault>, now: Moment) -> Vec<Told> {
        let Some(mail) = self.on_its_way.take_if(|mail| mail.id == id) else { return Vec::new() };
        match outcome {
            Ok(()) => self.arrived(mail, now),
            Err(fault) => {
                self.failed(mail, fault, now);
                Vec::new()
            }
        }
    }

    fn arrived(&mut self, mail: OnItsWay, now: Moment) -> Vec<Told> {
        self.failures = 0;
        self.retry_at = None;
        self.fault = None;
        self.last_sent = Some(now);
        let before = std::mem::replace(&mut self.told_concerns, mail.concerns);
        self.ended.retain(|concern, _| self.told_concerns.contains_key(concern));
        self.concern_since = None;
        let begun = self.told_concerns.iter().filter(|(concern, _)| !before.contains_key(concern));
        let ended = before.keys().filter(|concern| !self.told_concerns.contains_key(concern));
        let mut told: Vec<Told> = begun.map(|(concern, since)| Told::Concern(*concern, Some(since.wall()))).collect();
        told.extend(ended.map(|concern| Told::Concern(*concern, None)));
        for (stub, heard) in mail.tales {
            self.untold.remove(&stub);
            self.owed.remove(&stub);
            told.push(Told::Experiment(stub.clone(), heard.as_ref().map(|heard| heard.known.clone())));
            match heard {
                Some(heard) => self.told.insert(stub, heard),
                None => self.told.remove(&stub),
            };
        }
        told
    }

    fn failed(&mut self, mail: OnItsWay, fault: &MailFault, now: Moment) {
        let wait = (RETRY_AFTER * 2_u32.saturating_pow(self.failures.min(16))).min(RETRY_AT_MOST);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + if fault.permanent { RETRY_AT_MOST } else { wait });
        self.fault = Some(fault.fault.clone());
        for (stub, told) in mail.tales {
            let bad_since = told.and_then(|told| told.bad_since).unwrap_or(now);
            self.owed.entry(stub.clone()).or_insert(bad_since);
            self.untold.entry(stub).or_insert(now);
        }
    }

    /// Gives up a mail whose outcome never came.
    fn expire(&mut self, now: Moment) {
        if let Some(mail) = self.on_its_way.take_if(|mail| now >= mail.since + OUTCOME_WITHIN) {
            self.failed(mail, &MailFault { fault: Fault::TimedOut, permanent: false }, now);
        }
    }

    pub(super) fn view(&self, configured: bool) -> MailView {
        MailView {
            configured,
            last_sent: self.last_sent.map(Moment::wall),
            waiting_since: self.waiting_since().map(Moment::wall),
            fault: self.fault.clone(),
            failures: self.failures,
        }
    }
}

impl Concern {
    /// Since when it must have held to be told.
    pub(super) fn told_after(self) -> Duration {
        match self {
            Self::Blind | Self::Source(_) | Self::ManifestLost | Self::Sampling => TELL_OUTAGE_AFTER,
        }
    }

    fn ended_text(self) -> String {
        match self {
            Self::Blind => "labwatch hears from the laboratory again".to_owned(),
            Self::Source(name) => format!("{name} tells again"),
            Self::ManifestLost => "book has a manifest again".to_owned(),
            Self::Sampling => "streams are listened to again".to_owned(),
        }
    }
}

fn concerns_of(troubles: &[Trouble]) -> BTreeMap<Concern, Moment> {
    troubles.iter().map(|trouble| (trouble.concern, trouble.since)).collect()
}

fn is_well(line: &Line) -> bool {
    line.health == Health::Ok && line.listed
}
