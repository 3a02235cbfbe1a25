//! Bars by time: what an experiment was like in each stretch of it. Times without data are left open, and unknown ones hatched.

use std::fmt::Write;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::words::{self, spell};
use crate::store::{Bucket, Range};

/// The cells of a day: a quarter of an hour each.
pub(super) const DAY_CELLS: u32 = 96;

/// How long a cell of the day is.
pub(super) const DAY_STEP: Duration = Duration::from_secs(15 * 60);

/// The cells of the long bar: a day each.
pub(super) const LONG_CELLS: u32 = 90;

/// How long a cell of the long bar is.
pub(super) const LONG_STEP: Duration = Duration::from_secs(24 * 60 * 60);

/// How wide a cell is drawn, and how high the bar is, in units of the drawing.
const WIDTH: u32 = 10;
const HEIGHT: u32 = 40;

/// How high the line of bookings below a bar is drawn, and how far below it; and how wide a booking is at least.
const BOOKED_HEIGHT: u32 = 6;
const BOOKED_SPACE: u32 = 4;
const BOOKED_LEAST: i64 = 2;

/// What is shorter is not said, in milliseconds.
const SAID: i64 = 1_000;

/// The least height of something bad, so that a minute of it in a day is seen.
const LEAST: u32 = 12;

/// How the stretches of a bar are drawn, from good to bad.
const LAYERS: [&str; 5] = ["gap", "unknown", "ok", "degraded", "down"];

/// A bar: stretches of equal length, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    range: Range,
    step: Duration,
    cells: Vec<Bucket>,
    booked: Vec<Range>,
}

/// The range of a bar of so many cells that ends with the one in which `now` is.
pub(super) fn range(now: Timestamp, step: Duration, cells: u32) -> Range {
    let millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
    let until = (now.as_millisecond().div_euclid(millis) + 1).saturating_mul(millis);
    let from = until.saturating_sub(millis.saturating_mul(i64::from(cells)));
    let moment = |millis| Timestamp::from_millisecond(millis).unwrap_or(now);
    Range {
        from: moment(from),
        until: moment(until),
    }
}

impl Bar {
    /// A bar of what the history tells of a range. Before `known` there was nothing to be known: that is left empty.
    pub(super) fn new(
        range: Range,
        step: Duration,
        mut cells: Vec<Bucket>,
        known: Timestamp,
    ) -> Self {
        let (from, millis) = (
            range.from.as_millisecond(),
            i64::try_from(step.as_millis()).unwrap_or(i64::MAX),
        );
        for (at, cell) in (0_i64..).zip(&mut cells) {
            let before = known
                .as_millisecond()
                .saturating_sub(from.saturating_add(at.saturating_mul(millis)))
                .clamp(0, millis);
            let unseen = before.min(cell.unknown);
            cell.unknown -= unseen;
            cell.gap -= (before - unseen).min(cell.gap);
        }
        Self {
            range,
            step,
            cells,
            booked: Vec::new(),
        }
    }

    /// The same with the times for which it was booked.
    pub(super) fn booked(self, booked: Vec<Range>) -> Self {
        Self { booked, ..self }
    }

    /// The whole drawing, with an axis and a word for every stretch that was not ok.
    pub(super) fn draw(&self, title: &str, now: Timestamp) -> Markup {
        let (width, high) = (self.width(), self.high());
        html! {
            figure.bar {
                figcaption { strong { (title) } " " span.soft { (self.summary()) } }
                svg class=[(!self.booked.is_empty()).then_some("high")] viewBox={ "0 0 " (width) " " (high) } preserveAspectRatio="none" role="img" aria-label={ (title) ": " (self.summary()) } {
                    @for (layer, path) in self.layers(1) { (stretch(layer, &path)) }
                    @if !self.booked.is_empty() { path.f-booked d=(self.bookings()) {} }
                    @for (at, cell) in (0_u32..).zip(&self.cells) {
                        @if let Some(words) = self.telling(at, cell, now) {
                            path.tell d={ "M" (at * WIDTH) " 0h" (WIDTH) "v" (HEIGHT) "h-" (WIDTH) "z" } { title { (words) } }
                        }
                    }
                }
                div.axis {
                    (words::time(self.range.from, now))
                    span.keys {
                        @for (layer, words) in [("unknown", "not evaluated"), ("gap", "no data")] {
                            @if self.has(layer) { span.key { (swatch(layer)) (words) } }
                        }
                        @if !self.booked.is_empty() { span.key { (swatch("booked")) "booked" } }
                    }
                    span { "now" }
                }
            }
        }
    }

    /// The drawing alone, small: for a row of a list.
    pub(super) fn sketch(&self, title: &str) -> Markup {
        html! {
            svg.sketch viewBox={ "0 0 " (self.width()) " " (self.high()) } preserveAspectRatio="none" role="img" aria-label={ (title) ": " (self.summary()) } {
                @for (layer, path) in self.layers(0) { (stretch(layer, &path)) }
                @if !self.booked.is_empty() { path.f-booked d=(self.bookings()) {} }
            }
        }
    }

    /// How much of the time it was what, in words.
    pub(super) fn summary(&self) -> String {
        let sum = |part: fn(&Bucket) -> i64| self.cells.iter().map(part).sum::<i64>();
        let (ok, degraded, down) = (sum(|b| b.ok), sum(|b| b.degraded), sum(|b| b.down));
        let evaluated = ok + degraded + down;
        let mut words = Vec::new();
        if evaluated > 0 {
            words.push(format!(
                "usable {} of the evaluated time",
                percent(ok + degraded, evaluated)
            ));
        } else {
            words.push("not evaluated in this time".to_owned());
        }
        for (millis, as_str) in [
            (down, "down"),
            (degraded, "degraded"),
            (sum(|b| b.unknown), "unknown"),
            (sum(|b| b.gap), "without data"),
        ] {
            if millis >= SAID {
                words.push(format!(
                    "{} {as_str}",
                    spell(SignedDuration::from_millis(millis))
                ));
            }
        }
        if !self.booked.is_empty() {
            let whole = self
                .booked
                .iter()
                .map(|of| of.until.duration_since(of.from))
                .sum::<SignedDuration>();
            words.push(format!(
                "booked {} in {}",
                spell(whole),
                words::count(self.booked.len(), "session")
            ));
        }
        words.join(", ")
    }

    /// The line of bookings below the bar, each from its start to its end.
    fn bookings(&self) -> String {
        let (from, whole) = (
            self.range.from.as_millisecond(),
            self.range
                .until
                .duration_since(self.range.from)
                .as_millis()
                .max(1),
        );
        let at = |moment: Timestamp| {
            let units =
                i128::from(moment.as_millisecond() - from) * i128::from(self.width()) / whole;
            i64::try_from(units).unwrap_or_default()
        };
        let mut path = String::new();
        for of in &self.booked {
            let (left, right) = (at(of.from), at(of.until));
            let _ = write!(
                path,
                "M{left} {}h{1}v{BOOKED_HEIGHT}h-{1}z",
                HEIGHT + BOOKED_SPACE,
                (right - left).max(BOOKED_LEAST)
            );
        }
        path
    }

    /// Whether anything of it is drawn so.
    fn has(&self, layer: &str) -> bool {
        self.layers(0).iter().any(|(drawn, _)| *drawn == layer)
    }

    fn width(&self) -> u32 {
        WIDTH * u32::try_from(self.cells.len()).unwrap_or(0)
    }

    /// How high the drawing is, with the line of bookings where there are any.
    fn high(&self) -> u32 {
        HEIGHT
            + if self.booked.is_empty() {
                0
            } else {
                BOOKED_SPACE + BOOKED_HEIGHT
            }
    }

    /// One path for each way of drawing, with what there is of it. `space` is left between cells.
    fn layers(&self, space: u32) -> Vec<(&'static str, String)> {
        let mut paths = LAYERS.map(|layer| (layer, String::new()));
        for (at, cell) in (0_u32..).zip(&self.cells) {
            for (layer, (top, height)) in boxes(cell) {
                if let Some((_, path)) = paths.iter_mut().find(|(name, _)| *name == layer) {
                    let (left, wide) = (at * WIDTH, WIDTH - 2 * space);
                    let _ = write!(path, "M{} {top}h{wide}v{height}h-{wide}z", left + space);
                }
            }
        }
        paths
            .into_iter()
            .filter(|(_, path)| !path.is_empty())
            .collect()
    }

    /// What a cell was like, where it was not simply ok.
    fn telling(&self, at: u32, cell: &Bucket, now: Timestamp) -> Option<String> {
        let parts = [
            (cell.down, "down"),
            (cell.degraded, "degraded"),
            (cell.unknown, "unknown"),
            (cell.gap, "without data"),
        ];
        let said: Vec<_> = parts
            .iter()
            .filter(|(millis, _)| *millis > 0)
            .map(|(millis, as_str)| (*millis, *as_str))
            .collect();
        let begins = self
            .range
            .from
            .checked_add(
                SignedDuration::try_from(self.step)
                    .ok()?
                    .checked_mul(i32::try_from(at).ok()?)?,
            )
            .ok()?;
        let said: Vec<_> = said
            .iter()
            .map(|(millis, as_str)| {
                format!("{} {as_str}", spell(SignedDuration::from_millis(*millis)))
            })
            .collect();
        (!said.is_empty()).then(|| {
            format!(
                "{}, {} ago: {}",
                words::iso(begins),
                words::spell_between(begins, now),
                said.join(", ")
            )
        })
    }
}

/// A small piece of a way of drawing, to stand beside its words.
fn swatch(layer: &str) -> Markup {
    html! {
        svg.swatch viewBox="0 0 24 10" aria-hidden="true" {
            @if layer == "booked" { path.f-booked d="M0 3h24v5h-24z" {} } @else { (stretch(layer, "M0 0h24v10h-24z")) }
        }
    }
}

fn stretch(layer: &str, path: &str) -> Markup {
    html! {
        @match layer {
            "gap" => path fill="url(#h-gap)" d=(path) {},
            "unknown" => path fill="url(#h-unknown)" d=(path) {},
            _ => path class={ "f-" (layer) } d=(path) {},
        }
    }
}

/// The boxes that a cell is drawn as, each with its top and its height: what is good fills the cell, what is bad rises in front of it.
fn boxes(cell: &Bucket) -> Vec<(&'static str, (u32, u32))> {
    let whole = cell.ok + cell.degraded + cell.down + cell.unknown + cell.gap;
    if whole <= 0 {
        return Vec::new();
    }
    let ground = [
        (cell.ok, "ok"),
        (cell.unknown, "unknown"),
        (cell.gap, "gap"),
    ]
    .into_iter()
    .max_by_key(|(millis, _)| *millis);
    let ground = ground
        .filter(|(millis, _)| *millis > 0)
        .map(|(_, layer)| layer);
    let (down, degraded) = (height(cell.down, whole), height(cell.degraded, whole));
    let degraded = degraded.min(HEIGHT - down);
    let mut boxes = Vec::new();
    let bad = down + degraded;
    if let Some(layer) = ground.filter(|_| bad < HEIGHT) {
        boxes.push((layer, (0, HEIGHT - bad)));
    }
    let degraded = if ground.is_none() {
        HEIGHT - down
    } else {
        degraded
    };
    for (layer, top, height) in [
        ("degraded", HEIGHT - down - degraded, degraded),
        ("down", HEIGHT - down, down),
    ] {
        if height > 0 {
            boxes.push((layer, (top, height)));
        }
    }
    boxes
}

fn height(part: i64, whole: i64) -> u32 {
    if part <= 0 {
        return 0;
    }
    u32::try_from(part * i64::from(HEIGHT) / whole)
        .unwrap_or(HEIGHT)
        .clamp(LEAST, HEIGHT)
}

/// A share as people read it: never 100 % when something is missing, never 0 % when something is there.
pub(super) fn percent(part: i64, whole: i64) -> String {
    let tenths = part.saturating_mul(1_000) / whole.max(1);
    let tenths = if part < whole { tenths.min(999) } else { 1_000 };
    let tenths = if part > 0 { tenths.max(1) } else { 0 };
    if tenths % 10 == 0 {
        format!("{} %", tenths / 10)
    } else {
        format!("{}.{} %", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTER: i64 = 15 * 60 * 1_000;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn bar(cells: &[Bucket]) -> Bar {
        let now = at("2026-11-21T08:04:12Z");
        Bar::new(
            range(now, DAY_STEP, u32::try_from(cells.len()).expect("few")),
            DAY_STEP,
            cells.to_vec(),
            Timestamp::MIN,
        )
    }

    #[test]
    fn a_bar_ends_with_the_cell_of_now() {
        let range = range(at("2026-11-21T08:04:12Z"), DAY_STEP, DAY_CELLS);
        assert_eq!(
            (range.from, range.until),
            (at("2026-11-20T08:15:00Z"), at("2026-11-21T08:15:00Z"))
        );
    }

    #[test]
    fn cells_are_boxes() {
        type Boxes<'a> = &'a [(&'static str, (u32, u32))];
        let rows: [(Bucket, Boxes<'_>); 7] = [
            (
                Bucket {
                    ok: QUARTER,
                    ..Bucket::default()
                },
                &[("ok", (0, 40))],
            ),
            (
                Bucket {
                    down: QUARTER,
                    ..Bucket::default()
                },
                &[("down", (0, 40))],
            ),
            (
                Bucket {
                    ok: QUARTER - 1,
                    down: 1,
                    ..Bucket::default()
                },
                &[("ok", (0, 28)), ("down", (28, 12))],
            ),
            (
                Bucket {
                    ok: 2,
                    degraded: 1,
                    down: 1,
                    ..Bucket::default()
                },
                &[("ok", (0, 16)), ("degraded", (16, 12)), ("down", (28, 12))],
            ),
            (
                Bucket {
                    degraded: 1,
                    down: 1,
                    ..Bucket::default()
                },
                &[("degraded", (0, 20)), ("down", (20, 20))],
            ),
            (
                Bucket {
                    gap: 2,
                    unknown: 1,
                    ..Bucket::default()
                },
                &[("gap", (0, 40))],
            ),
            (Bucket::default(), &[]),
        ];
        for (cell, expected) in rows {
            assert_eq!(boxes(&cell), expected, "{cell:?}");
        }
    }

    #[test]
    fn the_bar_says_what_it_shows() {
        let cells = [
            Bucket {
                ok: QUARTER,
                ..Bucket::default()
            },
            Bucket {
                ok: 1,
                down: QUARTER - 1,
                ..Bucket::default()
            },
        ];
        let drawn = bar(&cells)
            .draw("24 hours", at("2026-11-21T08:04:12Z"))
            .into_string();
        assert!(
            drawn.contains(
                "aria-label=\"24 hours: usable 50 % of the evaluated time, 14 min down\""
            ),
            "{drawn}"
        );
        assert!(
            drawn.contains("<title>2026-11-21T08:00:00Z, 4 min ago: 14 min down</title>"),
            "{drawn}"
        );
        assert_eq!(
            bar(&[Bucket {
                gap: QUARTER,
                ..Bucket::default()
            }])
            .summary(),
            "not evaluated in this time, 15 min without data"
        );
    }

    #[test]
    fn bookings_are_a_line_below_the_bar() {
        let cells = [Bucket {
            ok: QUARTER,
            ..Bucket::default()
        }; 4];
        let booked = vec![
            Range {
                from: at("2026-11-21T07:15:00Z"),
                until: at("2026-11-21T07:45:00Z"),
            },
            Range {
                from: at("2026-11-21T08:00:00Z"),
                until: at("2026-11-21T08:00:30Z"),
            },
        ];
        let bar = bar(&cells).booked(booked);
        assert_eq!(bar.bookings(), "M0 44h20v6h-20zM30 44h2v6h-2z");
        let small = bar.sketch("last 24 hours").into_string();
        assert!(
            small.contains("viewBox=\"0 0 40 50\"")
                && small.contains("<path class=\"f-booked\" d=\"M0 44h20v6h-20zM30 44h2v6h-2z\">"),
            "{small}"
        );
        assert!(
            bar.summary()
                .ends_with(", booked 30 min 30 s in 2 sessions")
                || bar.summary().ends_with(", booked 30 min in 2 sessions"),
            "{}",
            bar.summary()
        );
    }

    #[test]
    fn a_share_is_never_flattered() {
        for (part, whole, text) in [
            (1, 1, "100 %"),
            (99_999, 100_000, "99.9 %"),
            (1, 100_000, "0.1 %"),
            (0, 5, "0 %"),
            (1, 2, "50 %"),
        ] {
            assert_eq!(percent(part, whole), text);
        }
    }
}
