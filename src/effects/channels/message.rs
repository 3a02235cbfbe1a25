//! What every channel makes a request of, and what a request is.

use reqwest::Method;
use url::Url;

use crate::effects::notification::{Content, Presentation};
use engine::Summary;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// All that the receiver is known to take.
    Whole,
    /// The most important: a receiver refused the whole as too large.
    Short,
    /// What fits anywhere.
    Gist,
}

impl Size {
    /// The next smaller one.
    #[must_use]
    pub fn smaller(self) -> Option<Self> {
        match self {
            Self::Whole => Some(Self::Short),
            Self::Short => Some(Self::Gist),
            Self::Gist => None,
        }
    }

    /// Its share of a bound.
    #[must_use]
    pub fn of(self, whole: usize) -> usize {
        match self {
            Self::Whole => whole,
            Self::Short => whole / 4,
            Self::Gist => whole / 16,
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where to. Holds a secret.
    pub url: Url,
    /// Whether the secret of the route goes with it as a bearer's token.
    pub with_token: bool,
    /// What is sent, as JSON.
    pub body: Vec<u8>,
}

/// What a message is made of.
pub(super) struct Message<'a> {
    pub(super) summary: &'a Summary,
    pub(super) content: Content,
    pub(super) presentation: &'a Presentation,
}

/// The address with these segments behind its path.
pub(super) fn below(base: &Url, segments: &[&str]) -> Result<Url, String> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| "its address has no path".to_owned())?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}
