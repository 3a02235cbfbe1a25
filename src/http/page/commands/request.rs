//! Parses a form: the command that its fields mean, or the errors to correct. The engine decides
//! whether it can be done.

use std::collections::BTreeSet;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::fields::Fields;
use super::kind::Kind;
use engine::model::Gather as _;
use engine::model::{ResourceName, parse_duration};
use engine::{Command, Day, NamePattern, Schedule, Scope, SuppressionId, Weekly};

/// The durations that a form offers.
pub(super) const LENGTHS: [(&str, &str); 8] = [
    ("1h", "1 hour"),
    ("2h", "2 hours"),
    ("4h", "4 hours"),
    ("12h", "12 hours"),
    ("1d", "1 day"),
    ("3d", "3 days"),
    ("1w", "1 week"),
    ("4w", "4 weeks"),
];

/// The days of the week that a form offers.
pub(super) const DAYS: [(Day, &str); 7] = [
    (Day::Mon, "Monday"),
    (Day::Tue, "Tuesday"),
    (Day::Wed, "Wednesday"),
    (Day::Thu, "Thursday"),
    (Day::Fri, "Friday"),
    (Day::Sat, "Saturday"),
    (Day::Sun, "Sunday"),
];

/// The subjects of an acknowledgement that a form offers.
pub(super) const WHATS: [(&str, &str); 4] = [
    ("experiments", "Experiments, by name or pattern"),
    ("pool", "A pool"),
    ("component", "A source, service or other component"),
    ("installation", "The whole laboratory"),
];

/// Times of the form are rounded up to whole minutes, in seconds.
const MINUTE: i64 = 60;

/// The zone and time in which a form is filled in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock<'a> {
    /// The zone of times that have none.
    pub(super) zone: &'a TimeZone,
    /// The current time.
    pub(super) now: Timestamp,
}

/// A command, and the fields that mean it at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The command that the fields mean.
    pub(super) command: Command,
    /// The fields, with absolute times.
    pub(super) fields: Vec<(&'static str, String)>,
}

/// An error in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The field; empty where it concerns several.
    pub(super) field: &'static str,
    /// What is wrong, and what to do.
    pub(super) words: String,
    /// Whether the subject of an acknowledgement has no problem, so that a silence is needed
    /// instead.
    pub(super) is_well: bool,
}

impl Problem {
    fn of(field: &'static str, words: impl Into<String>) -> Self {
        Self {
            field,
            words: words.into(),
            is_well: false,
        }
    }
}

impl Asked {
    fn of(command: Command, fields: Vec<(&'static str, String)>) -> Self {
        Self { command, fields }
    }

    /// Parses the fields of a form.
    pub(super) fn read(kind: Kind, fields: &Fields, clock: Clock<'_>) -> Result<Self, Problem> {
        match kind {
            Kind::Acknowledge => acknowledge(fields, clock),
            Kind::Silence => silence(fields, clock),
            Kind::Maintenance => maintenance(fields, clock),
            Kind::Hold => {
                let (resource, reason) = (
                    resource(fields)?,
                    text(fields, "reason", "say why: students read it")?,
                );
                let said = vec![
                    ("resource", resource.as_str().to_owned()),
                    ("reason", reason.clone()),
                ];
                Ok(Self::of(Command::Hold { resource, reason }, said))
            }
            Kind::Enable => {
                let resource = resource(fields)?;
                let said = vec![("resource", resource.as_str().to_owned())];
                Ok(Self::of(Command::Enable { resource }, said))
            }
            Kind::End => {
                let id = fields.get("id").parse().map_err(|_| {
                    Problem::of(
                        "id",
                        "this is no number: the page of holds lists what can be ended",
                    )
                })?;
                Ok(Self::of(
                    Command::Remove {
                        id: SuppressionId(id),
                    },
                    vec![("id", id.to_string())],
                ))
            }
            Kind::Open | Kind::Close => category(fields, kind == Kind::Open),
        }
    }
}

fn acknowledge(fields: &Fields, clock: Clock<'_>) -> Result<Asked, Problem> {
    let what = WHATS
        .iter()
        .find(|(what, _)| *what == fields.get("what"))
        .map_or("experiments", |(what, _)| what);
    let name = || text(fields, "name", "say which");
    let scope = match what {
        "pool" => Scope::Pool(name()?),
        "component" => Scope::Component(name()?),
        "installation" => Scope::Installation,
        _ => Scope::Experiments(pattern(fields, "name")?),
    };
    let text = text(
        fields,
        "text",
        "say what is done about it, so that others know",
    )?;
    let until = until(fields, clock)?;
    let mut said = vec![
        ("what", what.to_owned()),
        ("name", fields.get("name").to_owned()),
        ("text", text.clone()),
    ];
    said.extend(until.map(|until| ("until", until.to_string())));
    Ok(Asked::of(Command::Acknowledge { scope, text, until }, said))
}

fn silence(fields: &Fields, clock: Clock<'_>) -> Result<Asked, Problem> {
    let pattern = pattern(fields, "experiments")?;
    let reason = text(fields, "reason", "say why, so that others know")?;
    let until = until(fields, clock)?
        .ok_or_else(|| Problem::of("until", "say for how long, or until when"))?;
    let said = vec![
        ("experiments", pattern.as_str().to_owned()),
        ("reason", reason.clone()),
        ("until", until.to_string()),
    ];
    Ok(Asked::of(
        Command::Silence {
            pattern,
            until,
            reason,
        },
        said,
    ))
}

fn maintenance(fields: &Fields, clock: Clock<'_>) -> Result<Asked, Problem> {
    let pattern = pattern(fields, "experiments")?;
    let reason = text(fields, "reason", "say why, so that others know")?;
    let mut said = vec![
        ("experiments", pattern.as_str().to_owned()),
        ("reason", reason.clone()),
    ];
    let schedule = if fields.get("when") == "weekly" {
        let weekly = weekly(fields, clock)?;
        said.push(("when", "weekly".to_owned()));
        said.extend(fields.all("day").map(|day| ("day", day.to_owned())));
        said.extend(["starts", "lasts"].map(|name| (name, fields.get(name).to_owned())));
        Schedule::Weekly(weekly)
    } else {
        let from = if fields.get("from").is_empty() {
            Ok(clock.now)
        } else {
            moment(fields, "from", clock.zone)
        }?;
        let until = moment(fields, "until", clock.zone)?;
        if until <= from {
            return Err(Problem::of(
                "until",
                "this is not after its begin: give a later time",
            ));
        }
        said.extend([("from", from.to_string()), ("until", until.to_string())]);
        Schedule::Once { from, until }
    };
    Ok(Asked::of(
        Command::Maintain {
            pattern,
            schedule,
            reason,
        },
        said,
    ))
}

fn category(fields: &Fields, open: bool) -> Result<Asked, Problem> {
    let name = text(
        fields,
        "category",
        "say which category: the page of categories lists them",
    )?;
    let reason = text(fields, "reason", "say why, so that others know")?;
    let said = vec![("category", name.clone()), ("reason", reason.clone())];
    Ok(Asked::of(Command::Category { name, open, reason }, said))
}

fn weekly(fields: &Fields, clock: Clock<'_>) -> Result<Weekly, Problem> {
    let chosen = |day: &Day| fields.all("day").any(|as_str| as_str == day.as_str());
    let days: BTreeSet<Day> = DAYS.into_iter().map(|(day, _)| day).filter(chosen).gather();
    if days.is_empty() {
        return Err(Problem::of("day", "choose at least one day"));
    }
    let starts: Time = fields
        .get("starts")
        .parse()
        .map_err(|_| Problem::of("starts", "this is no time of day: write it as 18:00"))?;
    let lasts = parse_duration(fields.get("lasts"))
        .map_err(|why| Problem::of("lasts", format!("{why}: write it as 2h, 90m or 1h30m")))?;
    let zone = clock.zone.iana_name().unwrap_or("UTC");
    Weekly::try_new(days, starts, lasts, zone).map_err(|why| Problem::of("lasts", why.to_string()))
}

/// The end, by the given time or else by the duration; `None` where neither is given.
fn until(fields: &Fields, clock: Clock<'_>) -> Result<Option<Timestamp>, Problem> {
    if !fields.get("until").is_empty() {
        return moment(fields, "until", clock.zone).map(Some);
    }
    match fields.get("for") {
        "" => Ok(None),
        length => {
            let wrong = || {
                Problem::of(
                    "for",
                    format!("{length} is no length of time: choose one, or give a time"),
                )
            };
            let length = parse_duration(length)
                .ok()
                .and_then(|length| SignedDuration::try_from(length).ok())
                .ok_or_else(wrong)?;
            let second = clock
                .now
                .checked_add(length)
                .map_err(|_| wrong())?
                .as_second();
            Timestamp::from_second((second.div_euclid(MINUTE) + 1).saturating_mul(MINUTE))
                .map(Some)
                .map_err(|_| wrong())
        }
    }
}

/// A time: a date and time in the zone, or with a zone of its own.
fn moment(fields: &Fields, field: &'static str, zone: &TimeZone) -> Result<Timestamp, Problem> {
    let text = fields.get(field);
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let by_clock = text.parse::<DateTime>().ok().filter(|_| text.contains(':'));
    let moment =
        by_clock.and_then(|by_clock| zone.to_ambiguous_timestamp(by_clock).compatible().ok());
    moment.ok_or_else(|| match text {
        "" => Problem::of(field, "a date and a time are missing here"),
        text => Problem::of(
            field,
            format!("“{text}” is not a date and time: write it as 2026-11-23 18:00"),
        ),
    })
}

fn pattern(fields: &Fields, field: &'static str) -> Result<NamePattern, Problem> {
    let text = text(
        fields,
        field,
        "say which: a name, or a pattern such as pend*",
    )?;
    NamePattern::try_new(&text).map_err(|why| Problem::of(field, why.to_string()))
}

fn resource(fields: &Fields) -> Result<ResourceName, Problem> {
    let text = text(
        fields,
        "resource",
        "say which resource of book, such as r-pend00",
    )?;
    ResourceName::try_new(&text).map_err(|why| Problem::of("resource", why.to_string()))
}

/// A text that may not be empty.
fn text(fields: &Fields, field: &'static str, missing: &str) -> Result<String, Problem> {
    match fields.get(field) {
        "" => Err(Problem::of(field, missing)),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, form: &str) -> Result<Asked, Problem> {
        let zone = TimeZone::get("Europe/London").expect("is known");
        let now = "2026-07-01T10:00:30Z".parse().expect("a time");
        Asked::read(
            kind,
            &Fields::of(form.as_bytes()),
            Clock { zone: &zone, now },
        )
    }

    #[test]
    fn what_is_read_means_the_same_when_it_is_sent_again() {
        for (kind, form, command) in [
            (
                Kind::Acknowledge,
                "what=experiments&name=pend*&text=motor+ordered",
                "acknowledge pend*: motor ordered",
            ),
            (
                Kind::Acknowledge,
                "name=pend00&text=x&for=1h",
                "acknowledge pend00 until 2026-07-01T11:01:00Z: x",
            ),
            (
                Kind::Acknowledge,
                "what=pool&name=pend&text=x&until=2026-07-02T18:00&for=1h",
                "acknowledge pool pend until 2026-07-02T17:00:00Z: x",
            ),
            (
                Kind::Acknowledge,
                "what=component&name=relay&text=x",
                "acknowledge component relay: x",
            ),
            (
                Kind::Acknowledge,
                "what=installation&name=&text=x",
                "acknowledge the whole laboratory: x",
            ),
            (
                Kind::Silence,
                "experiments=*&reason=x&until=2026-07-02+18:00",
                "silence * until 2026-07-02T17:00:00Z: x",
            ),
            (
                Kind::Silence,
                "experiments=*&reason=x&until=2026-07-02T18:00:00Z",
                "silence * until 2026-07-02T18:00:00Z: x",
            ),
            (
                Kind::Maintenance,
                "experiments=a&reason=x&from=2026-12-01T08:00&until=2026-12-01T09:00",
                "maintain a from 2026-12-01T08:00:00Z until 2026-12-01T09:00:00Z: x",
            ),
            (
                Kind::Maintenance,
                "experiments=a&reason=x&when=weekly&day=mon&day=fri&starts=18:00&lasts=2h",
                "maintain a every mon, fri at 18:00 for 2 h (Europe/London): x",
            ),
            (Kind::Hold, "resource=r-a&reason=x", "hold r-a: x"),
            (Kind::Enable, "resource=r-a", "enable r-a"),
            (Kind::End, "id=7", "end number 7"),
        ] {
            let asked = read(kind, form).expect(form);
            let given = &asked.command;
            assert_eq!(given.to_string(), command, "{form}");
            let again = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&asked.fields)
                .finish();
            assert_eq!(read(kind, &again), Ok(asked), "{again}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (kind, form, field) in [
            (Kind::Acknowledge, "name=pend00", "text"),
            (Kind::Acknowledge, "text=x", "name"),
            (Kind::Silence, "experiments=*&reason=x", "until"),
            (
                Kind::Silence,
                "experiments=*&reason=x&until=tomorrow",
                "until",
            ),
            (
                Kind::Silence,
                "experiments=*&reason=x&until=2026-07-02",
                "until",
            ),
            (Kind::Silence, "experiments=*&reason=x&for=long", "for"),
            (Kind::Silence, "experiments=*&for=1h", "reason"),
            (
                Kind::Maintenance,
                "experiments=a&reason=x&until=2020-12-01T09:00",
                "until",
            ),
            (Kind::Maintenance, "experiments=a&reason=x", "until"),
            (
                Kind::Maintenance,
                "experiments=a&reason=x&from=x&until=2026-12-01T09:00",
                "from",
            ),
            (
                Kind::Maintenance,
                "experiments=a&reason=x&when=weekly&starts=18:00&lasts=2h",
                "day",
            ),
            (
                Kind::Maintenance,
                "experiments=a&reason=x&when=weekly&day=mon&starts=six&lasts=2h",
                "starts",
            ),
            (
                Kind::Maintenance,
                "experiments=a&reason=x&when=weekly&day=mon&starts=18:00&lasts=2",
                "lasts",
            ),
            (
                Kind::Maintenance,
                "experiments=a&reason=x&when=weekly&day=mon&starts=18:00&lasts=900h",
                "lasts",
            ),
            (Kind::Hold, "reason=x", "resource"),
            (Kind::Hold, "resource=r-a", "reason"),
            (Kind::End, "id=x", "id"),
            (Kind::Open, "reason=x", "category"),
            (Kind::Close, "category=pend", "reason"),
        ] {
            let problem = read(kind, form).expect_err(form);
            assert_eq!(problem.field, field, "{form}: {}", problem.words);
        }
    }
}
