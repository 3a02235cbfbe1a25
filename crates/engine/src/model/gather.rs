//! Maps and sets that are made item by item.

/// [`Iterator::collect`] for ordered maps and sets of a few items. The standard library's makes a
/// list first and sorts it, with a copy of the sort for each kind of map and iterator: some 5 kB
/// of code each.
pub trait Gather: Iterator + Sized {
    /// Puts in one item after another; of equal keys the last one holds.
    fn gather<C: Default + Extend<Self::Item>>(self) -> C {
        let mut all = C::default();
        all.extend(self);
        all
    }
}

impl<I: Iterator> Gather for I {}
