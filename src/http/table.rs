//! Who may do what: every route with what it needs, in one table. A route that is not in it answers nobody.

use std::collections::HashMap;

use axum::http::Method;

use crate::http::auth::{Need, Scope};

/// A method, a path as the router has it, and what it needs. `HEAD` is allowed where `GET` is.
pub type Rule = (Method, &'static str, Need);

/// Every route. Whoever adds a route adds its line here; without one it answers 404 to everybody.
pub const ROUTES: &[Rule] = &[
    (Method::GET, "/api/v1/experiments", Need::Read),
    (Method::GET, "/api/v1/experiments/", Need::Read),
    (Method::GET, "/api/v1/experiments/events/{name}", Need::Read),
    (Method::GET, "/api/v1/openapi.json", Need::Always),
    (Method::GET, "/swagger.json", Need::Always),
    (Method::GET, "/api/v1/session", Need::Always),
    (Method::GET, "/api/v1/tokens", Need::Scope(Scope::Admin)),
    (
        Method::DELETE,
        "/api/v1/tokens/{id}",
        Need::Scope(Scope::Admin),
    ),
    (Method::GET, "/api/v2/lab", Need::Read),
    (Method::GET, "/api/v2/pools", Need::Read),
    (Method::GET, "/api/v2/pools/{name}", Need::Read),
    (Method::GET, "/api/v2/sources", Need::Read),
    (Method::GET, "/api/v2/holds", Need::Read),
    (Method::GET, "/api/v2/stream", Need::Read),
    (Method::GET, "/api/v2/experiments", Need::Read),
    (Method::GET, "/api/v2/experiments/{name}", Need::Read),
    (Method::GET, "/api/v2/experiments/{name}/events", Need::Read),
    (Method::GET, "/api/v2/experiments/{name}/uptime", Need::Read),
    (
        Method::GET,
        "/api/v2/experiments/{name}/incidents",
        Need::Read,
    ),
    (
        Method::GET,
        "/api/v2/experiments/{name}/switches",
        Need::Read,
    ),
    (Method::GET, "/api/v2/history/incidents", Need::Read),
    (Method::GET, "/api/v2/history/switches", Need::Read),
    (Method::GET, "/api/v2/history/sources", Need::Read),
    (Method::GET, "/api/v2/history/holds", Need::Read),
    (Method::GET, "/api/v2/history/gaps", Need::Read),
    (Method::GET, "/api/v2/history/outbox", Need::Read),
    (Method::GET, "/badge/{file}", Need::Read),
    (Method::GET, "/api/v2/openapi.json", Need::Always),
    (Method::GET, "/api/v2/docs", Need::Always),
    (Method::GET, "/api/v2/docs.css", Need::Always),
    (Method::GET, "/api/v1/docs", Need::Always),
    (Method::GET, "/api/v2/reports", Need::Read),
    (Method::GET, "/metrics", Need::Always),
    (Method::GET, "/liveness", Need::Always),
    (Method::GET, "/readiness", Need::Always),
    (Method::GET, "/actuator", Need::Always),
    (Method::GET, "/actuator/health/{kind}", Need::Always),
    (Method::GET, "/actuator/health/{kind}/{name}", Need::Always),
    (Method::GET, "/actuator/info", Need::Read),
    (Method::GET, "/actuator/logger", Need::Read),
    (Method::GET, "/actuator/{name}", Need::Read),
    (Method::POST, "/actuator/logger", Need::Scope(Scope::Admin)),
    (Method::GET, "/__gtg", Need::Always),
    (Method::GET, "/__health", Need::Read),
    (Method::GET, "/__agghealth", Need::Read),
    (Method::GET, "/status", Need::Read),
    (Method::GET, "/status/{name}", Need::Read),
    (Method::GET, "/api/v2/quiet", Need::Read),
    (
        Method::DELETE,
        "/api/v2/quiet/{id}",
        Need::Scope(Scope::Admin),
    ),
    (
        Method::POST,
        "/api/v2/acknowledgements",
        Need::Scope(Scope::Admin),
    ),
    (Method::POST, "/api/v2/silences", Need::Scope(Scope::Admin)),
    (
        Method::POST,
        "/api/v2/maintenance",
        Need::Scope(Scope::Admin),
    ),
    (Method::POST, "/api/v2/holds", Need::Scope(Scope::Admin)),
    (
        Method::DELETE,
        "/api/v2/holds/{resource}",
        Need::Scope(Scope::Admin),
    ),
    (
        Method::POST,
        "/api/v1/experiments/{name}/ack",
        Need::Scope(Scope::Admin),
    ),
    (
        Method::DELETE,
        "/api/v1/experiments/{name}/ack",
        Need::Scope(Scope::Admin),
    ),
    (
        Method::POST,
        "/api/v1/components/{name}/ack",
        Need::Scope(Scope::Admin),
    ),
    (
        Method::DELETE,
        "/api/v1/components/{name}/ack",
        Need::Scope(Scope::Admin),
    ),
    (Method::POST, "/api/v1/ack", Need::Scope(Scope::Admin)),
    (Method::DELETE, "/api/v1/ack", Need::Scope(Scope::Admin)),
    (Method::GET, "/health", Need::Always),
    (
        Method::POST,
        "/api/v1/reports/{kind}/{name}",
        Need::Scope(Scope::Report),
    ),
    (Method::GET, "/api/v1/categories", Need::Read),
    (
        Method::POST,
        "/api/v1/categories/{name}/enable",
        Need::Scope(Scope::Admin),
    ),
    (
        Method::POST,
        "/api/v1/categories/{name}/disable",
        Need::Scope(Scope::Admin),
    ),
    (Method::GET, "/login", Need::Always),
    (Method::POST, "/login", Need::Always),
    (Method::POST, "/logout", Need::Always),
    (Method::GET, "/", Need::Read),
    (Method::GET, "/experiments/{stub}", Need::Read),
    (Method::GET, "/pools", Need::Read),
    (Method::GET, "/sources", Need::Read),
    (Method::GET, "/holds", Need::Read),
    (Method::GET, "/outbox", Need::Read),
    (Method::GET, "/reports", Need::Read),
    (Method::GET, "/lab", Need::Students),
    (Method::GET, "/lab/{pool}", Need::Students),
    (Method::GET, "/do/acknowledge", Need::Scope(Scope::Admin)),
    (Method::POST, "/do/acknowledge", Need::Scope(Scope::Admin)),
    (Method::GET, "/do/silence", Need::Scope(Scope::Admin)),
    (Method::POST, "/do/silence", Need::Scope(Scope::Admin)),
    (Method::GET, "/do/maintenance", Need::Scope(Scope::Admin)),
    (Method::POST, "/do/maintenance", Need::Scope(Scope::Admin)),
    (Method::GET, "/do/hold", Need::Scope(Scope::Admin)),
    (Method::POST, "/do/hold", Need::Scope(Scope::Admin)),
    (Method::GET, "/do/enable", Need::Scope(Scope::Admin)),
    (Method::POST, "/do/enable", Need::Scope(Scope::Admin)),
    (Method::GET, "/do/end", Need::Scope(Scope::Admin)),
    (Method::POST, "/do/end", Need::Scope(Scope::Admin)),
    (Method::GET, "/do/open-category", Need::Scope(Scope::Admin)),
    (Method::POST, "/do/open-category", Need::Scope(Scope::Admin)),
    (Method::GET, "/do/close-category", Need::Scope(Scope::Admin)),
    (
        Method::POST,
        "/do/close-category",
        Need::Scope(Scope::Admin),
    ),
    (Method::GET, "/assets/{name}", Need::Always),
    (Method::GET, "/favicon.ico", Need::Always),
];

/// What the table says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// It needs this.
    Needs(Need),
    /// The path takes only these methods.
    WrongMethod(&'a [Method]),
    /// The table does not know the path.
    Unlisted,
}

/// The table, made for looking up.
#[derive(Debug)]
pub(super) struct Table {
    paths: HashMap<&'static str, Path>,
}

#[derive(Debug, Default)]
struct Path {
    methods: Vec<Method>,
    needs: Vec<Need>,
}

impl Table {
    /// Of these rules.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut paths: HashMap<_, Path> = HashMap::new();
        for (method, path, need) in rules {
            let path = paths.entry(*path).or_default();
            path.methods.push(method.clone());
            path.needs.push(*need);
        }
        Self { paths }
    }

    /// What a request to this path needs. `path` is the router's, with its placeholders.
    pub(super) fn verdict(&self, method: &Method, path: &str) -> Verdict<'_> {
        let Some(path) = self.paths.get(path) else {
            return Verdict::Unlisted;
        };
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut needs = path
            .methods
            .iter()
            .zip(&path.needs)
            .filter(|(known, _)| *known == method)
            .map(|(_, need)| *need);
        needs
            .next()
            .map_or(Verdict::WrongMethod(&path.methods), Verdict::Needs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_by_method_and_path() {
        let rules = [
            (Method::GET, "/a", Need::Read),
            (Method::POST, "/a", Need::Scope(Scope::Admin)),
            (Method::POST, "/b", Need::Always),
        ];
        let table = Table::new(&rules);
        assert_eq!(
            table.verdict(&Method::GET, "/a"),
            Verdict::Needs(Need::Read)
        );
        assert_eq!(
            table.verdict(&Method::HEAD, "/a"),
            Verdict::Needs(Need::Read)
        );
        assert_eq!(
            table.verdict(&Method::POST, "/a"),
            Verdict::Needs(Need::Scope(Scope::Admin))
        );
        assert_eq!(
            table.verdict(&Method::PUT, "/a"),
            Verdict::WrongMethod(&[Method::GET, Method::POST])
        );
        assert_eq!(
            table.verdict(&Method::HEAD, "/b"),
            Verdict::WrongMethod(&[Method::POST])
        );
        assert_eq!(table.verdict(&Method::GET, "/c"), Verdict::Unlisted);
    }

    #[test]
    fn no_route_stands_in_it_twice_and_only_the_way_in_changes_something_without_a_scope() {
        for (index, (method, path, need)) in ROUTES.iter().enumerate() {
            let again = ROUTES
                .iter()
                .skip(index + 1)
                .any(|(other, same, _)| other == method && same == path);
            assert!(!again, "{method} {path} stands twice");
            let reads = method == Method::GET;
            let way_in = ["/login", "/logout"].contains(path);
            assert!(
                reads || way_in || matches!(need, Need::Scope(_)),
                "{method} {path} changes something for everybody"
            );
        }
    }
}
