//! `/__health` for people: one heading that says how it is, one row for each experiment and component, no script.

use std::fmt::Write as _;

use super::ft::{Judged, last_change, output};
use super::{Answer, Query, Refused};
use crate::health::category_index::{CategoryIndex, CategoryMember, What, last_update};
use crate::health::snapshot::Picture;
use crate::health::state::State;
use engine::model::Bookable;

const HTML: &str = "text/html; charset=utf-8";

/// Nothing but the page's own style is loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;\
border-bottom:1px solid #ccc}.ok{color:#070}.warning{color:#b60}.critical{color:#b00}.acked{color:#00a}.banner{background:#b00;color:#fff;padding:.5em}";

/// Who reads the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Somebody who looks.
    Anybody,
    /// Somebody who may change something: the page leads to the forms for it.
    Maintainer,
}

/// The page. 200 whether good or bad, as its JSON.
///
/// # Errors
/// [`Refused::Senseless`]: none of the categories exists.
pub fn health_page(picture: &Picture, query: &Query, reader: Reader) -> Result<Answer, Refused> {
    let category_index = CategoryIndex::of(picture);
    let judged = Judged::of(picture, &category_index, query)?;
    let mut page = String::new();
    // Writing to a text cannot fail.
    let _ = write_page(&mut page, &judged, reader);
    let headers = vec![("vary", "accept"), ("content-security-policy", POLICY)];
    Ok(Answer {
        status: 200,
        content_type: Some(HTML),
        body: page.into_bytes(),
        headers,
    })
}

fn write_page(page: &mut String, judged: &Judged<'_>, reader: Reader) -> std::fmt::Result {
    let label = escaped(&judged.picture.settings.label);
    let names = judged
        .categories
        .iter()
        .map(|category| escaped(&category.name))
        .collect::<Vec<_>>()
        .join(", ");
    let (class, as_str) = verdict(judged);
    writeln!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{label} health</title><style>{STYLE}</style></head>"
    )?;
    writeln!(
        page,
        "<body>\n<h1><span>{label}: {names}</span> <span class=\"{class}\">{as_str}</span>{}</h1>",
        acked(judged)
    )?;
    for (name, why) in &judged.closed {
        writeln!(
            page,
            "<p class=\"banner\">Category {} is disabled: {}</p>",
            escaped(name),
            escaped(why)
        )?;
    }
    writeln!(page, "<p>{}</p>", escaped(&judged.description()))?;
    write_links(page, judged, reader)?;
    writeln!(
        page,
        "<table>\n<tr><th>name</th><th>health</th><th>output</th><th>last change</th><th>last update</th><th>acknowledged</th><th>more</th></tr>"
    )?;
    for member in &judged.members {
        write_row(page, member, judged, reader)?;
    }
    writeln!(page, "</table>\n</body>\n</html>")
}

fn verdict(judged: &Judged<'_>) -> (&'static str, &'static str) {
    match (judged.is_good(), judged.verdict.severity) {
        (true, _) => ("ok", "healthy"),
        (false, 1) => ("critical", "CRITICAL"),
        (false, _) => ("warning", "unhealthy"),
    }
}

fn acked(judged: &Judged<'_>) -> String {
    let count = judged
        .members
        .iter()
        .filter(|member| member.ack.is_some())
        .count();
    let members = if count == 0 {
        String::new()
    } else {
        format!(" <span class=\"acked\">({count} acked)</span>")
    };
    let installation = judged.picture.acks.installation(judged.picture.at);
    let installation = installation.map(|ack| {
        format!(
            " <span class=\"acked\">(Installation is acked: {})</span>",
            escaped(&ack.words())
        )
    });
    members + &installation.unwrap_or_default()
}

/// The links keep the categories.
fn write_links(page: &mut String, judged: &Judged<'_>, reader: Reader) -> std::fmt::Result {
    let names = judged
        .categories
        .iter()
        .map(|category| category.name.as_str())
        .collect::<Vec<_>>()
        .join(",");
    let filter: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("categories", &names)
        .finish();
    let filter = escaped(&filter);
    write!(
        page,
        "<p><a href=\"?{filter}\">refresh from cache</a> \u{b7} <a href=\"?{filter}&amp;cache=false\">refresh without cache</a>"
    )?;
    if reader == Reader::Maintainer
        && judged
            .picture
            .acks
            .installation(judged.picture.at)
            .is_none()
    {
        write!(
            page,
            " \u{b7} {}",
            link(
                &form("acknowledge", &[("what", "installation")]),
                "acknowledge the installation"
            )
        )?;
    }
    writeln!(page, "</p>")
}

fn write_row(
    page: &mut String,
    member: &CategoryMember<'_>,
    judged: &Judged<'_>,
    reader: Reader,
) -> std::fmt::Result {
    let picture = judged.picture;
    let href = match member.what {
        What::Component(_) => format!("status/{}", member.name),
        What::Experiment(_) => format!("experiments/{}", in_path(member.name)),
    };
    let (class, as_str) = health(member);
    let ack = member
        .ack
        .map(|ack| escaped(&ack.words()))
        .unwrap_or_default();
    let updated =
        last_update(member, picture).map_or_else(|| "never".to_owned(), |at| format!("{at:.0}"));
    writeln!(
        page,
        "<tr><td>{}</td><td class=\"{class}\">{as_str}</td><td>{}</td><td>{:.0}</td><td>{updated}</td><td class=\"acked\">{ack}</td><td>{}</td></tr>",
        link(&href, member.name),
        escaped(&output(member, picture)),
        last_change(member),
        more(member, judged, reader),
    )
}

/// Where to go on from a row: the runbook, and for a maintainer the forms.
fn more(member: &CategoryMember<'_>, judged: &Judged<'_>, reader: Reader) -> String {
    let mut links = Vec::new();
    let guide = judged.category_index.panic_guide(member);
    if !guide.is_empty() {
        links.push(link(guide, "runbook"));
    }
    if reader == Reader::Maintainer {
        links.extend(forms(member));
    }
    links.join(" \u{b7} ")
}

fn forms(member: &CategoryMember<'_>) -> Vec<String> {
    let mut links = Vec::new();
    if member.state != State::Ok && member.ack.is_none() {
        let what = if member.is_component() {
            "component"
        } else {
            "experiments"
        };
        links.push(link(
            &form("acknowledge", &[("what", what), ("name", member.name)]),
            "acknowledge",
        ));
    }
    if let What::Experiment(view) = member.what {
        let held = view
            .resources
            .iter()
            .filter(|resource| resource.bookable == Some(Bookable::Held));
        links.extend(held.map(|resource| {
            let name = resource.name.as_str();
            link(
                &form("enable", &[("resource", name)]),
                &format!("enable {name}"),
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

fn link(address: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escaped(address), escaped(text))
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

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
