//! The list of all experiments: filters and order are in the address.

use std::cmp::Ordering;

use jiff::Timestamp;
use maud::{Markup, html};

use super::filter::{Filter, address};
use super::layout::Frame;
use super::state::{is_usable, rank};
use super::view::{self, Experiment, PoolCard};
use super::words::{self, clip};
use super::{components, overview};

/// The path of the list.
pub(super) const PATH: &str = "/experiments";

/// The columns by which rows can be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    State,
    Since,
    Pool,
    Booking,
    Needed,
}

impl Column {
    /// In the order of the table.
    const ALL: [Self; 6] = [
        Self::Name,
        Self::State,
        Self::Since,
        Self::Pool,
        Self::Booking,
        Self::Needed,
    ];

    /// Its name in addresses.
    fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Since => "since",
            Self::Pool => "pool",
            Self::Booking => "booking",
            Self::Needed => "needed",
        }
    }

    /// The heading of the column.
    fn head(self) -> &'static str {
        match self {
            Self::Name => "Experiment",
            Self::State => "State",
            Self::Since => "Since",
            Self::Pool => "Pool",
            Self::Booking => "Booking",
            Self::Needed => "Next booking",
        }
    }

    /// Whether the first click sorts in descending order: the worst state, the newest change.
    fn falls_first(self) -> bool {
        matches!(self, Self::State | Self::Since)
    }

    fn compare(self, one: &Experiment<'_>, other: &Experiment<'_>) -> Ordering {
        match self {
            Self::Name => one.name().cmp(other.name()),
            Self::State => rank(one.state).cmp(&rank(other.state)),
            Self::Since => one.view.since.cmp(&other.view.since),
            Self::Pool => one.pools().cmp(other.pools()),
            Self::Booking => one.booking.as_str().cmp(other.booking.as_str()),
            Self::Needed => next(one).cmp(&next(other)),
        }
    }
}

/// When its next booking starts or its present one started; those without one come last.
fn next(experiment: &Experiment<'_>) -> Timestamp {
    experiment.affected().first_start.unwrap_or(Timestamp::MAX)
}

/// The order of the rows, as in the address: a column, with `-` before it for descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sort {
    column: Column,
    falls: bool,
}

impl Sort {
    /// An invalid value sorts by name.
    fn of(text: &str) -> Self {
        let (falls, name) = text
            .strip_prefix('-')
            .map_or((false, text), |name| (true, name));
        Column::ALL
            .into_iter()
            .find(|column| column.as_str() == name)
            .map_or(
                Self {
                    column: Column::Name,
                    falls: false,
                },
                |column| Self { column, falls },
            )
    }

    fn text(self) -> String {
        format!(
            "{}{}",
            if self.falls { "-" } else { "" },
            self.column.as_str()
        )
    }

    /// The order after a click on the heading of a column.
    fn after_click(self, column: Column) -> Self {
        let falls = if self.column == column {
            !self.falls
        } else {
            column.falls_first()
        };
        Self { column, falls }
    }

    fn aria(self, column: Column) -> Option<&'static str> {
        (self.column == column).then_some(if self.falls {
            "descending"
        } else {
            "ascending"
        })
    }

    fn apply(self, rows: &mut [Experiment<'_>]) {
        rows.sort_by(|one, other| {
            let order = self.column.compare(one, other);
            let order = if self.falls { order.reverse() } else { order };
            order.then_with(|| one.name().cmp(other.name()))
        });
    }
}

pub(super) fn page(frame: &Frame<'_>, filter: &Filter) -> Markup {
    let pools = PoolCard::all(frame.snapshot);
    let sort = Sort::of(filter.sort());
    let mut rows: Vec<_> = view::experiments(frame.snapshot)
        .filter(|experiment| filter.takes(experiment))
        .collect();
    sort.apply(&mut rows);
    let total = rows.len();
    rows.truncate(filter.most_rows());
    html! {
        h1 { "Experiments" }
        (overview::search(&pools, filter, PATH, &order(sort)))
        section #part-list aria-labelledby="list" {
            h2 #list {
                @if filter.is_set() { (words::count(total, "experiment")) " found " a.more href=(PATH) { "Show all experiments" } }
                @else { (words::count(total, "experiment")) }
            }
            @if rows.is_empty() { (components::none("No experiment matches. Remove a filter to see more.")) }
            @else { (table(frame, filter, sort, &rows)) }
            @if total > rows.len() { p { a.more href=(filter.address_of_all(PATH)) { "Show all " (total) } " – " (rows.len()) " are shown." } }
        }
    }
}

/// The order as a field of the form, so that a filter keeps it; on a phone the headings of columns
/// are not shown.
fn order(sort: Sort) -> Markup {
    let choices = Column::ALL.into_iter().map(|column| Sort {
        column,
        falls: column.falls_first(),
    });
    let is_first = choices.clone().any(|choice| choice == sort);
    html! {
        select #sort name="sort" aria-label="Sort by" {
            @for choice in choices { option value=(choice.text()) selected[choice == sort] { "sort by " (choice.column.head().to_lowercase()) } }
            @if !is_first { option value=(sort.text()) selected { "sort by " (sort.column.head().to_lowercase()) ", reversed" } }
        }
    }
}

fn table(frame: &Frame<'_>, filter: &Filter, sort: Sort, rows: &[Experiment<'_>]) -> Markup {
    html! {
        div.scroll.listing {
            table role="table" {
                caption.unseen { "Experiments" }
                thead role="rowgroup" { tr role="row" {
                    @for column in Column::ALL { (head(filter, sort, column)) }
                    th scope="col" role="columnheader" { "Why" }
                } }
                tbody role="rowgroup" { @for experiment in rows { (row(frame, experiment)) } }
            }
        }
    }
}

/// The heading of a column: a click sorts by it, another one in reverse.
fn head(filter: &Filter, sort: Sort, column: Column) -> Markup {
    let to = filter.address_sorted(PATH, &sort.after_click(column).text());
    html! {
        th scope="col" role="columnheader" aria-sort=[sort.aria(column)] {
            a href=(to) { (column.head()) }
        }
    }
}

fn row(frame: &Frame<'_>, experiment: &Experiment<'_>) -> Markup {
    let now = frame.now;
    let cells: [(&str, Markup); 6] = [
        ("State", components::state(experiment.state)),
        ("Since", words::lasting(experiment.view.since, now)),
        (
            "Pool",
            html! { @for (at, pool) in experiment.pools().enumerate() { @if at > 0 { ", " } a href=(address("pool", pool)) { (clip(pool)) } } },
        ),
        (
            "Booking",
            html! { (components::booking(experiment.booking)) " " (components::mismatch(experiment)) },
        ),
        ("Next booking", next_booking(experiment, now)),
        (
            "Why",
            html! {
                @if experiment.is_problem() || !is_usable(experiment.state) { (clip(&experiment.why())) }
                @if let Some(suppression) = &experiment.view.suppression { span.small { (components::suppression(suppression, frame.private, now)) } }
            },
        ),
    ];
    html! {
        tr role="row" data-row {
            th scope="row" role="rowheader" { (components::link(experiment.name())) }
            @for (label, cell) in cells { td role="cell" data-label=(label) { (cell) } }
        }
    }
}

/// The next booking in one line, so that the list stays short.
fn next_booking(experiment: &Experiment<'_>, now: Timestamp) -> Markup {
    let affected = experiment.affected();
    html! {
        @if affected.in_session { strong { "in session now" } }
        @else if let Some(start) = affected.first_start {
            (words::time(start, now))
            @if start > now { span.soft { " in " (words::spell_between(now, start)) } } @else { span.soft { " under way" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_gives_the_order_and_a_click_turns_it() {
        for (text, column, falls) in [
            ("since", Column::Since, false),
            ("-since", Column::Since, true),
            ("", Column::Name, false),
            ("-nonsense", Column::Name, false),
        ] {
            assert_eq!(Sort::of(text), Sort { column, falls }, "{text}");
        }
        let sort = Sort::of("-since");
        assert_eq!(sort.after_click(Column::Since).text(), "since");
        assert_eq!(sort.after_click(Column::State).text(), "-state");
        assert_eq!(sort.after_click(Column::Name).text(), "name");
    }
}
