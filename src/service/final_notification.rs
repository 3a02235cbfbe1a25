//! The one mail of a leader that has lost etcd, sent before its lease ends: see
//! `cluster::LastWord`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::html;
use tokio::time::Instant;

use super::cluster::Links;
use super::config_watch::ConfigWatch;
use super::task_set::TaskSet;
use super::{notifications, presentation};
use crate::cluster::{Conditions, Etcd, FinalNotification, View};
use crate::effects::mail::{Circular, Circulated};
use crate::effects::while_open;
use engine::DeliveryFault;

/// Starts the task that waits for this case, in a cluster that stops without etcd.
pub(super) fn start(links: Option<&Links>, config: &ConfigWatch, parts: &mut TaskSet) {
    let settings = config.borrow().cluster.clone();
    let Some((links, settings)) = links.cloned().zip(settings) else {
        return;
    };
    if settings.acts_alone {
        return;
    }
    let watching = watch(
        FinalNotification::new(settings.lease),
        links,
        config.clone(),
    );
    parts.spawn_until_stop("the last mail before a lease ends", Box::pin(watching));
}

async fn watch(mut notification: FinalNotification, links: Links, config: ConfigWatch) {
    loop {
        tokio::time::sleep(notification.check_every()).await;
        let view = links.view.borrow().clone();
        let conditions = Conditions {
            has_fault: matches!(view.etcd, Etcd::Fault { .. }),
            left: links.left(),
        };
        if notification.is_due(conditions, Instant::now()) {
            say(&links, &view, &config).await;
        }
    }
}

/// Sends the mail, as far as it gets before the lease ends.
async fn say(links: &Links, view: &View, config: &ConfigWatch) {
    let config = config.borrow().clone();
    let Ok(Some(mailer)) = notifications::mailer(&config) else {
        return;
    };
    let presentation = presentation(&config);
    let circular = circular(view, links.left(), &presentation.zone, Timestamp::now());
    let mailer = mailer.with_presentation(presentation);
    let reached = BTreeSet::new();
    let mailing = mailer.circulate(&circular, &reached);
    match while_open(Some(&links.window()), mailing).await {
        Some(Ok(Circulated { pending: None, .. })) => {
            tracing::info!("mailed the loss of etcd, before the lease ends");
        }
        Some(
            Ok(Circulated {
                pending: Some(fault),
                ..
            })
            | Err(DeliveryFault { fault, .. }),
        ) => tracing::warn!("cannot mail the loss of etcd to all recipients: {fault}"),
        None => tracing::warn!("the lease ended before the loss of etcd was mailed"),
    }
}

fn circular(view: &View, left: std::time::Duration, zone: &TimeZone, now: Timestamp) -> Circular {
    let what = match &view.etcd {
        Etcd::Fault { what, .. } => what,
        Etcd::Connecting | Etcd::Ok => "etcd does not answer",
    };
    let clock = |at: Timestamp| {
        at.to_zoned(zone.clone())
            .strftime("%H:%M:%S %Z")
            .to_string()
    };
    let since = clock(view.last_answer.unwrap_or(view.etcd_since));
    let until = clock(now.checked_add(left).unwrap_or(now));
    let name = &view.this.name;
    let first = format!("{what} since {since}, as {name} sees it, which leads now.");
    let second = format!(
        "After {until} nothing is switched in book and no notification is sent until etcd is back, or another replica leads. \
         Experiments are evaluated and shown all the while."
    );
    let third = "Check that etcd's members run and that this host reaches them. This mail is sent once and is not repeated.";
    Circular {
        name: format!("labwatch.etcd.{}.{name}", now.as_nanosecond()),
        at: now,
        subject: format!("{what}: nothing is switched or notified after {until}"),
        text: format!("{first}\n{second}\n\n{third}\n"),
        html: html! { p { (first) } p { (second) } p { (third) } }.into_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::Peer;

    #[test]
    fn it_says_since_when_and_until_when() {
        let now: Timestamp = "2026-11-30T12:00:05Z".parse().expect("a time");
        let received = "2026-11-30T12:00:00Z".parse().expect("a time");
        let this = Peer {
            name: "watch1".into(),
            url: String::new(),
            version: String::new(),
        };
        let view = View {
            etcd: Etcd::Fault {
                what: "etcd cannot be reached",
                detail: "http://etcd1.example.org".into(),
            },
            last_answer: Some(received),
            ..View::connecting(this, Duration::from_secs(10), received)
        };
        let mail = circular(&view, Duration::from_secs(3), &TimeZone::UTC, now);
        let subject = "etcd cannot be reached: nothing is switched or notified after 12:00:08 UTC";
        assert_eq!(mail.subject, subject);
        let begin = "etcd cannot be reached since 12:00:00 UTC, as watch1 sees it, which leads now.\nAfter 12:00:08 UTC nothing";
        assert!(mail.text.starts_with(begin), "{}", mail.text);
        assert!(!mail.text.contains("example.org"), "no address");
    }
}
