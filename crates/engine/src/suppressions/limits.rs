//! The bounds of user input: texts, time spans, and numbers of entries.

use jiff::{SignedDuration, Timestamp};

use super::refusal::Refused;

/// The most acknowledgements: one each for as many experiments as a large laboratory has.
pub const MAX_ACKNOWLEDGEMENTS: usize = 10_000;

/// The most silences. Each is compared with each experiment that changes.
pub const MAX_SILENCES: usize = 200;

/// The most maintenance windows, of all kinds. Each is compared with each experiment that changes.
pub const MAX_MAINTENANCES: usize = 200;

/// The most bytes of a text or a name in a command.
pub const MAX_TEXT_BYTES: usize = 500;

/// The most days that a silence or a single window lasts: longer ones are forgotten.
pub const MAX_DAYS: i64 = 366;

/// Checks a user's text: one line, not empty, not too long.
///
/// # Errors
/// [`Refused::Text`] names the field.
pub fn check_text(field: &'static str, text: &str) -> Result<(), Refused> {
    let is_fine = !text.trim().is_empty()
        && text.len() <= MAX_TEXT_BYTES
        && !text.chars().any(char::is_control);
    let most = MAX_TEXT_BYTES;
    check(is_fine, || Refused::Text { field, most })
}

pub(super) fn check_order(from: Timestamp, until: Timestamp) -> Result<(), Refused> {
    check(from < until, || Refused::EndsBeforeItBegins { from, until })
}

pub(super) fn check_end(until: Timestamp, now: Timestamp) -> Result<(), Refused> {
    check(now < until, || Refused::Past { until })
}

pub(super) fn check_length(from: Timestamp, until: Timestamp) -> Result<(), Refused> {
    let is_fine = until.duration_since(from) <= SignedDuration::from_hours(24 * MAX_DAYS);
    let most_days = MAX_DAYS;
    check(is_fine, || Refused::TooLong { most_days })
}

pub(super) fn check_room(what: &'static str, count: usize, most: usize) -> Result<(), Refused> {
    check(count < most, || Refused::Full { what, most })
}

fn check(is_fine: bool, refused: impl FnOnce() -> Refused) -> Result<(), Refused> {
    is_fine.then_some(()).ok_or_else(refused)
}
