//! The page of a command: its form, and its effect with the button that confirms it. It works
//! without a script; with one, the effect appears while the form is filled in.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::effect;
use super::fields::Fields;
use super::kind::{Kind, owner};
use super::request::{Asked, DAYS, LENGTHS, Problem, WHATS};
use crate::http::auth::is_place;
use crate::http::page::filter::address_of;
use crate::http::page::layout::Frame;
use crate::http::page::shapes::shape;
use crate::http::page::words::{self, clip};
use engine::Impact;

/// The hidden field with the page that the reader came from.
const BACK: &str = "back";

/// The first choice of a duration that must be given.
const CHOOSE: &str = "choose";

/// The part of the page below the form.
pub(super) enum Outcome {
    /// Nothing yet.
    Open,
    /// The form has an error.
    Wrong(Problem),
    /// The command and its effect.
    Would(Box<(Asked, Impact)>),
}

/// A command as far as it is filled in.
pub(super) struct Form<'a> {
    pub(super) kind: Kind,
    pub(super) fields: &'a Fields,
    /// The page with the link to the form, where the browser reported one.
    pub(super) from: Option<&'a str>,
    pub(super) zone: &'a TimeZone,
    pub(super) outcome: Outcome,
}

pub(super) fn page(frame: &Frame<'_>, form: &Form<'_>) -> Markup {
    let settled =
        matches!(form.outcome, Outcome::Would(..)) || matches!(form.kind, Kind::Enable | Kind::End);
    html! {
        div.order {
            h1 { (form.kind.verb()) (subject(form)) }
            p.soft { (form.kind.about()) }
            @if !settled { (fields(frame, form)) }
            section.effect #effect aria-label="What it does" aria-live="polite" { (below(frame, form)) }
        }
    }
}

/// The subject of the form, if it is filled in.
fn subject(form: &Form<'_>) -> String {
    let name = match form.kind {
        Kind::Acknowledge => form.fields.get("name"),
        Kind::Silence | Kind::Maintenance => form.fields.get("experiments"),
        Kind::Hold | Kind::Enable => form.fields.get("resource"),
        Kind::End => form.fields.get("id"),
        Kind::Open | Kind::Close => form.fields.get("category"),
    };
    match (form.kind, name) {
        (_, "") => String::new(),
        (Kind::End, id) => format!(" number {}", clip(id)),
        (Kind::Open | Kind::Close, name) => format!(" the category {}", clip(name)),
        (Kind::Maintenance, name) => format!(" of {}", clip(name)),
        (Kind::Acknowledge | Kind::Silence | Kind::Hold | Kind::Enable, name) => {
            format!(" {}", clip(name))
        }
    }
}

fn below(frame: &Frame<'_>, form: &Form<'_>) -> Markup {
    html! {
        @match &form.outcome {
            Outcome::Open => {},
            Outcome::Wrong(problem) => {
                p.problem #problem role="alert" { (shape("down")) span { (words::timed(&words::sentence(&problem.words), frame.now)) } }
                @if problem.is_well { p.confirm { a #instead href=(silence(form)) { "Silence it instead" } } }
                @if matches!(form.kind, Kind::Enable | Kind::End) { p { a href=(back(frame, form)) { "Back" } } }
            },
            Outcome::Would(would) => {
                @let (asked, effect) = &**would;
                h2 { "What it does" }
                (effect::sentences(frame, &asked.command, effect))
                (confirmation(frame, form, asked))
            },
        }
    }
}

/// The button that confirms it, and the links to leave.
fn confirmation(frame: &Frame<'_>, form: &Form<'_>, asked: &Asked) -> Markup {
    let change = format!("{}?{}", form.kind.path(), form.fields.without("check"));
    html! {
        form.confirm method="post" action=(form.kind.path()) {
            @if let Some(csrf) = frame.caller.csrf() { input type="hidden" name="csrf" value=(csrf); }
            @for (name, value) in &asked.fields { input type="hidden" name=(name) value=(value); }
            input type="hidden" name=(BACK) value=(back(frame, form));
            button.main #confirm type="submit" { (form.kind.verb()) (subject(form)) }
            @if !matches!(form.kind, Kind::Enable | Kind::End) { a #change href=(change) { "Change it" } }
            a #leave href=(back(frame, form)) { "Back" }
        }
    }
}

/// The page for a reader who cancels.
fn back(frame: &Frame<'_>, form: &Form<'_>) -> String {
    let came_from = [form.fields.get(BACK), form.from.unwrap_or_default()]
        .into_iter()
        .find(|place| {
            is_place(place) && !place.starts_with("/do/") && !place.starts_with("/login")
        });
    if let Some(place) = came_from {
        return place.to_owned();
    }
    let name = match form.kind {
        Kind::Acknowledge => form.fields.get("name"),
        Kind::Silence | Kind::Maintenance => form.fields.get("experiments"),
        Kind::Hold | Kind::Enable => {
            owner(frame.snapshot, form.fields.get("resource")).map_or("", |view| view.stub.as_str())
        }
        Kind::End | Kind::Open | Kind::Close => "",
    };
    if frame.snapshot.experiment(name).is_some() {
        address_of("/experiments", name)
    } else {
        form.kind.home().to_owned()
    }
}

/// The form of a silence for what cannot be acknowledged, because it has no problem.
fn silence(form: &Form<'_>) -> String {
    let name = match form.fields.get("what") {
        "" | "experiments" => form.fields.get("name"),
        _ => "",
    };
    let fields = [
        ("experiments", name),
        ("reason", form.fields.get("text")),
        (BACK, form.fields.get(BACK)),
    ];
    let filled: Vec<_> = fields
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    Kind::Silence.address(&filled)
}

fn fields(frame: &Frame<'_>, form: &Form<'_>) -> Markup {
    html! {
        form #order method="get" action=(form.kind.path()) data-preview {
            @match form.kind {
                Kind::Acknowledge => {
                    (choice(form, "what", "What do you acknowledge?", &WHATS))
                    (line(form, "name", "Which one?", "Its name, or for experiments a pattern such as pend*. Leave it empty for the whole laboratory.", false))
                    (line(form, "text", "What is done about it?", "For example: motor ordered, here on Friday.", true))
                    (until(form, "until it is ok again"))
                },
                Kind::Silence => {
                    (line(form, "experiments", "Which experiments?", "A name, or a pattern: * stands for any text, ? for one character.", true))
                    (line(form, "reason", "Why?", "Other maintainers read it beside the silence.", true))
                    (until(form, CHOOSE))
                },
                Kind::Maintenance => {
                    (line(form, "experiments", "Which experiments?", "A name, or a pattern: * stands for any text, ? for one character.", true))
                    (line(form, "reason", "Why?", "Other maintainers read it beside the experiments.", true))
                    (times(form))
                },
                Kind::Hold => {
                    (line(form, "resource", "Which resource of book?", "For example r-pend00.", true))
                    (line(form, "reason", "Why?", "Students read it. For example: the motor is being replaced, back on Friday.", true))
                },
                Kind::Open | Kind::Close => {
                    (line(form, "category", "Which category?", "", true))
                    (line(form, "reason", "Why?", "Other maintainers read it beside the category.", true))
                },
                Kind::Enable | Kind::End => {},
            }
            input type="hidden" name="check" value="1";
            input type="hidden" name=(BACK) value=(back(frame, form));
            p.confirm { button.main #check type="submit" { "Show what it does" } a #back href=(back(frame, form)) { "Back" } }
        }
    }
}

/// The end: a duration, or a time in the zone of the laboratory.
fn until(form: &Form<'_>, open: &str) -> Markup {
    let chosen = form.fields.get("for");
    html! {
        div.pair {
            div.field {
                label for="for" { "For how long?" @if open == CHOOSE { (mark()) } }
                select #for name="for" aria-describedby=[described(form, "for")] aria-invalid=[invalid(form, "for")] {
                    option value="" { (open) }
                    @for (value, words) in LENGTHS { option value=(value) selected[value == chosen] { (words) } }
                }
            }
            (time(form, "until", "Or until when?", false))
        }
    }
}

/// The time of maintenance: once, or every week.
fn times(form: &Form<'_>) -> Markup {
    let weekly = form.fields.get("when") == "weekly";
    let zone = zone(form);
    html! {
        fieldset {
            legend { input #once type="radio" name="when" value="once" checked[!weekly]; label for="once" { "Once" } }
            div.pair { (time(form, "from", "From when? Empty: from now on", false)) (time(form, "until", "Until when?", true)) }
        }
        fieldset {
            legend { input #weekly type="radio" name="when" value="weekly" checked[weekly]; label for="weekly" { "Every week, by the clocks of " (zone) } }
            div.days {
                @for (day, name) in DAYS {
                    span {
                        input type="checkbox" name="day" id={ "day-" (day.as_str()) } value=(day.as_str()) checked[form.fields.all("day").any(|of| of == day.as_str())];
                        label for={ "day-" (day.as_str()) } { (name) }
                    }
                }
            }
            div.pair {
                div.field {
                    label for="starts" { "Starts at which time of day? (" (zone) ")" (mark()) }
                    input #starts type="time" name="starts" value=(form.fields.get("starts")) aria-describedby=[described(form, "starts")] aria-invalid=[invalid(form, "starts")];
                }
                div.field {
                    label for="lasts" { "How long does it last?" (mark()) }
                    input #lasts name="lasts" value=(form.fields.get("lasts")) placeholder="2h" autocomplete="off" aria-describedby=(if invalid(form, "lasts").is_some() { "problem lasts-hint" } else { "lasts-hint" }) aria-invalid=[invalid(form, "lasts")];
                    p.hint #lasts-hint { "For example 2h, 90m or 1h30m." }
                }
            }
        }
    }
}

/// Marks a field that must be filled in.
fn mark() -> Markup {
    html! { " " span.required { "required" } }
}

fn line(form: &Form<'_>, name: &'static str, label: &str, hint: &str, required: bool) -> Markup {
    let hints = format!("{name}-hint");
    let described = [
        (!hint.is_empty()).then_some(hints.as_str()),
        described(form, name),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ");
    html! {
        div.field {
            label for=(name) { (label) @if required { (mark()) } }
            input id=(name) name=(name) value=(form.fields.get(name)) required[required] maxlength="500" autocomplete="off"
                aria-describedby=[(!described.is_empty()).then_some(described)] aria-invalid=[invalid(form, name)];
            @if !hint.is_empty() { p.hint id=(hints) { (hint) } }
        }
    }
}

fn choice(form: &Form<'_>, name: &'static str, label: &str, options: &[(&str, &str)]) -> Markup {
    let chosen = form.fields.get(name);
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) { @for (value, words) in options { option value=(value) selected[*value == chosen] { (words) } } }
        }
    }
}

/// A date and a time in the zone of the laboratory, in the browser's own field for it.
fn time(form: &Form<'_>, name: &'static str, label: &str, required: bool) -> Markup {
    let text = form.fields.get(name);
    let local = text.parse::<Timestamp>().map(|moment| {
        form.zone
            .to_datetime(moment)
            .strftime("%Y-%m-%dT%H:%M")
            .to_string()
    });
    html! {
        div.field {
            label for=(name) { (label) " (" (zone(form)) ")" @if required { (mark()) } }
            input id=(name) type="datetime-local" name=(name) value=(local.unwrap_or_else(|_| text.to_owned()))
                aria-describedby=[described(form, name)] aria-invalid=[invalid(form, name)];
        }
    }
}

fn zone<'a>(form: &Form<'a>) -> &'a str {
    form.zone
        .iana_name()
        .filter(|name| *name != "Etc/UTC")
        .unwrap_or("UTC")
}

/// The id of the error text of a field, if it has an error.
fn described(form: &Form<'_>, field: &str) -> Option<&'static str> {
    invalid(form, field).map(|_| "problem")
}

fn invalid(form: &Form<'_>, field: &str) -> Option<&'static str> {
    matches!(&form.outcome, Outcome::Wrong(problem) if problem.field == field).then_some("true")
}
