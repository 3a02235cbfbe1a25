//! Removes from a snapshot what a reader may not see. Names of maintainers and the texts of outside
//! services are for readers with a token.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::model::Gather as _;
use engine::model::Visibility;
use jiff::Timestamp;

use super::acknowledgements::{Ack, Acks};
use super::snapshot::HealthSnapshot;
use super::state::{Component, SingleCheck};
use super::{Switch, Switched};
use engine::CategoryCause;

impl HealthSnapshot {
    /// The snapshot without what this reader may not see.
    #[must_use]
    pub fn seen_by(self, reader: Visibility) -> Self {
        if reader.is_full() {
            return self;
        }
        Self {
            acks: Arc::new(unnamed_acks(&self.acks)),
            switched: Arc::new(unnamed_switches(&self.switched)),
            components: self.components.into_iter().map(unquoted).collect(),
            ..self
        }
    }
}

fn unnamed_acks(acks: &Acks) -> Acks {
    let unnamed = |ack: &Ack| Ack {
        by: String::new(),
        ..ack.clone()
    };
    let all = |acks: &BTreeMap<String, Ack>| {
        let acks = acks.iter();
        acks.map(|(name, ack)| (name.clone(), unnamed(ack)))
            .gather()
    };
    Acks {
        installation: acks.installation.as_ref().map(unnamed),
        experiments: all(&acks.experiments),
        components: all(&acks.components),
        away: acks.away.clone(),
    }
}

fn unnamed_switches(switches: &Switched) -> Switched {
    let unnamed = |switch: &Switch| Switch {
        by: match switch.cause {
            CategoryCause::Person => "a maintainer".to_owned(),
            CategoryCause::Fault => switch.by.clone(),
        },
        ..switch.clone()
    };
    let switches = switches.iter();
    switches
        .map(|(category, switch)| (category.clone(), unnamed(switch)))
        .gather()
}

/// A time as a service writes it, if it is one.
fn time(text: &str) -> String {
    text.parse::<Timestamp>()
        .map_or_else(|_| String::new(), |_| text.to_owned())
}

/// A component without the texts of an outside service's health document.
fn unquoted(mut component: Component) -> Component {
    let checks = component.finding.checks.iter().map(|check| SingleCheck {
        id: check.id.clone(),
        name: check.name.clone(),
        ok: check.ok,
        severity: check.severity,
        last_updated: time(&check.last_updated),
        ..SingleCheck::default()
    });
    component.finding.checks = checks.collect();
    component
}
