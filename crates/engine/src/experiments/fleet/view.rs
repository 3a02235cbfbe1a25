//! Views of experiments: rebuilt where an experiment was affected, and kept where that changed
//! nothing.

use std::sync::Arc;

use super::{Fleet, Id, Touched};
use crate::experiments::experiment::Experiment;
use crate::protocol::ExperimentView;

/// How the view of an experiment changed: `None` where there was, or is, none.
#[derive(Debug, Clone)]
pub(crate) struct Repainted {
    pub(crate) was: Option<Arc<ExperimentView>>,
    pub(crate) is: Option<Arc<ExperimentView>>,
}

impl Fleet {
    /// Updates a sorted list of views for what was affected, and returns the differences.
    pub(crate) fn refresh_views(
        &self,
        views: &mut Arc<Vec<Arc<ExperimentView>>>,
        touched: Touched,
        mut paint: impl FnMut(Id, &Experiment) -> ExperimentView,
    ) -> Vec<Repainted> {
        let mut changes = Vec::new();
        for stub in touched.gone {
            if let Ok(at) = views.binary_search_by(|view| view.stub.cmp(&stub)) {
                changes.push(Repainted {
                    was: Some(Arc::make_mut(views).remove(at)),
                    is: None,
                });
            }
        }
        let mut fresh = Vec::new();
        for (id, experiment) in touched
            .changed
            .iter()
            .filter_map(|id| Some((*id, self.get(*id)?)))
        {
            let view = paint(id, experiment);
            let Ok(at) = views.binary_search_by(|known| known.stub.cmp(&view.stub)) else {
                fresh.push(Arc::new(view));
                continue;
            };
            if *views[at] != view {
                let view = Arc::new(view);
                let was = std::mem::replace(&mut Arc::make_mut(views)[at], Arc::clone(&view));
                changes.push(Repainted {
                    was: Some(was),
                    is: Some(view),
                });
            }
        }
        if !fresh.is_empty() {
            changes.extend(fresh.iter().map(|view| Repainted {
                was: None,
                is: Some(Arc::clone(view)),
            }));
            let list = Arc::make_mut(views);
            list.append(&mut fresh);
            list.sort_by(|a, b| a.stub.cmp(&b.stub));
        }
        changes
    }
}
