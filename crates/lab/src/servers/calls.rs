//! The calls that a simulated server got.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::http::Request;

/// How many calls are kept; the oldest go first.
const MAX_CALLS: usize = 10_000;

/// A call, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Method and address without the host, for example `GET /api/v1/admin/resources`.
    pub asked: String,
    /// The token that came with it.
    pub token: Option<String>,
}

/// The latest calls.
#[derive(Default)]
pub(super) struct Calls(Mutex<VecDeque<Called>>);

impl Calls {
    /// Keeps a call.
    pub fn note(&self, request: &Request) {
        let (method, path) = (&request.method, request.url.path());
        let query = request.url.query().map(|query| format!("?{query}"));
        let called = Called {
            asked: format!("{method} {path}{}", query.unwrap_or_default()),
            token: request.header("authorization").map(str::to_owned),
        };
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == MAX_CALLS {
            calls.pop_front();
        }
        calls.push_back(called);
    }

    /// All that are kept, oldest first.
    pub fn all(&self) -> Vec<Called> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().cloned().collect()
    }
}
