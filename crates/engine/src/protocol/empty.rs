//! The snapshot of an unknown laboratory.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Private, SourceHealth, SourceName};
use crate::protocol::{Counts, Link, Role, SamplingView, Snapshot, SourceView};

impl Snapshot {
    /// That of a laboratory of which nothing is known: the first one, and that of a program which
    /// watches none.
    pub fn empty(at: Timestamp) -> Self {
        Self {
            version: 0,
            at,
            started: at,
            role: Role::Leader,
            is_shadow: false,
            changed: 0,
            experiments: Arc::default(),
            counts: Counts::default(),
            sources: SourceName::ALL.map(|name| SourceView {
                name,
                health: SourceHealth::Starting,
                since: at,
                last_report: None,
                pace: None,
                link: Link::Connecting,
                note: String::new(),
                said: Private::default(),
                server_started: None,
                unreadable_entries: 0,
                canary: None,
                hides: 0,
                report: None,
            }),
            standings: Arc::default(),
            holds: Arc::default(),
            causes: Arc::default(),
            routes: Vec::new(),
            notified: Arc::default(),
            sampling: SamplingView::default(),
            manifest_lost: None,
            blind: None,
            notes: Arc::default(),
            suppressions: Arc::default(),
            calendar: Arc::default(),
            pools: Arc::default(),
            categories: Arc::default(),
            quarantined: Arc::default(),
            pages_of_uis: Arc::default(),
        }
    }
}
