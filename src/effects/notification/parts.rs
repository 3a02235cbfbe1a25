//! The parts of what a notification says, before they are laid out.

use jiff::tz::TimeZone;

use engine::model::Health;

/// What all notifications of a laboratory have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// `EMAIL_SUBJECT`: what every title starts with; may be empty.
    pub subject: String,
    /// `EMAIL_LINK`: where the whole status can be seen; may be empty.
    pub link: String,
    /// `API_URL`: where people reach the page, without a slash at its end.
    pub page: Option<String>,
    /// `TIME_ZONE`: by which clock times are said.
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

/// What a notification says, before it is laid out. All texts are clean and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What happened, with what every title starts with.
    pub title: String,
    /// What comes first: sentences, each a paragraph. May be empty where the first section says it
    /// all.
    pub lead: Vec<String>,
    /// The rest by its importance; none is empty.
    pub sections: Vec<Section>,
    /// What stands at the end: counts, the time.
    pub foot: Vec<String>,
    /// Where all of it can be seen; may be empty.
    pub link: String,
    /// The same for filters: words in ASCII.
    pub state: Vec<String>,
}

/// Things that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What they are; empty where that shows by itself.
    pub title: String,
    /// They.
    pub entries: Vec<Entry>,
    /// How many more there are.
    pub more: usize,
}

/// One thing: experiments with the same symptoms, an alert, a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The health of the experiments; `None` where it is about none.
    pub health: Option<Health>,
    /// The experiments; empty where it is about none.
    pub name: String,
    /// What is so.
    pub said: String,
    /// More, each with what it is.
    pub facts: Vec<(&'static str, String)>,
    /// Where to go.
    pub links: Vec<(&'static str, String)>,
}
