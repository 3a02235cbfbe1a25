//! Golden scenarios: a timeline of actions on a laboratory goes in, everything that labwatch does
//! comes out, compared as a whole.
//!
//! A file of `tests/scenarios` has comments (`#`), deeds (or the name of a recording), a line
//! `---`, and what is expected. A deed is a time in seconds (none: the start) and words that
//! [`deeds`] and [`Scenario::take`] read. `UPDATE=1 cargo test --test scenarios` writes the
//! expected part anew; read the difference.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test stops at what it does not expect"
)]

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::model::{
    CallError, ConnectError, RouteName, SourceName, Step, Visibility, parse_duration,
};
use engine::{
    Advice, Asking, Channel, DEFAULT_OVERDUE_AFTER, Digest, Effect, Engine, HttpChannel, Link,
    PageOutcome, Policy, Record, Role, Route, RouteView, Rules, Sampling, Schedule,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lab::Stage;
use labwatch::effects::mail::compose;
use labwatch::effects::notification::Presentation;
use labwatch::replay::{Kind, Notified, STARTUP, run};
use support::lab::{Deed, Event, Fault, Lab, Mood, Output, Wanted};

/// How many lines of a mail are kept in a brief scenario.
const BRIEF_LINES: usize = 3;

const SEPARATOR: &str = "---\n";

#[test]
fn every_scenario_comes_out_as_written() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for path in scenario_files() {
        let text = std::fs::read_to_string(&path).expect("a readable scenario");
        let (input, expected) = text.split_once(SEPARATOR).unwrap_or((&text, ""));
        let got = match recording(input) {
            Some(name) => replayed(name),
            None => Scenario::read(input, &path).play(),
        };
        if update {
            std::fs::write(&path, format!("{input}{SEPARATOR}{got}")).expect("a writable scenario");
        } else if got != expected {
            wrong.push(format!(
                "{}:\n--- expected\n{expected}+++ got\n{got}",
                path.display()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE=1 writes what is got; read the difference before you keep it",
        wrong.join("\n")
    );
}

#[test]
fn a_replay_for_programs_is_one_object_a_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/relay-v0.8");
    let mut out = Vec::new();
    run(
        &folder,
        Policy {
            startup: STARTUP,
            ..Policy::default()
        },
        true,
        &mut out,
    )
    .expect("a recording");
    let text = String::from_utf8(out).expect("text");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object"))
        .collect();
    let (summary, notified) = lines.split_last().expect("a summary");
    assert!(notified.iter().all(|line| line["at"].is_string()
        && line["kind"].is_string()
        && line["text"].is_string()));
    let expected = serde_json::json!({ "withdrawn": 1, "given_back": 1 });
    assert_eq!(
        summary["summary"]["resources"],
        serde_json::json!({ "r-pend02": expected, "r-spin00": expected })
    );
    assert_eq!(summary["summary"]["unexplained"], serde_json::json!([]));
}

fn scenario_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let entries = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| {
        path.extension().is_some_and(|ext| ext == "txt") && path.to_string_lossy().contains(&only)
    });
    files.sort();
    files
}

/// The recording that a scenario names, where it is one: `recording <folder>`.
fn recording(input: &str) -> Option<&str> {
    input
        .lines()
        .find_map(|line| line.strip_prefix("recording "))
}

fn replayed(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recordings")
        .join(name);
    let policy = Policy {
        startup: STARTUP,
        ..Policy::default()
    };
    let mut out = Vec::new();
    run(&folder, policy, false, &mut out).expect("a recording");
    String::from_utf8(out).expect("text")
}

/// A scenario, ready to be played.
struct Scenario {
    origin: Timestamp,
    policy: Policy,
    /// The policy of the configuration that was read last.
    reloaded: Policy,
    /// The routes, as far as they have been read.
    routes: Vec<Route>,
    /// Those that there are at the start: what was read before the first line with a time.
    first: Option<Vec<Route>>,
    deeds: Vec<(Duration, Deed)>,
    pauses: Vec<(Duration, Pause)>,
    end: Duration,
    shown: Vec<Kind>,
    /// Whether subject and thread of each mail are shown.
    subjects: bool,
    /// Many experiments: health and switches are left out, and of each mail the first lines are
    /// enough.
    brief: bool,
}

/// An action on labwatch itself.
enum Pause {
    /// It is killed, and started again after this time, with the routes that were read before.
    Restart(Duration, Vec<Route>),
    /// Prints the state of the routes.
    Look,
}

impl Scenario {
    fn read(text: &str, path: &Path) -> Self {
        let policy = Policy {
            startup: Duration::from_secs(5),
            ..Policy::default()
        };
        let shown = vec![
            Kind::Health,
            Kind::Switch,
            Kind::Hold,
            Kind::Source,
            Kind::Manifest,
            Kind::Mail,
            Kind::Sampling,
            Kind::Command,
        ];
        let mut scenario = Self {
            origin: Timestamp::UNIX_EPOCH,
            reloaded: policy,
            policy,
            routes: vec![Route::everybody()],
            first: None,
            deeds: Vec::new(),
            pauses: Vec::new(),
            end: Duration::from_secs(60),
            shown,
            subjects: false,
            brief: false,
        };
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            let is_taken = line.is_empty() || scenario.take(line).is_some();
            assert!(
                is_taken,
                "{}:{}: not understood: {line}",
                path.display(),
                number + 1
            );
        }
        scenario
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let time = first.parse::<f64>().ok().map(Duration::from_secs_f64);
        let (at, words) = time.map_or((Duration::ZERO, line), |at| (at, rest.trim()));
        if time.is_some() {
            self.first.get_or_insert_with(|| self.routes.clone());
        }
        let words: Vec<&str> = words.split_whitespace().collect();
        match words.as_slice() {
            ["end"] => self.end = at,
            ["origin", time] => self.origin = time.parse().ok()?,
            ["policy", settings @ ..] => {
                settings.iter().try_for_each(|setting| self.set(setting))?;
                self.reloaded = self.policy;
            }
            ["route", name, patterns, settings @ ..] => {
                self.routes.push(route(name, patterns, settings)?);
            }
            ["unroute", name] => self.routes.retain(|route| route.name.as_str() != *name),
            ["reload", settings @ ..] => {
                settings
                    .iter()
                    .try_for_each(|setting| set(&mut self.reloaded, setting))?;
                let (routes, maintenance, pools, advice) = (
                    self.routes.clone(),
                    Vec::new(),
                    Vec::new(),
                    Advice::default(),
                );
                let rules = Rules {
                    categories: engine::CategoryRules::default(),
                    acknowledged: engine::PolicyAcknowledgements::default(),
                    policy: self.reloaded,
                    routes,
                    maintenance,
                    pools,
                    advice,
                    hold_overdue: DEFAULT_OVERDUE_AFTER,
                };
                self.deeds.push((at, Deed::Adopt(Box::new(rules))));
            }
            ["restart"] => self
                .pauses
                .push((at, Pause::Restart(Duration::ZERO, self.routes.clone()))),
            ["restart", "after", off] => self.pauses.push((
                at,
                Pause::Restart(parse_duration(off).ok()?, self.routes.clone()),
            )),
            ["look"] => self.pauses.push((at, Pause::Look)),
            ["show", "asks"] => self.shown.push(Kind::Ask),
            ["show", "samples"] => self.shown.push(Kind::Sample),
            ["show", "subjects"] => self.subjects = true,
            ["hide", "health"] => self
                .shown
                .retain(|kind| !matches!(kind, Kind::Health | Kind::Switch)),
            ["brief"] => self.brief = true,
            ["lab", stubs @ ..] => {
                let stubs = stubs.iter().flat_map(|stub| numbered(stub));
                self.deeds.extend(
                    stubs.map(|stub| (at, Deed::Experiment(stub, owned(&["st-data", "st-video"])))),
                );
            }
            words => {
                let deeds = deeds(words)?;
                self.deeds.extend(deeds.into_iter().map(|deed| (at, deed)));
            }
        }
        Some(())
    }

    /// A setting of the policy, or of the default route.
    fn set(&mut self, setting: &str) -> Option<()> {
        if setting == "mail=off" {
            self.routes.clear();
            return Some(());
        }
        let everybody = self
            .routes
            .iter_mut()
            .find(|route| route.name == RouteName::everybody());
        everybody
            .and_then(|route| set_route(route, setting))
            .or_else(|| set(&mut self.policy, setting))
    }

    fn play(mut self) -> String {
        let first = self.first.take().unwrap_or_else(|| self.routes.clone());
        let mut stage = Stage::new(self.policy, first, self.origin, Lab::default());
        for (at, deed) in std::mem::take(&mut self.deeds) {
            stage.plan.at(at, Event::Do(deed));
        }
        Lab::begin(&mut stage.plan);
        let (mut out, mut seen) = (String::new(), 0);
        for (at, pause) in &self.pauses {
            stage.run_until(*at);
            seen = self.print(&stage, seen, &mut out);
            match pause {
                Pause::Look => out.push_str(&look(&mut stage, self.origin)),
                Pause::Restart(off, routes) => {
                    writeln!(
                        out,
                        "{:>9} restart  off for {}s",
                        seconds(at.as_secs_f64()),
                        off.as_secs()
                    )
                    .expect("a string takes all");
                    stage.world.mailing.clear();
                    stage.idle_until(*at + *off);
                    stage.engine = Engine::resume(
                        Rules::new(self.policy, routes.clone()),
                        &stage.world.kept,
                        stage.plan.now(),
                    );
                }
            }
        }
        stage.run_until(self.end);
        self.print(&stage, seen, &mut out);
        out.push_str(&ending(&mut stage));
        out
    }

    /// Writes the engine's outputs since the last call. Returns how many there are in all.
    fn print(&self, stage: &Stage<Lab>, seen: usize, out: &mut String) -> usize {
        let clock = |at: Timestamp| seconds(at.duration_since(self.origin).as_secs_f64());
        for (at, action) in stage.world.log.iter().skip(seen) {
            let notified = match action {
                Output::Record(record) => Notified::of_record(record, at.wall(), &clock),
                Output::Effect(effect) => Notified::of_effect(effect, at.wall()),
            };
            let Some(mut notified) =
                notified.filter(|notified| self.shown.contains(&notified.kind))
            else {
                continue;
            };
            if self.brief && !abridge(&mut notified) {
                continue;
            }
            if self.subjects {
                notified.lines.splice(0..0, subject(action));
            }
            write(out, &seconds(at.mono().as_secs_f64()), &notified);
        }
        stage.world.log.len()
    }
}

/// The subject of a mail, and which mails it stands beside.
fn subject(action: &Output) -> Vec<String> {
    let Output::Record(Record::Notifying(summary)) = action else {
        return Vec::new();
    };
    let references: Vec<String> = summary
        .thread
        .references
        .iter()
        .map(|message| format!("#{}", message.id))
        .collect();
    let thread = (!references.is_empty()).then(|| format!("thread: {}", references.join(" ")));
    [format!(
        "subject: {}",
        compose(summary, &Presentation::default()).subject
    )]
    .into_iter()
    .chain(thread)
    .collect()
}

/// The state of each route, and what its recipients know.
fn look(stage: &mut Stage<Lab>, origin: Timestamp) -> String {
    let snapshot = stage.engine.snapshot();
    let clock = |at: Timestamp| seconds(at.duration_since(origin).as_secs_f64());
    let mut out = format!("{:>9} look\n", clock(snapshot.at));
    for RouteView {
        name,
        channel,
        last_sent,
        waiting_since,
        fault,
        failures,
        refused,
        unreached,
    } in &snapshot.routes
    {
        let time = |what: &str, at: &Option<Timestamp>| {
            at.map(|at| format!(", {what} {}", clock(at)))
                .unwrap_or_default()
        };
        let fault = fault
            .as_ref()
            .map(|fault| {
                format!(
                    ", failed {failures} times: {}",
                    fault.words(Visibility::MAINTAINER)
                )
            })
            .unwrap_or_default();
        let times = [
            time("last sent", last_sent),
            time("waiting since", waiting_since),
            time("refused", refused),
        ]
        .concat();
        let unreached = unreached
            .iter()
            .map(|one| {
                let who = one.recipient.show(Visibility::MAINTAINER);
                let how = if one.refused {
                    "refused"
                } else {
                    "not reached"
                };
                format!(", {} {how}", who.unwrap_or_default())
            })
            .collect::<Vec<_>>()
            .concat();
        let notified: Vec<String> = snapshot
            .notified
            .iter()
            .filter(|notified| notified.route == *name)
            .map(|notified| format!("{} {}", notified.stub, notified.health))
            .collect();
        writeln!(
            out,
            "{:>18} {name} ({}){times}{fault}{unreached}; notified: {}",
            "",
            channel.as_str(),
            notified.join(", ")
        )
        .expect("a string takes all");
    }
    out
}

/// Shortens lines about many experiments. Returns whether anything is left.
fn abridge(notified: &mut Notified) -> bool {
    let more = notified.lines.len().saturating_sub(BRIEF_LINES);
    notified.lines.truncate(BRIEF_LINES);
    if more > 0 {
        notified.lines.push(format!("and {more} lines more"));
    }
    !matches!(notified.kind, Kind::Health | Kind::Switch | Kind::Manifest)
}

fn write(out: &mut String, at: &str, notified: &Notified) {
    writeln!(
        out,
        "{at:>9} {:<8} {}",
        notified.kind.as_str(),
        notified.text
    )
    .expect("a string takes all");
    for line in &notified.lines {
        writeln!(out, "{:>18} {line}", "").expect("a string takes all");
    }
}

/// The state at the end of the scenario.
fn ending(stage: &mut Stage<Lab>) -> String {
    let count = |is_meant: fn(&Output) -> bool| {
        stage
            .world
            .log
            .iter()
            .filter(|(_, action)| is_meant(action))
            .count()
    };
    let switches = count(|action| matches!(action, Output::Effect(Effect::Switch(_))));
    let mails = count(|action| matches!(action, Output::Effect(Effect::Notify(_))));
    let asks = count(|action| matches!(action, Output::Effect(Effect::Ask(_))));
    let samples = count(|action| matches!(action, Output::Effect(Effect::Sample(_))));
    let end = seconds(stage.plan.now().mono().as_secs_f64());
    let counts = stage.engine.snapshot().counts;
    let flapping = if counts.flapping == 0 {
        String::new()
    } else {
        format!("{} flapping, ", counts.flapping)
    };
    format!(
        "{end:>9} end      {} experiments: {} ok, {} degraded, {flapping}{} down, {} unknown; {} withdrawn, {} held, {} unlisted\n{:>18} \
         {switches} switches, {mails} mails, {asks} asks, {samples} samples\n",
        counts.total,
        counts.ok,
        counts.degraded,
        counts.down,
        counts.unknown,
        counts.withdrawn,
        counts.held,
        counts.unlisted,
        ""
    )
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2}")
}

/// `e000..129` means 130 names.
fn numbered(stub: &str) -> Vec<String> {
    let range = stub.split_once("..").and_then(|(first, last)| {
        let digits = first.len() - first.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (name, from) = first.split_at(first.len() - digits);
        Some((
            name,
            digits,
            from.parse::<u32>().ok()?..=last.parse::<u32>().ok()?,
        ))
    });
    range.map_or_else(
        || vec![stub.to_owned()],
        |(name, digits, numbers)| numbers.map(|n| format!("{name}{n:0digits$}")).collect(),
    )
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|as_str| (*as_str).to_owned()).collect()
}

/// `route NAME PATTERN,PATTERN [webhook] [no-alerts] [gather=D] [interval=D] [remind=D]
/// [digest=HH:MM@ZONE] [digest_when_well=yes]`
fn route(name: &str, patterns: &str, settings: &[&str]) -> Option<Route> {
    let patterns = patterns.split(',').map(str::to_owned).collect();
    let mut route = Route {
        name: RouteName::try_new(name).ok()?,
        patterns,
        ..Route::everybody()
    };
    settings
        .iter()
        .try_for_each(|setting| set_route(&mut route, setting))?;
    Some(route)
}

fn set_route(route: &mut Route, setting: &str) -> Option<()> {
    match setting.split_once('=').unwrap_or((setting, "")) {
        ("webhook", _) => route.channel = Channel::Http(HttpChannel::Webhook),
        ("no-alerts", _) => route.alerts = false,
        ("gather", value) => route.gather = parse_duration(value).ok()?,
        ("interval", value) => route.interval = parse_duration(value).ok()?,
        ("remind", value) => route.remind = Some(parse_duration(value).ok()?),
        ("digest", value) => {
            let (time, zone) = value.split_once('@').unwrap_or((value, "UTC0"));
            let zone = TimeZone::posix(zone).ok()?;
            route.digest = Some(Digest {
                at: time.parse().ok()?,
                zone,
                when_well: false,
            });
        }
        ("digest_when_well", value) => route.digest.as_mut()?.when_well = value == "yes",
        _ => return None,
    }
    Some(())
}

fn set(policy: &mut Policy, setting: &str) -> Option<()> {
    let (key, value) = setting.split_once('=')?;
    let duration = || parse_duration(value).ok();
    match key {
        "startup" => policy.startup = duration()?,
        "last_active" => policy.last_active = duration()?,
        "last_checked" => policy.last_checked = duration()?,
        "settle" => policy.settle = duration()?,
        "outage_hold" => policy.outage_hold = duration()?,
        "hold_down" => policy.hold.down = duration()?,
        "flap_window" => policy.flap.window = duration()?,
        "hold_up" => policy.hold.up = duration()?,
        "ui_check_every" if value == "off" => policy.ui_check_every = None,
        "ui_check_every" => policy.ui_check_every = Some(duration()?),
        "ui_check" => policy.ui_required = value == "required",
        "ask" if value == "never" => policy.ask = None,
        "ask" => policy.ask = Some(Asking::Every(duration()?)),
        "sample" if value == "never" => policy.sample = Sampling::Never,
        "sample" if value == "always" => policy.sample = Sampling::Always,
        _ => return None,
    }
    Some(())
}

/// Parses an action: a fault by its own text, or one of those that this function knows.
fn deeds(words: &[&str]) -> Option<Vec<Deed>> {
    let text = |as_str: &&str| (*as_str).to_owned();
    if let [
        verb @ ("connect" | "back" | "vanish" | "silent" | "sends"),
        names @ ..,
    ] = words
    {
        let verb = if *verb == "connect" { "back" } else { verb };
        let names = names.iter().flat_map(|name| numbered(name));
        return names.map(|name| fault(&format!("{verb} {name}"))).collect();
    }
    let deed = match words {
        ["experiment", stub, keys @ ..] => Deed::Experiment(text(stub), owned(keys)),
        ["list", name, stub, keys @ ..] => Deed::List(text(name), text(stub), owned(keys)),
        ["unlist", name] => Deed::Unlist(text(name)),
        ["junk"] => Deed::Junk(true),
        ["relay", "reports", "without", "statistics"] => Deed::Statistics(false),
        ["release", name] => fault(&format!("release {name} free again"))?,
        ["book", "restarts", "empty"] => fault("upload nothing")?,
        ["book", "is", "polled"] => Deed::Poll,
        ["book", "fails"] => fault("book freezes")?,
        ["book", "works"] => fault("book thaws")?,
        ["switches", "take", time] => Deed::SwitchesTake(parse_duration(time).ok()?),
        ["switches", "fail"] => Deed::SwitchesFail(true),
        ["switches", "work"] => Deed::SwitchesFail(false),
        ["mail", "takes", time] => Deed::MailTakes(parse_duration(time).ok()?),
        ["mail", how] => Deed::Mail(mood(how)?),
        ["sending", name, how] => Deed::Route(text(name), mood(how)?),
        ["canary"] => Deed::Canary,
        ["pages"] => Deed::Pages,
        ["pages", "seen"] => Deed::PagesShow(None),
        ["pages", "hidden", error] => Deed::PagesShow(Some(PageOutcome::Failed(error_of(error)?))),
        ["samples", how] => Deed::Samples(mood(how)?),
        ["clock", seconds] => Deed::Clock(seconds.parse().ok()?),
        ["leader"] => Deed::Role(Role::Leader),
        ["follower"] => Deed::Role(Role::Follower),
        [name, "every", time] => Deed::Every(source(name)?, parse_duration(time).ok()?),
        words => match command(words) {
            Some(wanted) => Deed::Command(wanted),
            None => fault(&words.join(" ")).or_else(|| failing(words))?,
        },
    };
    Some(vec![deed])
}

/// The fault of this text, where the simulator has it.
fn fault(text: &str) -> Option<Deed> {
    let fault: Fault = text.parse().ok()?;
    Lab::can(&fault).then_some(Deed::Fault(fault))
}

/// Parses a maintainer's command.
fn command(words: &[&str]) -> Option<Wanted> {
    let text = |as_str: &&str| (*as_str).to_owned();
    Some(match words {
        ["acknowledge", name] => Wanted::Acknowledge(text(name), None),
        ["acknowledge", name, "for", time] => {
            Wanted::Acknowledge(text(name), Some(parse_duration(time).ok()?))
        }
        ["unacknowledge", name] => Wanted::Unacknowledge(text(name)),
        ["silence", name, "for", time] => Wanted::Silence(text(name), parse_duration(time).ok()?),
        ["maintain", name, "from", from, "until", until] => Wanted::Maintain(
            text(name),
            Schedule::Once {
                from: from.parse().ok()?,
                until: until.parse().ok()?,
            },
        ),
        [
            "maintain",
            name,
            "every",
            days,
            "at",
            starts,
            "for",
            lasts,
            zone,
        ] => {
            let days: Vec<&str> = days.split(',').collect();
            let weekly = serde_json::json!({ "weekly": { "days": days, "starts": starts, "lasts": lasts, "zone": zone } });
            Wanted::Maintain(text(name), serde_json::from_value(weekly).ok()?)
        }
        ["remove", id] => Wanted::Remove(id.parse().ok()?),
        ["order", "hold", name, reason @ ..] => Wanted::Hold(text(name), reason.join(" ")),
        ["order", "enable", name] => Wanted::Enable(text(name)),
        _ => return None,
    })
}

/// A source that cannot be reached: `relay fails websocket refused`.
fn failing(words: &[&str]) -> Option<Deed> {
    let (name, link) = match words {
        [name, "fails", step, error] => {
            let (step, error) = (step_of(step)?, error_of(error)?);
            (name, Link::Failed(ConnectError { step, error }))
        }
        [name, "sends", "garbage"] => {
            let why = "duplicate field `connected`";
            (name, Link::Unreadable(why.to_owned()))
        }
        _ => return None,
    };
    Some(Deed::Fails(source(name)?, link))
}

fn step_of(as_str: &str) -> Option<Step> {
    match as_str {
        "access" => Some(Step::Access),
        "websocket" => Some(Step::Websocket),
        _ => None,
    }
}

fn error_of(as_str: &str) -> Option<CallError> {
    match as_str {
        "refused" => Some(CallError::Refused("connection refused".to_owned())),
        "name-lookup" => Some(CallError::NameLookup("no such host".to_owned())),
        "credentials" => Some(CallError::Credentials("token invalid".to_owned())),
        "timeout" => Some(CallError::TimedOut),
        _ => {
            let status = as_str.parse().ok()?;
            let body = "bad gateway".to_owned();
            Some(CallError::Sick { status, body })
        }
    }
}

fn mood(as_str: &str) -> Option<Mood> {
    match as_str {
        "work" | "works" => Some(Mood::Works),
        "fail" | "fails" => Some(Mood::Fails),
        "refuses" => Some(Mood::Refuses),
        _ => None,
    }
}

fn source(as_str: &str) -> Option<SourceName> {
    SourceName::ALL
        .into_iter()
        .find(|name| name.as_str() == as_str)
}
