//! The JSON of experiments, written once for as long as they do not change. Keeps those of one list: the newest that somebody asked for.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;

use super::line::Line;
use crate::api::error::ApiError;
use crate::api::routes::rendered;
use crate::engine::ExperimentView;

/// All experiments of a picture.
pub(super) type List = Arc<Vec<Arc<ExperimentView>>>;

/// The JSON of each of them, in the same order.
pub(super) type Items = Arc<Vec<Bytes>>;

/// The sheets that were last written.
#[derive(Debug, Default)]
pub(in crate::api) struct Sheets {
    latest: Mutex<(List, Items)>,
}

impl Sheets {
    /// The JSON of every experiment of this list. What is in the list before it, unchanged, is not written again.
    pub(super) fn of(&self, list: &List) -> Result<Items, ApiError> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&latest.0, list) {
            let items = Arc::new(write(list, &latest.0, &latest.1)?);
            *latest = (Arc::clone(list), items);
        }
        Ok(Arc::clone(&latest.1))
    }
}

fn write(list: &List, before: &List, items: &Items) -> Result<Vec<Bytes>, ApiError> {
    let mut known = before.iter().zip(items.iter()).peekable();
    let item = |view: &Arc<ExperimentView>| {
        while known.next_if(|(was, _)| was.stub < view.stub).is_some() {}
        match known.next_if(|(was, _)| Arc::ptr_eq(was, view)) {
            Some((_, written)) => Ok(written.clone()),
            None => rendered(&Line::new(view)).map(Bytes::from),
        }
    };
    list.iter().map(item).collect()
}
