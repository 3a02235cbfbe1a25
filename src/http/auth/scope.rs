//! What a token allows, and what a route needs.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A scope of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read everything, including private data: addresses, user agents, names.
    Read,
    /// Report the health of a part that labwatch does not watch itself.
    Report,
    /// Change everything that can be changed. Includes the other two.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Read, Self::Report, Self::Admin];

    /// Its name in a token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Report => "report",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The scopes of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Whether they allow what `scope` does.
    #[must_use]
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&Scope::Admin) || self.0.contains(&scope)
    }

    /// Whether a token with them must name its subjects: an admin's may report on everything.
    #[must_use]
    pub fn need_names(&self) -> bool {
        self.0.contains(&Scope::Report) && !self.0.contains(&Scope::Admin)
    }

    /// Their names.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|scope| scope.as_str())
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// Who may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// All readers, except for private data.
    #[default]
    Open,
    /// Only readers with a token with the scope `read`.
    Token,
    /// All readers the page of students, and only those with such a token anything else.
    Students,
}

/// The access that a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// None: health, sign-in, and what reveals nothing about the laboratory.
    Always,
    /// Read access: none or the scope `read`, as configured.
    Read,
    /// Read access for students: how many of each kind work.
    Students,
    /// A token with this scope.
    Scope(Scope),
}

impl Need {
    /// The scope that is needed under this setting.
    #[must_use]
    pub fn scope(self, reading: Reading) -> Option<Scope> {
        match (self, reading) {
            (Self::Always, _)
            | (Self::Read, Reading::Open)
            | (Self::Students, Reading::Open | Reading::Students) => None,
            (Self::Read, Reading::Token | Reading::Students) | (Self::Students, Reading::Token) => {
                Some(Scope::Read)
            }
            (Self::Scope(scope), _) => Some(scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_may_all_and_others_only_their_own() {
        for held in Scope::ALL {
            for asked in Scope::ALL {
                let scopes: Scopes = [held].into_iter().collect();
                assert_eq!(
                    scopes.allow(asked),
                    held == asked || held == Scope::Admin,
                    "{held} for {asked}"
                );
                assert!(!Scopes::default().allow(asked), "nothing allows {asked}");
            }
        }
    }

    #[test]
    fn what_is_needed() {
        assert_eq!(Need::Always.scope(Reading::Token), None);
        assert_eq!(Need::Read.scope(Reading::Open), None);
        assert_eq!(Need::Read.scope(Reading::Token), Some(Scope::Read));
        assert_eq!(Need::Read.scope(Reading::Students), Some(Scope::Read));
        let students = [Reading::Open, Reading::Token, Reading::Students]
            .map(|reading| Need::Students.scope(reading));
        assert_eq!(students, [None, Some(Scope::Read), None]);
        assert_eq!(
            Need::Scope(Scope::Admin).scope(Reading::Open),
            Some(Scope::Admin)
        );
    }
}
