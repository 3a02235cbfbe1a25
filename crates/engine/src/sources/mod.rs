//! What reports to labwatch: relay, jump and book, and how far each can be relied on now.

pub(crate) mod source;
