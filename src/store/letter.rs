//! What is kept of a summary until it is known that it arrived, so that nothing of it is lost. It knows neither tables nor routes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::memory::Pending;
use engine::model::{Health, Stub};
use engine::{Alert, Summary, UnconfirmedAlert};

/// What is kept of a summary on its way: enough to tell it again, should nobody know whether it arrived.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) news: Vec<News>,
    #[serde(default)]
    pub(super) concerns: Vec<Alerted>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct News {
    pub(super) stub: Stub,
    pub(super) health: Health,
    pub(super) since: Timestamp,
}

/// What concerned the whole laboratory, by its word, and when it ended where it had.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Alerted {
    pub(super) concern: String,
    pub(super) since: Timestamp,
    pub(super) ended: Option<Timestamp>,
}

impl Letter {
    pub(super) fn of(summary: &Summary) -> Self {
        let news = summary.news.iter().map(|line| News {
            stub: line.stub.clone(),
            health: line.health,
            since: line.since,
        });
        let new = summary.alerts.iter().filter(|alert| alert.new);
        let concerns = new.filter_map(|alert| {
            let ended = alert
                .ended
                .and_then(|lasted| alert.since.checked_add(lasted).ok());
            Some(Alerted {
                concern: alert.alert?.as_str().to_owned(),
                since: alert.since,
                ended,
            })
        });
        Self {
            news: news.collect(),
            concerns: concerns.collect(),
        }
    }

    /// A letter about one experiment.
    pub(super) fn about(stub: &Stub, at: Timestamp) -> Self {
        Self {
            news: vec![News {
                stub: stub.clone(),
                health: Health::Unknown,
                since: at,
            }],
            ..Self::default()
        }
    }

    /// What was on its way, as it stands in the store. What cannot be read is left out.
    pub(super) fn of_pending(pending: &Pending) -> Self {
        serde_json::from_value(pending.outgoing.content.clone()).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.news.is_empty() && self.concerns.is_empty()
    }

    pub(super) fn tells_of(&self, stub: &Stub) -> bool {
        self.news.iter().any(|news| news.stub == *stub)
    }

    /// What was bad when an earlier letter was put together and was never told is bad since then.
    pub(super) fn keep_times_of(&mut self, earlier: &Self) {
        for news in &mut self.news {
            let first = earlier
                .news
                .iter()
                .filter(|known| known.stub == news.stub)
                .map(|known| known.since)
                .min();
            news.since = first.map_or(news.since, |first| first.min(news.since));
        }
    }

    /// Takes out what another letter tells. Returns whether that was anything.
    pub(super) fn cross_out(&mut self, other: &Self) -> bool {
        let before = self.news.len() + self.concerns.len();
        self.news.retain(|news| !other.tells_of(&news.stub));
        self.concerns.retain(|alerted| {
            !other
                .concerns
                .iter()
                .any(|notified| notified.concern == alerted.concern)
        });
        self.news.len() + self.concerns.len() < before
    }
}

impl Alerted {
    /// It has ended, or nobody is to hear of it.
    pub(super) fn over(concern: Alert, at: Timestamp) -> Self {
        Self {
            concern: concern.as_str().to_owned(),
            since: at,
            ended: None,
        }
    }

    pub(super) fn unconfirmed(&self) -> Option<UnconfirmedAlert> {
        Some(UnconfirmedAlert {
            alert: concern_named(&self.concern)?,
            since: self.since,
            ended: self.ended,
        })
    }
}

/// The concern with this word.
pub(super) fn concern_named(as_str: &str) -> Option<Alert> {
    Alert::ALL
        .into_iter()
        .find(|concern| concern.as_str() == as_str)
}
