//! The overview for a wall display: nothing to click, the worst problems first, and as large as the
//! screen allows.

use std::cmp::Reverse;

use jiff::Timestamp;
use maud::{Markup, html};

use super::filter::{Filter, address_of};
use super::layout::Frame;
use super::overview::{self, Rows};
use super::shapes::shape;
use super::state::rank;
use super::view::{Experiment, PoolCard};
use super::words::{self, clip};
use super::{components, pools, services};

/// The most problems that get a card; more could not be read from a distance.
const MAX_CARDS: usize = 24;

/// The most experiments in total that are named in the cards of pools; beyond, they are dots.
const MAX_NAMES: usize = 48;

/// The most experiments that are written large.
const FEW: usize = 12;

pub(super) fn page(frame: &Frame<'_>, filter: &Filter, rows: &Rows<'_>) -> Markup {
    let problems = problems(rows);
    let more = (problems.len() + rows.total - rows.shown.len()).saturating_sub(MAX_CARDS);
    let cards = problems.get(..MAX_CARDS).unwrap_or(&problems);
    html! {
        (overview::verdict(frame, rows))
        @if !cards.is_empty() {
            section.attention #part-problems aria-labelledby="problems" {
                h2.unseen #problems { "Needs attention" }
                ul class={ "cards k" (columns(cards.len())) } { @for problem in cards { (card(problem, frame.now)) } }
                @if more > 0 { p.soft { "and " (words::count(more, "more problem")) } }
            }
        }
        (in_one_line("Acknowledged or in maintenance", rows.known().iter().map(|of| clip(of.name()))))
        (in_one_line("Failing services", services::failing(frame).into_iter()))
        (pools(frame, filter, cards.is_empty()))
    }
}

/// The worst first; of equal ones those with the next booking, then the newest.
fn problems<'a>(rows: &Rows<'a>) -> Vec<Experiment<'a>> {
    let all = rows.shown.iter().copied();
    let mut problems: Vec<_> = all.filter(Experiment::needs_attention).collect();
    problems.sort_by_key(|problem| {
        (
            Reverse(rank(problem.state)),
            problem.affected().first_start.unwrap_or(Timestamp::MAX),
            Reverse(problem.view.since),
        )
    });
    problems
}

/// The number of columns with which this many cards fill a screen that is wider than high.
fn columns(cards: usize) -> usize {
    match cards {
        0 | 1 => 1,
        2 | 4 => 2,
        3 | 5 | 6 => 3,
        7..=12 => 4,
        13..=15 => 5,
        _ => 6,
    }
}

fn card(problem: &Experiment<'_>, now: Timestamp) -> Markup {
    html! {
        li id=(address_of("x", problem.name())) class={ "edge-" (problem.state.as_str()) } {
            p.head { strong { (clip(problem.name())) } (components::state(problem.state)) }
            p.why { (clip(&problem.why())) @if let Some(words) = problem.mismatch { " " span.clash { (shape("clash")) (words) } } }
            p.soft { (words::since(problem.view.since, now)) }
            @if problem.affected().next_week > 0 { p.need { (components::needed(problem, now)) } }
        }
    }
}

/// Names on a line of their own; nothing without names.
fn in_one_line(title: &str, names: impl Iterator<Item = String>) -> Markup {
    let names: Vec<String> = names.take(MAX_CARDS).collect();
    html! { @if !names.is_empty() { p.line { strong { (title) ": " } (names.join(", ")) } } }
}

/// The pools with their experiments: by name where they are few, else as dots; larger where there
/// is nothing else on the screen.
fn pools(frame: &Frame<'_>, filter: &Filter, alone: bool) -> Markup {
    let mut all = PoolCard::all(frame.snapshot);
    all.retain(|pool| filter.pool().is_none_or(|of| of == pool.name()));
    let total = all.iter().map(PoolCard::total).sum::<usize>();
    let named = total <= MAX_NAMES;
    html! {
        @if !all.is_empty() {
            section.stock.few[total <= FEW].alone[alone] #part-pools aria-labelledby="pools" {
                h2.unseen #pools { "Pools" }
                ul { @for pool in &all {
                    li class={ "edge-" (pool.worst().as_str()) } {
                        span.pool { (clip(pool.name())) }
                        (pools::amount(pool))
                        @if let Some(words) = pools::severity(pool.view.standing.severity, frame.now) { span.soft { (words) } }
                        @if pool.unknown() > 0 { span.soft { (pool.unknown()) " not evaluated" } }
                        @if named {
                            span.tiles { @for (name, state) in pool.members.iter().map(|of| (of.name(), of.state)) {
                                span class={ "is-" (state.as_str()) } { (shape(state.as_str())) " " (clip(name)) span.unseen { " " (state.as_str()) } }
                            } }
                        } @else { (pools::dots(pool)) }
                    }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_cards_leaves_more_than_a_row_unfilled() {
        for cards in 1..=MAX_CARDS {
            let columns = columns(cards);
            let rows = cards.div_ceil(columns);
            assert!(rows <= 4 && columns <= 6, "{cards}: {columns} by {rows}");
            assert!(columns >= rows, "{cards}: the screen is wider than high");
        }
    }
}
