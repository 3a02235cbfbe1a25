//! Starts the sources: relay, jump, book, samples of streams and checks of pages, each as a task.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::outlets::Clients;
use super::task_set::TaskSet;
use crate::clients::{self, BookClient, Http};
use crate::config::{Config, FeedSettings};
use crate::driver::{COMMAND_QUEUE, PAGE_QUEUE, SAMPLE_QUEUE};
use engine::model::{PageAddress, SourceName};
use engine::{FeedCommand, Input, Sample};

/// The command queues of the feeds.
pub(super) struct Feeds {
    pub(super) relay: mpsc::Sender<FeedCommand>,
    pub(super) jump: mpsc::Sender<FeedCommand>,
    pub(super) book: mpsc::Sender<()>,
    pub(super) samples: mpsc::Sender<Sample>,
    pub(super) pages: mpsc::Sender<PageAddress>,
}

/// Where no laboratory is watched: requests to the sources are taken and have no effect.
pub(super) fn none(parts: &mut TaskSet) -> Feeds {
    let (relay, mut relay_queue) = mpsc::channel(COMMAND_QUEUE);
    let (jump, mut jump_queue) = mpsc::channel(COMMAND_QUEUE);
    let (book, mut polls) = mpsc::channel(1);
    let (samples, mut sample_queue) = mpsc::channel(SAMPLE_QUEUE);
    let (pages, mut page_queue) = mpsc::channel(PAGE_QUEUE);
    parts.spawn_until_stop("sources of no laboratory", async move {
        loop {
            tokio::select! {
                Some(_) = relay_queue.recv() => {}
                Some(_) = jump_queue.recv() => {}
                Some(()) = polls.recv() => {}
                Some(_) = sample_queue.recv() => {}
                Some(_) = page_queue.recv() => {}
                else => std::future::pending().await,
            }
        }
    });
    Feeds {
        relay,
        jump,
        book,
        samples,
        pages,
    }
}

pub(super) fn start(
    config: &Config,
    parts: &mut TaskSet,
    inputs: &mpsc::Sender<Input>,
    client: BookClient,
    http: &Clients,
) -> Feeds {
    let (access, tls) = (http.access.clone(), Arc::clone(&http.tls));
    let stop = parts.stop();
    let mut subscribe = |name, source, settings: &FeedSettings| {
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        let feed = clients::subscription::Feed {
            source,
            settings: settings.clone(),
            http: access.clone(),
            tls: Arc::clone(&tls),
        };
        let following = clients::subscription::run(feed, inputs.clone(), queue, stop.clone());
        parts.spawn(name, following);
        commands
    };
    let relay = subscribe("feed of relay", SourceName::Relay, &config.relay);
    let jump = subscribe("feed of jump", SourceName::Jump, &config.jump);

    if let Some(canary) = canary(config, &access, &tls) {
        let running = clients::canary::run(canary, inputs.clone(), stop.clone());
        parts.spawn("canary through relay", running);
    }

    let (book, polls) = mpsc::channel(1);
    let poller = clients::book::Poller {
        client,
        every: config.health.query_book_every,
    };
    let polling = clients::book::run(poller, inputs.clone(), polls, stop.clone());
    parts.spawn("poll of book", polling);

    let (samples, queue) = mpsc::channel(SAMPLE_QUEUE);
    let listening = clients::sampling::Sampler {
        address: config.relay.address.clone(),
        http: access.clone(),
        tls,
    };
    let sampling = clients::sampling::run(listening, inputs.clone(), queue, stop.clone());
    parts.spawn("sampling of streams", sampling);

    let (pages, queue) = mpsc::channel(PAGE_QUEUE);
    let checking = clients::ui::run(access, inputs.clone(), queue, stop);
    parts.spawn("check of pages", checking);
    Feeds {
        relay,
        jump,
        book,
        samples,
        pages,
    }
}

fn canary(
    config: &Config,
    access: &Http,
    tls: &Arc<rustls::ClientConfig>,
) -> Option<clients::canary::Canary> {
    let settings = config.canary.as_ref()?;
    Some(clients::canary::Canary {
        address: config.relay.address.clone(),
        topic: settings.topic.clone(),
        rule: settings.rule,
        reconnect_every: config.relay.reconnect_every,
        http: access.clone(),
        tls: Arc::clone(tls),
    })
}
