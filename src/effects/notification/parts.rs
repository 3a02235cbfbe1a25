//! Parts of a notification's content, before layout.

use jiff::tz::TimeZone;

use engine::model::Health;

/// What all notifications of a laboratory have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// `EMAIL_SUBJECT`: what every title starts with; may be empty.
    pub subject: String,
    /// `EMAIL_LINK`: the address of the whole status; may be empty.
    pub link: String,
    /// `API_URL`: the address at which readers reach the page, without a slash at its end.
    pub page: Option<String>,
    /// `TIME_ZONE`: the zone of all times.
    pub zone: TimeZone,
}

impl Default for Presentation {
    fn default() -> Self {
        Self {
            subject: String::new(),
            link: String::new(),
            page: None,
            zone: TimeZone::UTC,
        }
    }
}

/// The content of a notification, before layout. All texts are clean and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What happened, behind the prefix that every title has.
    pub title: String,
    /// The first sentences, each a paragraph. May be empty where the first section is enough.
    pub lead: Vec<String>,
    /// Sections by importance; none is empty.
    pub sections: Vec<Section>,
    /// The last lines: counts, the time.
    pub foot: Vec<String>,
    /// The address of the whole status; may be empty.
    pub link: String,
    /// The state for filters, as ASCII words.
    pub state: Vec<String>,
}

/// Entries that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The title; empty where the entries need none.
    pub title: String,
    /// The entries.
    pub entries: Vec<Entry>,
    /// How many entries are left out.
    pub more: usize,
}

/// One entry: experiments with the same symptoms, an alert, a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The health of the experiments; `None` where it is about none.
    pub health: Option<Health>,
    /// The experiments; empty where it is about none.
    pub name: String,
    /// The state as a sentence.
    pub said: String,
    /// Further facts, each with its label.
    pub facts: Vec<(&'static str, String)>,
    /// Links, each with its label.
    pub links: Vec<(&'static str, String)>,
}
