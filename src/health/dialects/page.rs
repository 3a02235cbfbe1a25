//! `/__health` for people: one heading that says how it is, one row for each experiment, component and outside service, no script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Query;
use super::answer::{Answer, Reader, Refused};
use super::ft::{last_change, output, panic_guide};
use super::judged::Judged;
use crate::health::category_index::CategoryIndex;
use crate::health::category_member::{CategoryMember, What, last_update};
use crate::health::snapshot::Picture;
use crate::health::state::State;
use engine::model::Bookable;

const HTML: &str = "text/html; charset=utf-8";

/// Nothing but the page's own style is loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;\
border-bottom:1px solid #ccc}.ok{color:#070}.warning{color:#b60}.critical{color:#b00}.acked{color:#00a}.banner{background:#b00;color:#fff;padding:.5em}";

/// The columns of the table.
const COLUMNS: [&str; 7] = [
    "name",
    "health",
    "output",
    "last change",
    "last update",
    "acknowledged",
    "more",
];

/// The page. 200 whether good or bad, as its JSON.
///
/// # Errors
/// [`Refused::Senseless`]: none of the categories exists.
pub fn health_page(picture: &Picture, query: &Query, reader: Reader) -> Result<Answer, Refused> {
    let category_index = CategoryIndex::of(picture);
    let judged = Judged::of(picture, &category_index, query)?;
    let headers = vec![("vary", "accept"), ("content-security-policy", POLICY)];
    Ok(Answer {
        status: 200,
        content_type: Some(HTML),
        body: page(&judged, reader).into_string().into_bytes(),
        headers,
    })
}

fn page(judged: &Judged<'_>, reader: Reader) -> Markup {
    let label = &judged.picture.settings.label;
    let (class, words) = verdict(judged);
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (label) " health" } style { (PreEscaped(STYLE)) } }
            body {
                h1 { span { (label) ": " (names(judged, ", ")) } " " span class=(class) { (words) } (acknowledged(judged, reader)) }
                @for name in &judged.closed {
                    p.banner { "Category " (name) " is disabled: " (judged.why_closed(name, reader)) }
                }
                p { (judged.description(reader)) }
                (links(judged, reader))
                table {
                    tr { @for column in COLUMNS { th { (column) } } }
                    @for member in &judged.members { (row(member, judged, reader)) }
                }
            }
        }
    }
}

fn names(judged: &Judged<'_>, between: &str) -> String {
    let names = judged.categories.iter().map(|rules| rules.name.as_str());
    names.collect::<Vec<_>>().join(between)
}

fn verdict(judged: &Judged<'_>) -> (&'static str, &'static str) {
    match (judged.is_good(), judged.verdict.severity) {
        (true, _) => ("ok", "healthy"),
        (false, 1) => ("critical", "CRITICAL"),
        (false, _) => ("warning", "unhealthy"),
    }
}

fn acknowledged(judged: &Judged<'_>, reader: Reader) -> Markup {
    let members = judged.members.iter();
    let count = members.filter(|member| member.ack.is_some()).count();
    html! {
        @if count > 0 { " " span.acked { "(" (count) " acked)" } }
        @if let Some(ack) = judged.picture.acks.installation(judged.picture.at) {
            " " span.acked { "(Installation is acked: " (ack.words(reader.sees_names())) ")" }
        }
    }
}

/// The links keep the categories.
fn links(judged: &Judged<'_>, reader: Reader) -> Markup {
    let filter: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("categories", &names(judged, ","))
        .finish();
    let acks = &judged.picture.acks;
    let may_acknowledge =
        reader == Reader::Maintainer && acks.installation(judged.picture.at).is_none();
    html! {
        p {
            a href={ "?" (filter) } { "refresh from cache" } " \u{b7} "
            a href={ "?" (filter) "&cache=false" } { "refresh without cache" }
            @if may_acknowledge {
                " \u{b7} " a href=(form("acknowledge", &[("what", "installation")])) { "acknowledge the installation" }
            }
        }
    }
}

fn row<'a>(member: &'a CategoryMember<'a>, judged: &Judged<'a>, reader: Reader) -> Markup {
    let picture = judged.picture;
    let address = match member.what {
        What::Component(_) => format!("status/{}", member.name),
        What::Experiment(_) => format!("experiments/{}", in_path(member.name)),
    };
    let (class, words) = health(member);
    let updated =
        last_update(member, picture).map_or_else(|| "never".to_owned(), |at| format!("{at:.0}"));
    let changed = format!("{:.0}", last_change(member));
    html! {
        tr {
            td { a href=(address) { (member.name) } }
            td class=(class) { (words) }
            td { (output(member, picture)) }
            td { (changed) }
            td { (updated) }
            td.acked { @if let Some(ack) = member.ack { (ack.words(reader.sees_names())) } }
            td {
                @for (at, (address, words)) in more(member, judged, reader).into_iter().enumerate() {
                    @if at > 0 { " \u{b7} " }
                    a href=(address) { (words) }
                }
            }
        }
    }
}

/// Where a row leads: to the runbook, and for a maintainer to the forms.
fn more<'a>(
    member: &'a CategoryMember<'a>,
    judged: &Judged<'a>,
    reader: Reader,
) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let guide = panic_guide(member, judged.category_index);
    if is_address(guide) {
        links.push((guide.to_owned(), "runbook".to_owned()));
    }
    if reader == Reader::Maintainer {
        links.extend(forms(member));
    }
    links
}

/// Whether a guide is an address: what an outside service gives may be a text, or lead somewhere harmful.
fn is_address(guide: &str) -> bool {
    url::Url::parse(guide).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn forms(member: &CategoryMember<'_>) -> Vec<(String, String)> {
    let mut links = Vec::new();
    if member.state != State::Ok && member.ack.is_none() {
        let what = if member.is_component() {
            "component"
        } else {
            "experiments"
        };
        links.push((
            form("acknowledge", &[("what", what), ("name", member.name)]),
            "acknowledge".to_owned(),
        ));
    }
    if let What::Experiment(view) = member.what {
        let held = view
            .resources
            .iter()
            .filter(|resource| resource.bookable == Some(Bookable::Held));
        links.extend(held.map(|resource| {
            let name = resource.name.as_str();
            (
                form("enable", &[("resource", name)]),
                format!("enable {name}"),
            )
        }));
    }
    links
}

/// The address of a form of the page with these fields filled in.
fn form(order: &str, fields: &[(&str, &str)]) -> String {
    let filled = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    format!("do/{order}?{filled}")
}

fn health(member: &CategoryMember<'_>) -> (&'static str, &'static str) {
    if !member.counts && !member.is_component() {
        return ("acked", "WITHDRAWN");
    }
    match (member.state.is_ok(), member.ack.is_some(), member.severity) {
        (true, _, _) => ("ok", "OK"),
        (false, false, 1) => ("critical", "CRITICAL"),
        (false, false, _) => ("warning", "WARNING"),
        (false, true, 1) => ("acked", "CRITICAL ACKED"),
        (false, true, _) => ("acked", "WARNING ACKED"),
    }
}

/// A name as a part of a path.
fn in_path(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~');
    name.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
