//! The caller of a request, as an extractor for handlers; the access layer sets it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use engine::model::Visibility;
use jiff::Timestamp;

use super::scope::Scope;
use super::token::{AccessToken, Session};

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Caller {
    /// An unknown caller.
    #[default]
    Anonymous,
    /// A caller with a token.
    Token(AccessToken),
    /// A browser in which a user signed in with a token.
    Session(Session),
}

impl Caller {
    /// The claims of their token, if they have one.
    #[must_use]
    pub fn pass(&self) -> Option<&AccessToken> {
        match self {
            Self::Anonymous => None,
            Self::Token(pass) => Some(pass),
            Self::Session(session) => Some(&session.pass),
        }
    }

    /// Whether their token allows this.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.pass().is_some_and(|pass| pass.allows(scope))
    }

    /// Whether they may see remote addresses, user agents, user names and mail addresses.
    #[must_use]
    pub fn may_see_private(&self) -> bool {
        self.may(Scope::Read)
    }

    /// What they may see.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        Visibility::of_reader(self.may_see_private())
    }

    /// When their credentials expire.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::Anonymous => None,
            Self::Token(pass) => Some(pass.expires),
            Self::Session(session) => Some(session.expires),
        }
    }

    /// The name for the audit record.
    #[must_use]
    pub fn name(&self) -> &str {
        self.pass().map_or("anonymous", |pass| pass.name.as_str())
    }

    /// The CSRF text that each form of a page must repeat in the field `csrf`, or each request of a
    /// script in the header `X-CSRF-Token`. Only sessions need it.
    #[must_use]
    pub fn csrf(&self) -> Option<&str> {
        match self {
            Self::Anonymous | Self::Token(_) => None,
            Self::Session(session) => Some(&session.csrf),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// What the reader of an answer may see, as an extractor for handlers.
#[derive(Debug, Clone, Copy)]
pub struct Viewer(pub Visibility);

impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>();
        Ok(Self(caller.map_or(Visibility::PUBLIC, Caller::visibility)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::reportable::Reportable;
    use super::*;

    #[test]
    fn private_things_are_for_readers() {
        let with = |scope| {
            Caller::Token(AccessToken {
                id: "a".into(),
                name: "b".into(),
                scopes: [scope].into_iter().collect(),
                reports: Reportable::default(),
                issued: Timestamp::UNIX_EPOCH,
                expires: Timestamp::MAX,
            })
        };
        assert!(!Caller::Anonymous.may_see_private());
        for (scope, expect) in [
            (Scope::Read, true),
            (Scope::Report, false),
            (Scope::Admin, true),
        ] {
            assert_eq!(with(scope).may_see_private(), expect, "{scope}");
        }
    }
}
