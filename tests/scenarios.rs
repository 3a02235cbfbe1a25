//! Golden scenarios: a timeline of what is done to a laboratory goes in, everything that labwatch does comes out, compared whole.
//!
//! A file of `tests/scenarios` has comments (`#`), deeds (or the name of a recording), a line `---`, and what is expected. A deed is a time in seconds (none: the
//! start) and words that [`deed`] reads. `UPDATE=1 cargo test --test scenarios` writes the expected part anew; read the difference.

#![allow(clippy::panic, clippy::expect_used, reason = "a test stops at what it does not expect")]

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use labwatch::engine::{Action, Asking, Policy, Role, Sampling};
use labwatch::model::{SourceName, parse_duration};
use labwatch::replay::{Kind, STARTUP, Stage, Told, run, tell};
use support::lab::{Deed, Event, Lab, Mood};

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
            wrong.push(format!("{}:\n--- expected\n{expected}+++ got\n{got}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes what is got; read the difference before you keep it", wrong.join("\n"));
}

#[test]
fn a_replay_for_programs_is_one_object_a_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/relay-v0.8");
    let mut out = Vec::new();
    run(&folder, Policy { startup: STARTUP, ..Policy::default() }, true, &mut out).expect("a recording");
    let text = String::from_utf8(out).expect("text");
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let (summary, told) = lines.split_last().expect("a summary");
    assert!(told.iter().all(|line| line["at"].is_string() && line["kind"].is_string() && line["text"].is_string()));
    let expected = serde_json::json!({ "withdrawn": 1, "given_back": 1 });
    assert_eq!(summary["summary"]["resources"], serde_json::json!({ "r-pend02": expected, "r-spin00": expected }));
    assert_eq!(summary["summary"]["unexplained"], serde_json::json!([]));
}

fn scenario_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let entries = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "txt") && path.to_string_lossy().contains(&only));
    files.sort();
    files
}

/// The recording that a scenario names, where it is one: `recording <folder>`.
fn recording(input: &str) -> Option<&str> {
    input.lines().find_map(|line| line.strip_prefix("recording "))
}

fn replayed(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(name);
    let policy = Policy { startup: STARTUP, ..Policy::default() };
    let mut out = Vec::new();
    run(&folder, policy, false, &mut out).expect("a recording");
    String::from_utf8(out).expect("text")
}

/// A scenario, ready to be played.
struct Scenario {
    policy: Policy,
    deeds: Vec<(Duration, Deed)>,
    end: Duration,
    shown: Vec<Kind>,
    /// Many experiments: health and switches are left out, and of each mail the first lines are enough.
    brief: bool,
}

impl Scenario {
    fn read(text: &str, path: &Path) -> Self {
        let policy = Policy { startup: Duration::from_secs(5), ..Policy::default() };
        let shown = vec![Kind::Health, Kind::Switch, Kind::Hold, Kind::Source, Kind::Manifest, Kind::Mail, Kind::Sampling];
        let mut scenario = Self { policy, deeds: Vec::new(), end: Duration::from_secs(60), shown, brief: false };
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            let is_taken = line.is_empty() || scenario.take(line).is_some();
            assert!(is_taken, "{}:{}: not understood: {line}", path.display(), number + 1);
        }
        scenario
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let time = first.parse::<f64>().ok().map(Duration::from_secs_f64);
        let (at, words) = time.map_or((Duration::ZERO, line), |at| (at, rest.trim()));
        let words: Vec<&str> = words.split_whitespace().collect();
        match words.as_slice() {
            ["end"] => self.end = at,
            ["policy", settings @ ..] => settings.iter().try_for_each(|setting| set(&mut self.policy, setting))?,
            ["show", "asks"] => self.shown.push(Kind::Ask),
            ["brief"] => self.brief = true,
            ["show", "samples"] => self.shown.push(Kind::Sample),
            ["lab", stubs @ ..] => {
                let stubs = stubs.iter().flat_map(|stub| numbered(stub));
                self.deeds.extend(stubs.map(|stub| (at, Deed::Experiment(stub, owned(&["st-data", "st-video"])))));
            }
            words => {
                let deeds = deeds(words)?;
                self.deeds.extend(deeds.into_iter().map(|deed| (at, deed)));
            }
        }
        Some(())
    }

    fn play(self) -> String {
        let origin = Timestamp::UNIX_EPOCH;
        let mut stage = Stage::new(self.policy, origin, Lab::new());
        for (at, deed) in self.deeds {
            stage.plan.at(at, Event::Do(deed));
        }
        Lab::begin(&mut stage.plan);
        stage.run_until(self.end);
        let mut out = String::new();
        let clock = |at: Timestamp| seconds(at.duration_since(origin).as_secs_f64());
        for (at, action) in &stage.world.log {
            let told = tell(action, at.wall(), &clock);
            let Some(mut told) = told.filter(|told| self.shown.contains(&told.kind)) else { continue };
            if !self.brief || abridge(&mut told) {
                write(&mut out, &seconds(at.mono().as_secs_f64()), &told);
            }
        }
        out.push_str(&ending(&mut stage));
        out
    }
}

/// Shortens what is told of many experiments. Returns whether anything is left.
fn abridge(told: &mut Told) -> bool {
    let more = told.lines.len().saturating_sub(BRIEF_LINES);
    told.lines.truncate(BRIEF_LINES);
    if more > 0 {
        told.lines.push(format!("and {more} lines more"));
    }
    !matches!(told.kind, Kind::Health | Kind::Switch | Kind::Manifest)
}

fn write(out: &mut String, at: &str, told: &Told) {
    writeln!(out, "{at:>9} {:<8} {}", told.kind.word(), told.text).expect("a string takes all");
    for line in &told.lines {
        writeln!(out, "{:>18} {line}", "").expect("a string takes all");
    }
}

/// How things stand when the scenario ends.
fn ending(stage: &mut Stage<Lab>) -> String {
    let count = |is_meant: fn(&Action) -> bool| stage.world.log.iter().filter(|(_, action)| is_meant(action)).count();
    let switches = count(|action| matches!(action, Action::Switch(_)));
    let mails = count(|action| matches!(action, Action::Tell(_)));
    let asks = count(|action| matches!(action, Action::Ask(_)));
    let samples = count(|action| matches!(action, Action::Sample(_)));
    let end = seconds(stage.plan.now().mono().as_secs_f64());
    let counts = stage.engine.snapshot().counts;
    format!(
        "{end:>9} end      {} experiments: {} ok, {} degraded, {} down, {} unknown; {} withdrawn, {} held, {} unlisted\n{:>18} \
         {switches} switches, {mails} mails, {asks} asks, {samples} samples\n",
        counts.total, counts.ok, counts.degraded, counts.down, counts.unknown, counts.withdrawn, counts.held, counts.unlisted, ""
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
        Some((name, digits, from.parse::<u32>().ok()?..=last.parse::<u32>().ok()?))
    });
    range.map_or_else(|| vec![stub.to_owned()], |(name, digits, numbers)| numbers.map(|n| format!("{name}{n:0digits$}")).collect())
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
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
        "hold_up" => policy.hold.up = duration()?,
        "gather" => policy.gather = duration()?,
        "ask" if value == "never" => policy.ask = None,
        "ask" => policy.ask = Some(Asking::Every(duration()?)),
        "mail" => policy.mail = value == "on",
        "sample" if value == "never" => policy.sample = Sampling::Never,
        "sample" if value == "always" => policy.sample = Sampling::Always,
        _ => return None,
    }
    Some(())
}

/// Reads what is done.
fn deeds(words: &[&str]) -> Option<Vec<Deed>> {
    let text = |word: &&str| (*word).to_owned();
    if let ["connect" | "back" | "vanish" | "silent" | "sends", names @ ..] = words {
        let names = names.iter().flat_map(|name| numbered(name));
        return Some(
            names
                .map(|name| match words[0] {
                    "vanish" => Deed::Vanish(name),
                    "silent" => Deed::Silent(name),
                    "sends" => Deed::Send(name),
                    _ => Deed::Connect(name),
                })
                .collect(),
        );
    }
    let deed = match words {
        ["experiment", stub, keys @ ..] => Deed::Experiment(text(stub), owned(keys)),
        ["list", name, stub, keys @ ..] => Deed::List(text(name), text(stub), owned(keys)),
        ["unlist", name] => Deed::Unlist(text(name)),
        ["twin", topic] => Deed::Twin(text(topic), true),
        ["untwin", topic] => Deed::Twin(text(topic), false),
        ["junk"] => Deed::Junk(true),
        ["relay", "reports", "without", "statistics"] => Deed::Statistics(false),
        ["hold", name, reason @ ..] => Deed::Hold(text(name), reason.join(" ")),
        ["release", name] => Deed::Release(text(name)),
        ["upload"] => Deed::Upload,
        ["book", "restarts", "empty"] => Deed::Empty,
        ["book", "is", "polled"] => Deed::Poll,
        ["book", "fails"] => Deed::BookFails(true),
        ["book", "works"] => Deed::BookFails(false),
        ["switches", "take", time] => Deed::SwitchesTake(parse_duration(time).ok()?),
        ["switches", "fail"] => Deed::SwitchesFail(true),
        ["switches", "work"] => Deed::SwitchesFail(false),
        ["mail", "takes", time] => Deed::MailTakes(parse_duration(time).ok()?),
        ["mail", how] => Deed::Mail(mood(how)?),
        ["samples", how] => Deed::Samples(mood(how)?),
        ["clock", seconds] => Deed::Clock(seconds.parse().ok()?),
        ["leader"] => Deed::Role(Role::Leader),
        ["follower"] => Deed::Role(Role::Follower),
        [name, "every", time] => Deed::Every(source(name)?, parse_duration(time).ok()?),
        [name, "dies"] => Deed::Dies(source(name)?),
        [name, "starts"] => Deed::Starts(source(name)?),
        [name, "mute"] => Deed::Mute(source(name)?, true),
        [name, "speaks"] => Deed::Mute(source(name)?, false),
        [name, "blinks"] => Deed::Blinks(source(name)?),
        _ => return None,
    };
    Some(vec![deed])
}

fn mood(word: &str) -> Option<Mood> {
    match word {
        "work" | "works" => Some(Mood::Works),
        "fail" | "fails" => Some(Mood::Fails),
        "refuses" => Some(Mood::Refuses),
        _ => None,
    }
}

fn source(word: &str) -> Option<SourceName> {
    SourceName::ALL.into_iter().find(|name| name.word() == word)
}
