//! Three-way merge of whether a category is open: labwatch or the policy has changed it. Connects
//! to
//! nothing.
//!
//! The state that both had agreed on is the base. The side that differs from it has changed it, and
//! the other one follows. There are but two values, so both cannot have changed it to different
//! ones.

use std::collections::{BTreeMap, BTreeSet};

/// The action for a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The policy was changed: labwatch opens or closes it.
    Follow(bool),
    /// labwatch has opened or closed it: the policy has to be written.
    Write(bool),
    /// Both have changed it alike, which has to be recorded.
    Note(bool),
}

/// Whether categories are open, by name. Without an entry one is open.
pub(super) type Open = BTreeMap<String, bool>;

/// The first action; `None`: all agree, or the difference may not be written.
pub(super) fn next_action(
    base: &Open,
    theirs: &Open,
    ours: &Open,
    may_write: bool,
) -> Option<(String, Action)> {
    let names: BTreeSet<&String> = base
        .keys()
        .chain(theirs.keys())
        .chain(ours.keys())
        .collect();
    names.into_iter().find_map(|name| {
        let [base, theirs, ours] = [base, theirs, ours].map(|of| of.get(name) != Some(&false));
        let action = action(base, theirs, ours)?;
        let is_possible = may_write || !matches!(action, Action::Write(_));
        is_possible.then(|| (name.clone(), action))
    })
}

fn action(base: bool, theirs: bool, ours: bool) -> Option<Action> {
    match (theirs == ours, theirs == base) {
        (true, true) => None,
        (true, false) => Some(Action::Note(theirs)),
        (false, false) => Some(Action::Follow(theirs)),
        (false, true) => Some(Action::Write(ours)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_has_changed_it_is_followed() {
        for (base, theirs, ours, expected) in [
            (true, true, true, None),
            (false, false, false, None),
            (true, false, true, Some(Action::Follow(false))),
            (false, true, false, Some(Action::Follow(true))),
            (true, true, false, Some(Action::Write(false))),
            (false, false, true, Some(Action::Write(true))),
            (true, false, false, Some(Action::Note(false))),
            (false, true, true, Some(Action::Note(true))),
        ] {
            assert_eq!(
                action(base, theirs, ours),
                expected,
                "{base} {theirs} {ours}"
            );
        }
    }

    #[test]
    fn a_category_without_an_entry_is_open() {
        let of = |entries: &[(&str, bool)]| -> Open {
            let entries = entries.iter();
            entries
                .map(|(name, open)| ((*name).to_owned(), *open))
                .collect()
        };
        let (none, exam, open) = (of(&[]), of(&[("exam", false)]), of(&[("exam", true)]));
        let named = |action| Some(("exam".to_owned(), action));
        for (base, theirs, ours, expected) in [
            (&none, &exam, &none, named(Action::Follow(false))),
            (&exam, &none, &exam, named(Action::Follow(true))),
            (&none, &none, &exam, named(Action::Write(false))),
            (&none, &open, &none, None),
            (&exam, &exam, &exam, None),
        ] {
            assert_eq!(next_action(base, theirs, ours, true), expected);
        }
        assert_eq!(next_action(&none, &none, &exam, false), None);
    }
}
