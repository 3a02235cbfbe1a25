//! The filter of the overview. It is kept in the address, so that a link to it can be mailed.

use serde::Deserialize;

use super::state::{Booking, STATES, State};
use super::view::Experiment;
use crate::http::auth::below;

/// The most experiments that a page lists unless all are requested.
pub(super) const MAX_ROWS: usize = 100;

/// The longest text that is searched for, in characters.
const MAX_SEARCH: usize = 100;

/// The query of the overview's address. Invalid values are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    /// A part of the name of an experiment or a resource.
    q: String,
    /// A state.
    state: String,
    /// Whether it can be booked.
    booking: String,
    /// A pool.
    pool: String,
    /// What the list of experiments is sorted by.
    sort: String,
    /// Whether all rows are wanted, however many.
    all: Option<String>,
    /// Whether the page is shown on a wall display.
    wall: Option<String>,
}

impl Filter {
    pub(super) fn search(&self) -> String {
        self.q.trim().chars().take(MAX_SEARCH).collect()
    }

    pub(super) fn state(&self) -> Option<State> {
        STATES
            .into_iter()
            .find(|state| state.as_str() == self.state)
    }

    pub(super) fn booking(&self) -> Option<Booking> {
        Booking::ALL
            .into_iter()
            .find(|booking| booking.as_str() == self.booking)
    }

    pub(super) fn pool(&self) -> Option<&str> {
        Some(self.pool.trim()).filter(|pool| !pool.is_empty())
    }

    pub(super) fn sort(&self) -> &str {
        &self.sort
    }

    pub(super) fn wall(&self) -> bool {
        self.wall.is_some()
    }

    pub(super) fn most_rows(&self) -> usize {
        if self.all.is_some() {
            usize::MAX
        } else {
            MAX_ROWS
        }
    }

    /// Whether any filter is set.
    pub(super) fn is_set(&self) -> bool {
        !self.search().is_empty()
            || self.state().is_some()
            || self.booking().is_some()
            || self.pool().is_some()
    }

    /// Whether an experiment passes the filter.
    pub(super) fn takes(&self, experiment: &Experiment<'_>) -> bool {
        let search = self.search().to_lowercase();
        let named = |name: &str| name.to_lowercase().contains(&search);
        self.state().is_none_or(|state| state == experiment.state)
            && self
                .booking()
                .is_none_or(|booking| booking == experiment.booking)
            && self
                .pool()
                .is_none_or(|pool| experiment.pools().any(|of| of == pool))
            && (search.is_empty()
                || named(experiment.name())
                || experiment
                    .view
                    .resources
                    .iter()
                    .any(|resource| named(resource.name.as_str())))
    }

    /// The address of the same filter with all rows, on the page of this path.
    pub(super) fn address_of_all(&self, path: &str) -> String {
        self.address(path, &self.sort, true)
    }

    /// The address of the same filter in another order, on the page of this path.
    pub(super) fn address_sorted(&self, path: &str, sort: &str) -> String {
        self.address(path, sort, self.all.is_some())
    }

    fn address(&self, path: &str, sort: &str, all: bool) -> String {
        let search = self.search();
        let parts = [
            ("q", search.as_str()),
            ("state", self.state().map_or("", State::as_str)),
            ("booking", self.booking().map_or("", Booking::as_str)),
            ("pool", self.pool().unwrap_or_default()),
            ("sort", sort),
            ("all", if all { "1" } else { "" }),
        ];
        below(
            path,
            parts.into_iter().filter(|(_, value)| !value.is_empty()),
        )
    }
}

/// The address of the overview with one filter.
pub(super) fn address(key: &str, value: &str) -> String {
    below("/", [(key, value)])
}

/// The address of a name below `folder`, with any characters escaped.
pub(super) fn address_of(folder: &str, name: &str) -> String {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let mut address = format!("{folder}/");
    for byte in name.bytes() {
        // A name of dots alone would be taken for a folder.
        let plain = byte.is_ascii_alphanumeric()
            || b"-_~".contains(&byte)
            || (byte == b'.' && !name.trim_matches('.').is_empty());
        if plain {
            address.push(char::from(byte));
        } else {
            let digit = |at: u8| HEX.get(usize::from(at)).copied().unwrap_or('0');
            address.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses() {
        let rows = [
            ("pend00", "/experiments/pend00"),
            ("a/b c", "/experiments/a%2Fb%20c"),
            ("..", "/experiments/%2E%2E"),
            ("a.b", "/experiments/a.b"),
            ("<é>", "/experiments/%3C%C3%A9%3E"),
        ];
        for (name, expected) in rows {
            assert_eq!(address_of("/experiments", name), expected);
        }
        assert_eq!(address("pool", "a&b"), "/?pool=a%26b");
    }

    #[test]
    fn the_address_holds_what_is_asked_for() {
        let filter = Filter {
            q: " Pend ".into(),
            state: "down".into(),
            booking: "nonsense".into(),
            ..Filter::default()
        };
        assert_eq!(filter.address_of_all("/"), "/?q=Pend&state=down&all=1");
        assert_eq!(
            filter.address_sorted("/experiments", "-since"),
            "/experiments?q=Pend&state=down&sort=-since"
        );
        assert!(filter.is_set());
        assert!(
            !Filter {
                state: "x".into(),
                wall: Some(String::new()),
                ..Filter::default()
            }
            .is_set()
        );
    }
}
