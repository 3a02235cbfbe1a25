//! The common frame of the pages: head, navigation, faults of labwatch itself, and the legend.

use jiff::{SignedDuration, Timestamp};
use maud::{DOCTYPE, Markup, html};

use super::shapes::{shape, sprite};
use super::state::{STATES, State, meaning};
use super::{assets, view, words};
use crate::cluster::View;
use crate::http::Categories;
use crate::http::auth::{Caller, Scope};
use crate::store::{StoreHealth, StoreState};
use engine::model::{SourceHealth, SourceName, Visibility};
use engine::{Channel, HttpChannel, Role, RouteView, Snapshot, SourceView};

/// The entries of the navigation.
const PLACES: [(&str, &str); 9] = [
    ("/", "Overview"),
    ("/experiments", "Experiments"),
    ("/pools", "Pools"),
    ("/timeline", "Timeline"),
    ("/sources", "Sources"),
    ("/holds", "Holds"),
    ("/outbox", "Outbox"),
    ("/reports", "Reports"),
    ("/lab", "Students"),
];

/// A snapshot older than this means that labwatch itself has stopped: it takes one at least this
/// often.
const STANDS_STILL: SignedDuration = SignedDuration::from_mins(10);

/// The keyboard shortcuts and their effects.
const KEYS: [(&str, &str); 5] = [
    ("/", "go to the search"),
    ("j, k", "go to the next or the previous row"),
    ("Enter", "open the row"),
    ("g", "go to the overview"),
    ("?", "show this"),
];

/// The label of an installation without a name of its own.
const UNNAMED: &str = "lab";

/// The class of a page that is not refreshed while it is open.
const STILL: &str = "still";

/// The class of a page for students. Many have it open, and may not be allowed to listen: it polls.
const PLAIN: &str = "plain";

/// The data common to all pages of one request.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    /// The newest snapshot.
    pub(super) snapshot: &'a Snapshot,
    /// The name of the installation.
    pub(super) label: &'a str,
    /// The state of the store; `None` when there is none.
    pub(super) store: Option<&'a StoreHealth>,
    /// The replicas; `None` when there is only this one.
    pub(super) cluster: Option<&'a View>,
    /// The reader's choice of a theme, if any.
    pub(super) theme: Option<&'static str>,
    /// The address of the event stream, if there is one.
    pub(super) stream: Option<&'a str>,
    /// The status of the categories, if there are any.
    pub(super) categories: Option<&'a Categories>,
    pub(super) caller: &'a Caller,
    /// Whether the reader may see users' names and addresses.
    pub(super) private: bool,
    /// What the reader may see.
    pub(super) visibility: Visibility,
    /// Whether commands are accepted.
    pub(super) takes_orders: bool,
    /// Whether the reader may give commands, and they are accepted.
    pub(super) acts: bool,
    /// How many experiments need attention.
    pub(super) problems: usize,
    /// The current time.
    pub(super) now: Timestamp,
}

/// A page for admins.
pub(super) fn page(frame: &Frame<'_>, place: &str, title: &str, content: &Markup) -> Markup {
    document(frame, title, "", &around(frame, place, content))
}

/// A page that is not refreshed: it has a form to fill in, or shows a past period.
pub(super) fn still(frame: &Frame<'_>, place: &str, title: &str, content: &Markup) -> Markup {
    document(frame, title, STILL, &around(frame, place, content))
}

fn around(frame: &Frame<'_>, place: &str, content: &Markup) -> Markup {
    html! {
        a.skip href="#main" { "Skip to the content" }
        (header(frame, place))
        main #main tabindex="-1" { (banners(frame)) (content) }
        (footer(frame))
    }
}

/// The overview for a wall display: nothing to click.
pub(super) fn wall(frame: &Frame<'_>, content: &Markup) -> Markup {
    document(
        frame,
        "",
        "wall",
        &html! {
            header { (live()) }
            main #main { (banners(frame)) (content) }
        },
    )
}

/// A page for students, on its own or embedded in another site.
pub(super) fn plain(frame: &Frame<'_>, title: &str, content: &Markup) -> Markup {
    document(
        frame,
        title,
        PLAIN,
        &html! {
            main #main { (content) }
            footer.foot { p {
                "As of " (words::time(frame.snapshot.at, frame.now)) "."
                // Only readers who signed in came from another page of ours.
                @if frame.private { " " a href="/" { "Back to the overview" } }
            } }
        },
    )
}

/// A page that shows nothing of the laboratory, for readers without access to it.
pub(super) fn bare(theme: Option<&'static str>, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " – Lab status" }
                link rel="icon" type="image/svg+xml" href=(assets::icon(State::Unknown));
                link rel="stylesheet" href=(assets::style());
            }
            body.bare {
                (sprite())
                header.top { a.brand href="/" { "Lab status" } }
                main #main { h1 { (title) } (content) }
            }
        }
    }
}

fn document(frame: &Frame<'_>, title: &str, class: &str, body: &Markup) -> Markup {
    let problems = if class == PLAIN { 0 } else { frame.problems };
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[frame.theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title {
                    @if problems > 0 { "(" (problems) ") " }
                    @if !title.is_empty() { (title) " – " }
                    (name(frame.label))
                }
                link rel="icon" type="image/svg+xml" href=(assets::icon(view::worst(frame.snapshot)));
                link rel="stylesheet" href=(assets::style());
                script type="module" src=(assets::script()) {}
                @if class == "wall" { noscript { meta http-equiv="refresh" content="30"; } }
            }
            body class=(class) data-stream=[frame.stream.filter(|_| ![STILL, PLAIN].contains(&class))] {
                (sprite())
                div.lost #lost role="status" data-keep hidden {}
                (body)
            }
        }
    }
}

/// The title of every page. An installation without a name is the only one.
fn name(label: &str) -> String {
    if label == UNNAMED {
        "Lab status".to_owned()
    } else {
        format!("{label} status")
    }
}

fn header(frame: &Frame<'_>, place: &str) -> Markup {
    html! {
        header.top {
            a.brand href="/" { (name(frame.label)) }
            (places(place))
            // A phone has no room for all of them in a row. Only one of the two is shown at a time.
            details.menu { summary { "Menu" } (places(place)) }
            div.tools {
                (live())
                button.theme #theme type="button" data-keep hidden { "Dark" }
                (who(frame.caller))
            }
        }
    }
}

fn places(place: &str) -> Markup {
    html! {
        nav aria-label="Pages" {
            @for (address, name) in PLACES {
                a href=(address) aria-current=[(address == place).then_some("page")] { (name) }
            }
        }
    }
}

/// The user who is signed in, and the link to sign out; or that to sign in.
fn who(caller: &Caller) -> Markup {
    html! {
        @if let (Some(pass), Some(csrf)) = (caller.pass(), caller.csrf()) {
            form.who method="post" action="/logout" {
                span title={ "May " (pass.scopes.words().collect::<Vec<_>>().join(", ")) } {
                    (words::clip(&pass.name)) @if caller.may(Scope::Admin) { span.soft { " (admin)" } }
                }
                input type="hidden" name="csrf" value=(csrf);
                button.theme #sign-out type="submit" { "Sign out" }
            }
        } @else { a.who #sign-in href="/login" { "Sign in" } }
    }
}

/// The age of the page. Without a script it is as old as the footer says.
fn live() -> Markup {
    html! { span.live #live data-keep hidden {} }
}

/// Faults of labwatch itself or of its sources.
fn banners(frame: &Frame<'_>) -> Markup {
    let snapshot = frame.snapshot;
    let since = |moment| words::since(moment, frame.now);
    html! {
        @if frame.now.duration_since(snapshot.at) > STANDS_STILL {
            (banner("down", &html! { "labwatch has stopped evaluating " (since(snapshot.at)) ": what you see is from then. Look at its log and restart it." }))
        }
        @if let Some(blind) = snapshot.blind {
            (banner("down", &html! { "labwatch gets no reports from any source " (since(blind)) ": its own network has probably failed. Nothing is evaluated and nothing is switched." }))
        } @else {
            @for source in &snapshot.sources {
                @match source.health {
                    SourceHealth::Down => (banner("down", &html! {
                        strong { (source.name) } " is down " (since(source.since)) ". " (words::sentence(source.said.show(frame.visibility).unwrap_or(&source.note))) " "
                        @if source.hides > 0 { (hidden(source)) }
                        a href="/sources" { "Sources" }
                    })),
                    SourceHealth::Late => (banner("degraded", &html! {
                        strong { (source.name) } " is late " (since(source.since)) ". " (words::sentence(source.said.show(frame.visibility).unwrap_or(&source.note))) " " a href="/sources" { "Sources" }
                    })),
                    SourceHealth::Starting | SourceHealth::Live => {},
                }
            }
        }
        @if let Some(lost) = snapshot.manifest_lost {
            (banner("degraded", &html! { strong { "book" } " has an empty manifest " (since(lost)) ": what was known is kept, nothing is switched. Upload the manifest." }))
        }
        @for route in &snapshot.routes { (route_banner(frame, route)) }
        @if let Some(store) = frame.store.filter(|store| store.state == StoreState::Degraded) {
            (banner("degraded", &html! {
                strong { "The store" } " cannot be written " (since(store.since)) ". labwatch goes on, but the history has a gap. "
                @if let Some(error) = store.last_error.as_ref().filter(|_| frame.private) { (words::sentence(error)) }
            }))
        }
        @if snapshot.is_shadow {
            (banner("unknown", &html! { "This labwatch runs in shadow: it records each switch and notification and carries none out. What book shows here is what labwatch would have set." }))
        }
        @if snapshot.role == Role::Follower { (follower_banner(frame.cluster)) }
    }
}

fn follower_banner(cluster: Option<&View>) -> Markup {
    if cluster.is_some_and(|cluster| cluster.leader.is_none()) {
        return banner(
            "down",
            &html! { strong { "No replica leads" } ": nothing is switched and nothing is notified until one does." },
        );
    }
    banner(
        "unknown",
        &html! { "This labwatch is a follower. The leader switches and notifies." },
    )
}

/// What cannot be known while a source is down. Health depends on the reports of relay alone.
fn hidden(source: &SourceView) -> Markup {
    let those = words::count(source.hides, "experiment");
    html! {
        @if source.name == SourceName::Jump { "Meanwhile the jump connections of " (those) " are not known. " }
        @else { (those) @if source.hides == 1 { " is" } @else { " are" } " not evaluated meanwhile. " }
    }
}

fn route_banner(frame: &Frame<'_>, route: &RouteView) -> Markup {
    let Some(fault) = route.fault.as_ref().filter(|_| route.failures > 0) else {
        return html! {};
    };
    banner(
        "down",
        &html! {
            strong { (undelivered(route.channel)) }
            " (" (words::clip(route.name.as_str())) ")"
            @if let Some(waiting) = route.waiting_since { ": a notification waits " (words::since(waiting, frame.now)) }
            ". " @if frame.private { (words::sentence(&fault.words(frame.visibility))) } @else { "Sign in to read why." }
            " Tried " (words::count(route.failures as usize, "time")) " in a row. " a href="/outbox" { "Outbox" }
        },
    )
}

/// The text for a route whose notifications are not delivered, by its channel.
fn undelivered(channel: Channel) -> &'static str {
    match channel {
        Channel::Mail => "Mail cannot be sent",
        Channel::Http(HttpChannel::Webhook) => "A webhook cannot be called",
        Channel::Http(HttpChannel::Alertmanager) => "Alertmanager does not take alerts",
        Channel::Http(HttpChannel::Slack) => "The chat (slack) takes no message",
        Channel::Http(HttpChannel::Teams) => "Teams takes no message",
        Channel::Http(HttpChannel::Matrix) => "Matrix takes no message",
        Channel::Http(HttpChannel::Ntfy) => "ntfy takes no message",
    }
}

fn banner(kind: &str, content: &Markup) -> Markup {
    html! { div class={ "banner is-" (kind) } { (shape(kind)) p { (content) } } }
}

fn footer(frame: &Frame<'_>) -> Markup {
    html! {
        footer.foot {
            p {
                "As of " (words::time(frame.snapshot.at, frame.now)) ". Running " (words::since(frame.snapshot.started, frame.now)) ". "
                "labwatch " (env!("CARGO_PKG_VERSION")) ". " noscript { "Without a script this page is renewed only when you load it again. " }
                a href="/?wall" { "For the wall" } " · " a href="/api/v1/experiments" { "JSON" }
            }
            details #help data-keep {
                summary { "Words, shapes and keys" }
                dl {
                    @for state in STATES.into_iter().rev() {
                        dt { (super::components::state(state)) }
                        dd { (meaning(state)) }
                    }
                    dt { span.clash { (shape("clash")) "mismatch" } }
                    dd { "Health and availability do not fit together: it works and cannot be booked, or it is down and can be." }
                }
                p { @for (key, does) in KEYS { kbd { (key) } " " (does) ". " } }
            }
        }
    }
}
