//! Opens and closes categories, for the API and the page.

use std::sync::Arc;

use crate::health::{
    Ack, CategoryOrder, CategoryStatus, Component, HealthSnapshot, HealthState, category_statuses,
};
use crate::http::commands::Give;
use crate::http::health_state::HealthRoutes;
use engine::model::Visibility;
use engine::{Command, Impact, Receipt, Refusal};

/// The status of categories, and the commands to open and close them: shared by the API and the
/// page.
#[derive(Clone)]
pub struct Categories {
    health_state: HealthState,
    give: Arc<Give>,
}

impl Categories {
    #[must_use]
    pub fn new(health: &HealthRoutes) -> Self {
        Self {
            health_state: health.health_state.clone(),
            give: Arc::clone(&health.give),
        }
    }

    /// The state of everything, as this reader may see it.
    pub(super) fn snapshot(&self, reader: Visibility) -> HealthSnapshot {
        self.health_state.snapshot().seen_by(reader)
    }

    /// All categories, sorted by name.
    #[must_use]
    pub fn category_statuses(&self) -> Vec<CategoryStatus> {
        category_statuses(&self.health_state.snapshot())
    }

    /// All outside services, sorted by name.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceRow> {
        let health = self.health_state.snapshot();
        let services = health.components.iter().filter(|one| one.is_service());
        let row = |component: &Component| ServiceRow {
            ack: health.acks.component(&component.name, health.at).cloned(),
            component: component.clone(),
        };
        services.map(row).collect()
    }

    /// The status of the category of this name.
    pub(super) fn status(&self, name: &str) -> Option<CategoryStatus> {
        let mut all = self.category_statuses().into_iter();
        all.find(|status| status.rules.name == name)
    }

    /// What a command would do now, without doing it.
    ///
    /// # Errors
    /// As [`HealthState::preview`].
    pub fn preview(&self, order: &CategoryOrder) -> Result<Impact, Refusal> {
        self.health_state.preview(order)
    }

    /// Carries out a command. The engine records its author.
    ///
    /// # Errors
    /// As [`HealthState::preview`], and the engine's own: then nothing was changed.
    pub async fn order(&self, order: &CategoryOrder) -> Result<Receipt, Refusal> {
        let mut effect = self.health_state.preview(order)?;
        let command = Command::Category {
            name: order.category.clone(),
            open: order.open,
            reason: order.reason.clone(),
        };
        let receipt = (self.give)(command, order.by.clone()).await?;
        if !receipt.kept {
            effect.text += "; it is not on disk, so it holds only until the next start";
        }
        Ok(Receipt { effect, ..receipt })
    }
}

/// An outside service, as the page shows it.
#[derive(Debug, Clone)]
pub struct ServiceRow {
    pub component: Component,
    /// Its acknowledgement, unless it has expired.
    pub ack: Option<Ack>,
}
