//! Caches the JSON of experiments until they change, for one list: the newest that was requested.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;

use super::summary::Line;
use crate::http::error::ApiResult;
use crate::http::json::rendered;
use engine::ExperimentView;

/// All experiments of a snapshot.
pub(super) type List = Arc<Vec<Arc<ExperimentView>>>;

/// The JSON of each of them, in the same order.
pub(super) type Items = Arc<Vec<Bytes>>;

/// The JSON of the list that was last written.
#[derive(Debug, Default)]
pub(in crate::http) struct JsonCache {
    latest: Mutex<(List, Items)>,
}

impl JsonCache {
    /// The JSON of every experiment of this list. Experiments that are unchanged since the previous
    /// list are not written again.
    pub(super) fn of(&self, list: &List) -> ApiResult<Items> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&latest.0, list) {
            let items = Arc::new(write(list, &latest.0, &latest.1)?);
            *latest = (Arc::clone(list), items);
        }
        Ok(Arc::clone(&latest.1))
    }
}

fn write(list: &List, before: &List, items: &Items) -> ApiResult<Vec<Bytes>> {
    let mut known = before.iter().zip(items.iter()).peekable();
    let item = |view: &Arc<ExperimentView>| {
        while known.next_if(|(was, _)| was.stub < view.stub).is_some() {}
        match known.next_if(|(was, _)| Arc::ptr_eq(was, view)) {
            Some((_, written)) => Ok(written.clone()),
            // Kept for long, so without the spare capacity left from writing.
            None => rendered(&Line::new(view)).map(|line| Bytes::from(line.into_boxed_slice())),
        }
    };
    list.iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::model::{Moment, SourceName};
    use engine::{Engine, Input, Policy, Report, Scopes, Snapshot};

    /// An engine that has received a report of jump with these hosts.
    fn seen(engine: &mut Engine, hosts: &[&str]) -> Snapshot {
        let mut report = Report::default();
        for topic in hosts {
            let connection = engine::Connection {
                topic,
                scopes: Scopes::HOST,
                connected: "",
                expires: "",
                remote: "",
                user_agent: "",
                tx: None,
                rx: None,
            };
            report.push(connection);
        }
        let now = Moment::new(jiff::Timestamp::UNIX_EPOCH, std::time::Duration::ZERO);
        engine.step(Input::Report(SourceName::Jump, Arc::new(report)), now);
        engine.snapshot()
    }

    #[test]
    fn what_did_not_change_is_not_written_again() {
        let json_cache = JsonCache::default();
        let mut engine = Engine::new(
            Policy::default(),
            Moment::new(jiff::Timestamp::UNIX_EPOCH, std::time::Duration::ZERO),
        );
        let first = seen(&mut engine, &["a", "b", "d"]);
        let one = json_cache.of(&first.experiments).expect("writes");
        assert_eq!(
            json_cache.of(&first.experiments).expect("writes").as_ptr(),
            one.as_ptr(),
            "the same list, the same JSON"
        );
        let second = seen(&mut engine, &["a", "b", "c", "d"]);
        assert!(second.changed > first.changed);
        let two = json_cache.of(&second.experiments).expect("writes");
        let names: Vec<_> = second
            .experiments
            .iter()
            .map(|view| view.stub.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        for (old, new) in [(0, 0), (1, 1), (2, 3)] {
            assert_eq!(one[old].as_ptr(), two[new].as_ptr(), "{}", names[new]);
        }
        assert!(two[2].starts_with(b"{\"name\":\"c\""));
        let third = seen(&mut engine, &["a", "b", "c", "d"]);
        assert!(
            Arc::ptr_eq(&third.experiments, &second.experiments) && third.changed == second.changed,
            "nothing changed"
        );
    }
}
