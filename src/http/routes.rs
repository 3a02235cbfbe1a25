//! Routes in groups: what the routes of a group need is declared once, for the group. The list of
//! all routes comes from the same declarations as the router and the OpenAPI document, so none of
//! the three can lack a route.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::UtoipaMethodRouter;

use super::auth::authenticator::Authenticator;
use super::auth::layer;
use super::cluster_state::ClusterState;
use super::{forward, options};
use crate::http::auth::{Need, Scope};

/// The handlers of one path, and their documentation.
#[cfg(feature = "api-docs")]
pub(super) use utoipa_axum::routes;

/// The handlers of one path, without their documentation: the documents are served as they are
/// checked in, and generating them would take a fourteenth of the program.
#[cfg(any(test, not(feature = "api-docs")))]
macro_rules! bare_routes {
    ($($handler:path),+ $(,)?) => {{
        let mut paths = utoipa::openapi::path::Paths::new();
        let mut handlers = axum::routing::MethodRouter::new();
        $(utoipa_axum::paste! {
            let methods = utoipa_axum::routes!(@path [methods()] of $handler);
            for method in &methods {
                let filter = utoipa_axum::PathItemExt::to_method_filter(method);
                handlers = handlers.on(filter, $handler);
            }
            let path = utoipa_axum::routes!(@path [path()] of $handler);
            paths.add_path_operation(path, methods, utoipa::openapi::path::Operation::new());
        })+
        (Vec::new(), paths, handlers)
    }};
}
#[cfg(not(feature = "api-docs"))]
pub(super) use bare_routes as routes;

/// The name of the authentication in the documents.
pub(super) const TOKEN: &str = "token";

/// A route, as in the router and the OpenAPI document. `HEAD` and `OPTIONS` are answered on every
/// path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The method.
    pub method: Method,
    /// The path, with its placeholders.
    pub path: String,
    /// The access that it needs.
    pub need: Need,
    /// Whether it is in an OpenAPI document.
    pub documented: bool,
}

/// Routes, the list of them, and their part of the OpenAPI document. `S` is the state that their
/// handlers still lack.
pub struct Routes<S = ()> {
    need: Need,
    entries: Vec<Entry<S>>,
    document: OpenApi,
}

struct Entry<S> {
    rules: Vec<Rule>,
    handlers: MethodRouter<S>,
}

/// An empty document, whose description is added later.
#[derive(utoipa::OpenApi)]
#[openapi()]
struct Nothing;

impl Default for Routes {
    /// No routes.
    fn default() -> Self {
        Self::needing(Need::Always)
    }
}

impl<S> std::fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.rules()).finish()
    }
}

impl<S> Routes<S> {
    /// Every route.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.entries.iter().flat_map(|entry| &entry.rules)
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// An empty group, all of whose routes need this access.
    #[must_use]
    pub fn needing(need: Need) -> Self {
        Self {
            need,
            entries: Vec::new(),
            document: Nothing::openapi(),
        }
    }

    /// Adds the routes of one path: `routes!(handler, ...)`.
    #[must_use]
    pub(super) fn add(mut self, (schemas, paths, handlers): UtoipaMethodRouter<S>) -> Self {
        let mut rules = Vec::new();
        for (path, mut item) in paths.paths {
            for (method, operation) in operations(&mut item) {
                if let Need::Scope(scope) = self.need {
                    let token = SecurityRequirement::new(TOKEN, [scope.as_str()]);
                    operation.security = Some(vec![token]);
                }
                rules.push(self.rule(method, &path, true));
            }
            self.document.paths.paths.insert(path, item);
        }
        let components = self.document.components.get_or_insert_default();
        components.schemas.extend(schemas);
        self.entries.push(Entry { rules, handlers });
        self
    }

    /// Adds a route that is in no document: a page, or an asset of a page.
    #[must_use]
    pub(super) fn add_page<H, T>(mut self, method: Method, path: &str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let Ok(filter) = MethodFilter::try_from(method.clone()) else {
            tracing::error!(%method, path, "cannot serve a route, because its method is not known");
            return self;
        };
        let rules = vec![self.rule(method, path, false)];
        self.entries.push(Entry {
            rules,
            handlers: MethodRouter::new().on(filter, handler),
        });
        self
    }

    fn rule(&self, method: Method, path: &str, documented: bool) -> Rule {
        Rule {
            method,
            path: path.to_owned(),
            need: self.need,
            documented,
        }
    }

    /// Adds a layer around each handler.
    #[must_use]
    pub(super) fn around(mut self, wrap: impl Fn(MethodRouter<S>) -> MethodRouter<S>) -> Self {
        for entry in &mut self.entries {
            entry.handlers = wrap(std::mem::take(&mut entry.handlers));
        }
        self
    }

    /// Merges another group into these routes.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self.document.merge(other.document);
        self
    }

    /// Provides the state of the handlers.
    #[must_use]
    pub(super) fn with_state<S2>(self, state: &S) -> Routes<S2> {
        let entries = self.entries.into_iter().map(|entry| Entry {
            rules: entry.rules,
            handlers: entry.handlers.with_state(state.clone()),
        });
        Routes {
            need: self.need,
            entries: entries.collect(),
            document: self.document,
        }
    }

    pub(super) fn into_document(self) -> OpenApi {
        self.document
    }
}

impl Routes {
    /// A router that authenticates before each handler, and in a cluster forwards commands to the
    /// leader.
    pub(super) fn guarded(
        self,
        authenticator: &Arc<Authenticator>,
        cluster: Option<&ClusterState>,
    ) -> Router {
        self.router(|need, handlers| {
            let gate = (Arc::clone(authenticator), need);
            let handlers = match cluster.filter(|_| need == Need::Scope(Scope::Admin)) {
                Some(cluster) => {
                    handlers.route_layer(from_fn_with_state(cluster.clone(), forward::to_leader))
                }
                None => handlers,
            };
            handlers.route_layer(from_fn_with_state(gate, layer::authenticate))
        })
    }

    /// A router, in which `wrap` adds to the handlers of a group what they need.
    fn router(self, wrap: impl Fn(Need, MethodRouter) -> MethodRouter) -> Router {
        let mut paths: BTreeMap<String, (Vec<Method>, MethodRouter)> = BTreeMap::new();
        for entry in self.entries {
            // All methods of one declaration are in one group, so the first rule stands for all.
            let Some(first) = entry.rules.first() else {
                continue;
            };
            let (methods, handlers) = paths.entry(first.path.clone()).or_default();
            let more = wrap(first.need, entry.handlers);
            *handlers = std::mem::take(handlers).merge(more);
            methods.extend(entry.rules.into_iter().map(|rule| rule.method));
        }
        paths
            .into_iter()
            .fold(Router::new(), |router, (path, (methods, handlers))| {
                let allow = options::allow(&methods);
                let other = move |method: Method| async move { options::answer(&method, &allow) };
                router.route(&path, handlers.fallback(other))
            })
    }
}

#[cfg(test)]
impl Routes {
    /// A router that lets every request through.
    pub(super) fn open(self) -> Router {
        self.router(|_, handlers| handlers)
    }
}

/// The operations of a path that are documented.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[utoipa::path(get, path = "/things/{name}", responses((status = 200)))]
    async fn thing() {}

    #[utoipa::path(delete, path = "/things/{name}", responses((status = 200)))]
    async fn drop_thing() {}

    #[test]
    fn without_what_the_documents_say_the_routes_are_the_same() {
        let rules = |declared: UtoipaMethodRouter<()>| {
            let group = Routes::needing(Need::Read).add(declared);
            group.rules().cloned().collect::<Vec<Rule>>()
        };
        let bare = rules(bare_routes!(thing, drop_thing));
        assert_eq!(bare.len(), 2);
        assert_eq!(bare, rules(utoipa_axum::routes!(thing, drop_thing)));
    }
}
