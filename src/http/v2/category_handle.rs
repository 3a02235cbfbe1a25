//! The one way by which people open and close categories, by the API and on the page.

use std::sync::Arc;

use crate::health::{
    Ack, CategoryOrder, CategoryStatus, Component, HealthState, Picture, standings,
};
use crate::http::commands::Give;
use crate::http::health_state::HealthRoutes;
use engine::model::Visibility;
use engine::{Command, Impact, Receipt, Refusal};

/// How categories stand, and the way by which people open and close them: one for the API and for
/// the page.
#[derive(Clone)]
pub struct Categories {
    health_state: HealthState,
    give: Arc<Give>,
}

impl Categories {
    /// Of this health.
    #[must_use]
    pub fn new(health: &HealthRoutes) -> Self {
        Self {
            health_state: health.health_state.clone(),
            give: Arc::clone(&health.give),
        }
    }

    /// The state of everything, as this reader may see it.
    pub(super) fn picture(&self, reader: Visibility) -> Picture {
        self.health_state.picture().seen_by(reader)
    }

    /// All categories, sorted by name.
    #[must_use]
    pub fn standings(&self) -> Vec<CategoryStatus> {
        standings(&self.health_state.picture())
    }

    /// All outside services, sorted by name.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceRow> {
        let picture = self.health_state.picture();
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
    pub fn preview(&self, order: &CategoryOrder) -> Result<Impact, Refusal> {
        self.health_state.preview(order)
    }

    /// Does what is ordered. The engine notes who did it.
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
    /// How it is.
    pub component: Component,
    /// Its acknowledgement, while it holds.
    pub ack: Option<Ack>,
}
