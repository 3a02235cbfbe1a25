//! The replicas of this labwatch: which of them leads, and how old that information is.

use engine::Role;
use jiff::Timestamp;
use maud::{Markup, html};

use super::components;
use super::words::{self, clip};
use crate::cluster::{Etcd, View};
use engine::model::format_duration;

pub(super) fn section(view: &View, now: Timestamp) -> Markup {
    let this = &view.this;
    html! {
        section #part-replicas aria-labelledby="replicas" {
            h2 #replicas { "Replicas" }
            p {
                (etcd(view)) " " (clip(&this.name)) " shows this page and " (role(view)) " " (words::since(view.since, now)) ". "
                @match view.last_answer {
                    Some(received) => { "What it shows of the others is as of " (words::ago_or_never(Some(received), now)) ". " },
                    None => "It has had no answer of etcd yet. ",
                }
                @if view.replicas.len() > 1 { "When the leader dies, another one takes over after " (format_duration(view.lease)) "." }
                @else { "No other replica would take over." }
            }
            (components::rows_or_none("No replica leads.", "Replicas, the leader first", ["Replica", "Does", "Version"], rows(view)))
        }
    }
}

fn etcd(view: &View) -> Markup {
    match &view.etcd {
        Etcd::Ok => components::marked("ok", "etcd is ok."),
        Etcd::Connecting => components::marked("unknown", "etcd was not reached yet."),
        Etcd::Fault { what, .. } => components::marked("down", format!("{what}.")),
    }
}

fn role(view: &View) -> &'static str {
    match view.role {
        Role::Leader if view.acts_alone => "acts alone",
        Role::Leader => "leads",
        Role::Follower => "follows",
    }
}

fn rows(view: &View) -> impl Iterator<Item = [Markup; 3]> {
    let leads = |at: usize| {
        if at == 0 && view.leader.is_some() {
            "leads"
        } else {
            "follows"
        }
    };
    view.replicas.iter().enumerate().map(move |(at, replica)| {
        [
            html! { (clip(&replica.name)) },
            html! { (leads(at)) },
            html! { (clip(&replica.version)) },
        ]
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::Peer;

    #[test]
    fn who_leads_and_as_of_when_is_said_without_an_address() {
        let now: Timestamp = "2026-11-30T12:00:10Z".parse().expect("a time");
        let received = "2026-11-30T12:00:08Z".parse().expect("a time");
        let peer = |name: &str| Peer {
            name: name.to_owned(),
            url: format!("http://{name}.example.org:3007"),
            version: "0.1.0".to_owned(),
        };
        let lease = Duration::from_secs(10);
        let mut view = View {
            leader: Some(peer("first")),
            replicas: vec![peer("first"), peer("second")],
            etcd: Etcd::Ok,
            last_answer: Some(received),
            ..View::connecting(peer("second"), lease, received)
        };
        let page = section(&view, now).into_string();
        for said in [
            "etcd is ok",
            "second shows this page and follows",
            "takes over after 10s",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
        assert!(
            page.find("first").is_some() && !page.contains("example.org"),
            "{page}"
        );
        assert!(page.contains("leads"), "{page}");
        view.leader = None;
        let page = section(&view, now).into_string();
        assert!(!page.contains("leads"), "{page}");
        view.replicas.clear();
        view.etcd = Etcd::Fault {
            what: "etcd cannot be reached",
            detail: "http://etcd.example.org".to_owned(),
        };
        let page = section(&view, now).into_string();
        assert!(page.contains("etcd cannot be reached") && page.contains("No replica leads"));
        assert!(!page.contains("example.org"), "{page}");
    }
}
