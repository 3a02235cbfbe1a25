//! The one way by which people open and close categories, by the API and on the page.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::health::{Ack, CategoryOrder, CategoryStatus, Component, HealthState, standings};
use crate::http::auth::{Caller, Noted};
use crate::http::authenticator::Authenticator;
use crate::http::health_state::{HealthRoutes, KeepSwitch};
use engine::{Effect, Receipt, Refusal};

/// How long an answer waits for the disk. The switch holds in any case; the answer says whether it is kept.
const KEEP_WITHIN: Duration = Duration::from_secs(5);

/// How categories stand, and the way by which people open and close them: one for the API and for the page.
#[derive(Clone)]
pub struct Categories {
    desk: HealthState,
    keep: Arc<KeepSwitch>,
    authenticator: Arc<Authenticator>,
}

impl std::fmt::Debug for Categories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Categories")
    }
}

impl Categories {
    /// Of this health, with the gate's record of who did what.
    #[must_use]
    pub fn new(health: &HealthRoutes, authenticator: Arc<Authenticator>) -> Self {
        Self {
            desk: health.desk.clone(),
            keep: Arc::clone(&health.keep_switch),
            authenticator,
        }
    }

    /// All categories, sorted by name.
    #[must_use]
    pub fn standings(&self) -> Vec<CategoryStatus> {
        standings(&self.desk.picture())
    }

    /// All outside services, sorted by name.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceRow> {
        let picture = self.desk.picture();
        let services = picture.components.iter().filter(|one| one.is_service());
        let row = |component: &Component| ServiceRow {
            ack: picture.acks.component(&component.name, picture.at).cloned(),
            component: component.clone(),
        };
        services.map(row).collect()
    }

    /// How the category of this name stands.
    pub(super) fn standing(&self, name: &str) -> Option<CategoryStatus> {
        let mut all = self.standings().into_iter();
        all.find(|standing| standing.rules.name == name)
    }

    /// What an order would do now, without doing it.
    ///
    /// # Errors
    /// As [`HealthState::preview`].
    pub fn preview(&self, order: &CategoryOrder) -> Result<Effect, Refusal> {
        self.desk.preview(order)
    }

    /// Does what is ordered, notes who did it, and waits a moment for the disk.
    ///
    /// # Errors
    /// As [`HealthState::order`]: then nothing was changed.
    pub async fn order(
        &self,
        caller: &Caller,
        order: &CategoryOrder,
    ) -> Result<(Noted, Receipt), Refusal> {
        let (change, mut effect) = self.desk.order(order)?;
        let did = if order.open { "opened" } else { "closed" };
        let noted = self.authenticator.audit.note(
            caller,
            &format!("{did} the category {}: {}", order.category, order.reason),
        );
        let kept = timeout(KEEP_WITHIN, (self.keep)(change))
            .await
            .unwrap_or(false);
        if !kept {
            tracing::error!(
                category = order.category,
                "cannot keep the switch of a category, so it holds only until the next start"
            );
            effect.text += "; it is not on disk, so it holds only until the next start";
        }
        Ok((
            noted,
            Receipt {
                ids: Vec::new(),
                effect,
                kept,
            },
        ))
    }
}

/// An outside service, as the page shows it.
#[derive(Debug, Clone)]
pub struct ServiceRow {
    /// How it is.
    pub component: Component,
    /// Its acknowledgement, while it holds.
    pub ack: Option<Ack>,
}
