//! The data of one page of one request.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::commands::Flash;
use super::layout::{self, Frame};
use super::response::{embeddable, framed, theme};
use super::view::{self, Experiment};
use super::web_state::WebState;
use crate::cluster::View;
use crate::http::Categories;
use crate::http::auth::{Caller, Scope};
use crate::store::{Reader, Store, StoreHealth};
use engine::Snapshot;

/// The data of one page of one request: a snapshot, and the state of the store.
pub(super) struct Moment {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) caller: Caller,
    pub(super) now: Timestamp,
    pub(super) takes_orders: bool,
    pub(super) categories: Option<Categories>,
    pub(super) store: Option<StoreHealth>,
    pub(super) cluster: Option<Arc<View>>,
    pub(super) reader: Option<Reader>,
    pub(super) problems: usize,
    pub(super) theme: Option<&'static str>,
    pub(super) stream: Option<&'static str>,
    pub(super) base: Arc<str>,
    pub(super) label: Arc<str>,
    flash: Option<Flash>,
}

/// An extractor for handlers.
impl FromRequestParts<WebState> for Moment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Infallible> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self::of(state, caller, parts))
    }
}

impl Moment {
    fn of(state: &WebState, caller: Caller, parts: &Parts) -> Self {
        let snapshot = Arc::clone(&state.snapshots.borrow());
        Self {
            problems: view::experiments(&snapshot)
                .filter(Experiment::needs_attention)
                .count(),
            snapshot,
            takes_orders: state.orders.is_some(),
            categories: state.categories.clone(),
            caller,
            store: state.store.as_ref().map(Store::health),
            cluster: state.cluster.as_ref().map(|view| view.borrow().clone()),
            reader: state.store.as_ref().map(Store::reader),
            theme: theme(&parts.headers),
            stream: state.stream,
            base: Arc::clone(&state.base),
            label: Arc::clone(&state.label),
            now: Timestamp::now(),
            flash: Flash::of(parts.uri.query()),
        }
    }

    /// A page that no other site may put into a frame.
    pub(super) fn framed(&self, page: Markup) -> Response {
        framed(&self.base, page)
    }

    /// A page below this place of the navigation, that no other site may put into a frame.
    pub(super) fn page(&self, place: &str, title: &str, content: &Markup) -> Response {
        self.framed(layout::page(&self.frame(), place, title, content))
    }

    /// A page that is not refreshed: it has a form to fill in, or shows a past period.
    pub(super) fn still(&self, place: &str, title: &str, content: &Markup) -> Response {
        self.framed(layout::still(&self.frame(), place, title, content))
    }

    /// A page of the navigation, and above it the result of the command that led here.
    pub(super) fn page_after(&self, place: &str, title: &str, content: &Markup) -> Response {
        let frame = self.frame();
        let flash = self.flash.as_ref().filter(|_| frame.acts);
        let noted = html! { @if let Some(flash) = flash { (flash.note(&frame)) } (content) };
        self.page(place, title, &noted)
    }

    /// The result of a query of the history; `None` where none is kept.
    pub(super) async fn kept<'a, T, F: Future<Output = T>>(
        &'a self,
        ask: impl FnOnce(&'a Reader) -> F,
    ) -> Option<T> {
        match &self.reader {
            Some(reader) => Some(ask(reader).await),
            None => None,
        }
    }

    /// A page for students, which any site may put into a frame.
    pub(super) fn embeddable(&self, title: &str, content: &Markup) -> Response {
        embeddable(&self.base, layout::plain(&self.frame(), title, content))
    }

    pub(super) fn frame(&self) -> Frame<'_> {
        Frame {
            snapshot: &self.snapshot,
            label: &self.label,
            store: self.store.as_ref(),
            cluster: self.cluster.as_deref(),
            theme: self.theme,
            stream: self.stream,
            categories: self.categories.as_ref(),
            caller: &self.caller,
            private: self.caller.may_see_private(),
            visibility: self.caller.visibility(),
            takes_orders: self.takes_orders,
            acts: self.takes_orders && self.caller.may(Scope::Admin),
            problems: self.problems,
            now: self.now,
        }
    }
}
