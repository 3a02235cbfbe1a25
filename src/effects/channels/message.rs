//! The input and the output of every channel: a message, and the request that is made of it.

use reqwest::Method;
use url::Url;

use crate::effects::notification::{Content, Presentation};
use engine::Summary;

/// How much of a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// All that the receiver is known to accept.
    Whole,
    /// The most important: a receiver refused the whole message as too large.
    Short,
    /// What every receiver accepts.
    Gist,
}

impl Size {
    /// The next smaller size.
    #[must_use]
    pub fn smaller(self) -> Option<Self> {
        match self {
            Self::Whole => Some(Self::Short),
            Self::Short => Some(Self::Gist),
            Self::Gist => None,
        }
    }

    /// The share of a bound for this size.
    #[must_use]
    pub fn of(self, whole: usize) -> usize {
        match self {
            Self::Whole => whole,
            Self::Short => whole / 4,
            Self::Gist => whole / 16,
        }
    }
}

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address. Holds a secret.
    pub url: Url,
    /// Whether the secret of the route is sent as a bearer token.
    pub with_token: bool,
    /// The body, as JSON.
    pub body: Vec<u8>,
}

/// What a message is made of.
pub(super) struct Message<'a> {
    pub(super) summary: &'a Summary,
    pub(super) content: Content,
    pub(super) presentation: &'a Presentation,
}

/// The address with these segments appended to its path.
pub(super) fn below(base: &Url, segments: &[&str]) -> Result<Url, String> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| "its address has no path".to_owned())?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}
