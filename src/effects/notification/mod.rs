//! Content of a notification for every channel: title, sections, facts. The channels lay it out.
//! Pure, and bounded for every input.

mod bookings;
mod content;
mod entries;
mod groups;
mod lead;
mod look;
mod names;
mod parts;
mod state;
mod symptoms;
mod title;
pub mod words;

pub use content::{MAX_GROUPS, content};
pub use entries::{one_line, page_of};
pub use look::{colour, is_web};
pub use parts::{Content, Entry, Presentation, Section};
pub use state::MAX_NAMED;
