//! `/__health` as a page: a heading with the verdict, one row for each experiment, component and
//! outside service, no script.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Query;
use super::answer::{Answer, Reader, Refused};
use super::ft::{last_change, output, panic_guide};
use super::rated::RatedCategories;
use crate::health::category_index::CategoryIndex;
use crate::health::category_member::{CategoryMember, What, last_update};
use crate::health::snapshot::HealthSnapshot;
use crate::health::state::State;
use engine::model::Bookable;

const HTML: &str = "text/html; charset=utf-8";

/// Nothing but the page's own style is loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The colours of the other pages, in light and dark, as far as a table needs them.
const STYLE: &str = ":root{--paper:#f5f6f8;--card:#fff;--line:#d8dde3;--ink:#14181d;--soft:#535d68;--link:#0b57a8;--ok:#155ca8;--warning:#805200;\
--critical:#a82f00;--wash:#fdebe3;color-scheme:light dark}\
@media(prefers-color-scheme:dark){:root{--paper:#0e1217;--card:#161b22;--line:#2b323b;--ink:#e8ebee;--soft:#a4afbb;--link:#8abeff;--ok:#8abeff;\
--warning:#f2bd4a;--critical:#ff9b73;--wash:#361b10}}\
html{font:15px/1.45 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"Liberation Sans\",\"DejaVu Sans\",sans-serif;\
font-variant-numeric:tabular-nums;background:var(--paper);color:var(--ink)}\
body{max-width:92rem;margin:0 auto;padding:0 1.25rem 1.5rem}nav{padding:.7rem 0}nav a{font-weight:700;color:inherit;text-decoration:none}\
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0}a{color:var(--link)}p{overflow-wrap:anywhere}\
div{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:7px}table{width:100%;border-collapse:collapse}\
td,th{padding:.5rem .8rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}tr:first-child>th{border-top:0}\
th{font-size:.87rem;color:var(--soft)}td:first-child{font-weight:650}td.time{white-space:nowrap}.ok{color:var(--ok)}.warning{color:var(--warning)}\
.critical{color:var(--critical)}.acked,.soft{color:var(--soft)}\
.banner{background:var(--wash);border:1px solid var(--critical);border-radius:7px;padding:.65rem .9rem}";

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

/// The page. Its status is always 200, as that of the JSON.
///
/// # Errors
/// [`Refused::Senseless`]: none of the categories exists.
pub fn health_page(
    health: &HealthSnapshot,
    query: &Query,
    reader: Reader,
) -> Result<Answer, Refused> {
    let category_index = CategoryIndex::of(health);
    let rated = RatedCategories::of(health, &category_index, query)?;
    let headers = vec![("vary", "accept"), ("content-security-policy", POLICY)];
    Ok(Answer {
        status: 200,
        content_type: Some(HTML),
        body: page(&rated, reader).into_string().into_bytes(),
        headers,
    })
}

fn page(rated: &RatedCategories<'_>, reader: Reader) -> Markup {
    let label = &rated.health.settings.label;
    let (class, words) = verdict(rated);
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta name="viewport" content="width=device-width"; title { (label) " health" } style { (PreEscaped(STYLE)) } }
            body {
                nav { a href="./" { "Lab status" } }
                h1 { span { (label) ": " (names(rated, ", ")) } " " span class=(class) { (words) } (acknowledged(rated, reader)) }
                @for name in &rated.closed {
                    p.banner { "Category " (name) " is disabled: " (rated.why_closed(name, reader)) }
                }
                p.soft { (rated.description(reader)) }
                (links(rated, reader))
                div {
                    table {
                        tr { @for column in COLUMNS { th { (column) } } }
                        @for member in &rated.members { (row(member, rated, reader)) }
                    }
                }
            }
        }
    }
}

fn names(rated: &RatedCategories<'_>, between: &str) -> String {
    let names = rated.categories.iter().map(|rules| rules.name.as_str());
    names.collect::<Vec<_>>().join(between)
}

fn verdict(rated: &RatedCategories<'_>) -> (&'static str, &'static str) {
    match (rated.is_good(), rated.verdict.severity) {
        (true, _) => ("ok", "healthy"),
        (false, 1) => ("critical", "CRITICAL"),
        (false, _) => ("warning", "unhealthy"),
    }
}

fn acknowledged(rated: &RatedCategories<'_>, reader: Reader) -> Markup {
    let members = rated.members.iter();
    let count = members.filter(|member| member.ack.is_some()).count();
    html! {
        @if count > 0 { " " span.acked { "(" (count) " acked)" } }
        @if let Some(ack) = rated.health.acks.installation(rated.health.at) {
            " " span.acked { "(Installation is acked: " (ack.words(reader.sees_private())) ")" }
        }
    }
}

/// The links keep the categories.
fn links(rated: &RatedCategories<'_>, reader: Reader) -> Markup {
    let filter: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("categories", &names(rated, ","))
        .finish();
    let acks = &rated.health.acks;
    let may_acknowledge =
        reader == Reader::Maintainer && acks.installation(rated.health.at).is_none();
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

fn row<'a>(member: &'a CategoryMember<'a>, rated: &RatedCategories<'a>, reader: Reader) -> Markup {
    let health = rated.health;
    let address = match member.what {
        What::Component(_) => format!("status/{}", member.name),
        What::Experiment(_) => format!("experiments/{}", in_path(member.name)),
    };
    let (class, words) = shown_health(member);
    let updated = last_update(member, health).map_or_else(|| "never".to_owned(), time);
    let changed = time(last_change(member));
    html! {
        tr {
            td { a href=(address) { (member.name) } }
            td class=(class) { (words) }
            td { (output(member, health)) }
            td.time { (changed) }
            td.time { (updated) }
            td.acked { @if let Some(ack) = member.ack { (ack.words(reader.sees_private())) } }
            td {
                @for (at, (address, words)) in more(member, rated, reader).into_iter().enumerate() {
                    @if at > 0 { " \u{b7} " }
                    a href=(address) { (words) }
                }
            }
        }
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Where a row leads: to the runbook, and for a maintainer to the forms.
fn more<'a>(
    member: &'a CategoryMember<'a>,
    rated: &RatedCategories<'a>,
    reader: Reader,
) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let guide = panic_guide(member, rated.category_index);
    if is_address(guide) {
        links.push((guide.to_owned(), "runbook".to_owned()));
    }
    if reader == Reader::Maintainer {
        links.extend(forms(member));
    }
    links
}

/// Whether a guide is a web address: an outside service may report any text, or a harmful link.
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

/// The address of a page's form with these fields filled in.
fn form(order: &str, fields: &[(&str, &str)]) -> String {
    let filled = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    format!("do/{order}?{filled}")
}

fn shown_health(member: &CategoryMember<'_>) -> (&'static str, &'static str) {
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
