//! The pages that students open, as book's manifest lists them: where they are, and how they fail.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::name::PageName;

/// A page's address. It may hold a token in its query, so its `Debug` and text are the name alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageAddress {
    whole: Arc<str>,
    name: PageName,
    host: Arc<str>,
}

impl PageAddress {
    /// An address, with its public name, and its host as `host:port`.
    pub fn new(whole: &str, name: PageName, host: &str) -> Self {
        Self {
            whole: whole.into(),
            name,
            host: host.into(),
        }
    }

    /// The whole address, for the request alone.
    pub fn expose(&self) -> &str {
        &self.whole
    }

    /// Its host and path.
    pub fn name(&self) -> &PageName {
        &self.name
    }

    /// The host that it is on, with the port.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for PageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

impl fmt::Display for PageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.name, f)
    }
}

/// How a page fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageFault {
    /// It answers with this status, 4xx or 5xx.
    Answers(u16),
    /// It gives no answer.
    NoAnswer,
}

impl fmt::Display for PageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answers(status) => write!(f, "answers {status}"),
            Self::NoAnswer => f.write_str("does not answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_name_alone() {
        let name = PageName::try_new("lab.example/ui/").expect("a name");
        let whole = "https://lab.example/ui/?token=s3cr3t";
        let address = PageAddress::new(whole, name, "lab.example:443");
        assert_eq!(address.expose(), whole);
        let shown = format!("{address} {address:?}");
        assert_eq!(shown, "lab.example/ui/ \"lab.example/ui/\"");
    }
}
