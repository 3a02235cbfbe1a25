//! The answer of a dialect, the kinds of reader, and the errors.

use std::fmt;

use serde::Serialize;

/// The content type of JSON answers.
pub const JSON: &str = "application/json";

/// How many failing experiments an answer lists unless `full` is set.
pub const LISTED: usize = 100;

/// The kinds of reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A reader without a token: texts that users wrote, and their names, are left out.
    Public,
    /// A reader who may see them.
    Full,
    /// A maintainer: the page also links to the forms of the commands.
    Maintainer,
}

impl Reader {
    /// Whether texts that users wrote, and their names, are shown.
    pub fn sees_private(self) -> bool {
        self != Self::Public
    }
}

/// An answer, in the parts that HTTP needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status: 200 for ok, 503 for not ok.
    pub status: u16,
    /// The content type of the body; `None` without one.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
    /// Further headers.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is nothing of this name: 404.
    Unknown(String),
    /// The request makes no sense: 400.
    Senseless(String),
    /// The answer cannot be written: 500.
    Unwritable(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) | Self::Senseless(why) => f.write_str(why),
            Self::Unwritable(why) => write!(f, "a health view cannot be written: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

impl Answer {
    pub(super) fn json(is_ok: bool, body: &impl Serialize) -> Result<Self, Refused> {
        let body =
            serde_json::to_vec(body).map_err(|error| Refused::Unwritable(error.to_string()))?;
        Ok(Self {
            status: code(is_ok),
            content_type: Some(JSON),
            body,
            headers: Vec::new(),
        })
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: None,
            body: Vec::new(),
            headers: Vec::new(),
        }
    }
}

/// 503 means "not ok" in every dialect.
pub(super) fn code(is_ok: bool) -> u16 {
    if is_ok { 200 } else { 503 }
}
