//! Bars over time: the health of an experiment in each stretch. Times without data are hatched,
//! those not evaluated dotted.

use std::fmt::Write;
use std::slice;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::scale::{Scale, millis};
use super::words::{self, spell};
use crate::store::{Bucket, Range};

/// The part of the axis, in tenths of a percent, where a tick has room; at its end is the present.
const TICKS: std::ops::RangeInclusive<i64> = 50..=870;

/// The width of a cell and the height of the bar, in units of the drawing.
const WIDTH: u32 = 10;
const HEIGHT: u32 = 40;

/// The height of the line of bookings below a bar, its distance, and the least width of a booking.
const BOOKED_HEIGHT: u32 = 6;
const BOOKED_SPACE: u32 = 4;
const BOOKED_LEAST: i64 = 2;

/// Shorter times are left out of the summary, in milliseconds.
const SAID: i64 = 1_000;

/// The least height of a bad time, so that a minute of it in a day is visible.
const LEAST: u32 = 12;

/// The layers of a bar, from good to bad.
const LAYERS: [&str; 5] = ["gap", "unknown", "ok", "degraded", "down"];

/// A bar: stretches of equal length, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    range: Range,
    scale: &'static Scale,
    cells: Vec<Bucket>,
    booked: Vec<Range>,
}

impl Bar {
    /// A bar of the history in a range. Before `known` labwatch did not know the experiment: there
    /// is no data.
    pub(super) fn new(
        range: Range,
        scale: &'static Scale,
        mut cells: Vec<Bucket>,
        known: Timestamp,
    ) -> Self {
        let (from, millis) = (range.from.as_millisecond(), millis(scale.step));
        for (at, cell) in (0_i64..).zip(&mut cells) {
            let before = known
                .as_millisecond()
                .saturating_sub(from.saturating_add(at.saturating_mul(millis)))
                .clamp(0, millis);
            let unseen = before.min(cell.unknown);
            cell.unknown -= unseen;
            cell.gap += unseen;
        }
        Self {
            range,
            scale,
            cells,
            booked: Vec::new(),
        }
    }

    /// Adds the times for which it was booked.
    pub(super) fn booked(self, booked: Vec<Range>) -> Self {
        Self { booked, ..self }
    }

    /// The whole drawing, with an axis and a tooltip for every stretch that was not ok.
    pub(super) fn draw(&self) -> Markup {
        let (width, high, title) = (self.width(), self.high(), self.scale.title);
        html! {
            figure.bar {
                figcaption { strong { (title) } " " span.soft { (self.summary()) } }
                svg class=[(!self.booked.is_empty()).then_some("high")] viewBox={ "0 0 " (width) " " (high) } preserveAspectRatio="none" role="img" aria-label={ (title) ": " (self.summary()) } {
                    @for (layer, path) in self.layers(1) { (stretch(layer, &path)) }
                    @if !self.booked.is_empty() { path.f-booked d=(self.bookings()) {} }
                    @for (at, cell) in (0_u32..).zip(&self.cells) {
                        @if let Some((range, words)) = self.tooltip(at, cell) {
                            path.tooltip d={ "M" (at * WIDTH) " 0h" (WIDTH) "v" (HEIGHT) "h-" (WIDTH) "z" } {
                                title data-from=(words::iso(range.from)) data-until=(words::iso(range.until)) data-is=(words) {
                                    (words::spell_range(range.from, range.until)) ": " (words)
                                }
                            }
                        }
                    }
                }
                (self.axis())
            }
        }
    }

    /// Ticks at whole hours or days, with their times.
    fn axis(&self) -> Markup {
        html! {
            div.ticks aria-hidden="true" {
                @for (at, moment) in self.ticks() {
                    span class={ "t" (at / 5) } data-at=[self.scale.hours.then(|| words::iso(moment))] { (moment.strftime(self.scale.form)) }
                }
                span.now { "now" }
            }
        }
    }

    /// The positions of the ticks, in tenths of a percent, and their times.
    fn ticks(&self) -> impl Iterator<Item = (i64, Timestamp)> {
        let (from, until) = (
            self.range.from.as_millisecond(),
            self.range.until.as_millisecond(),
        );
        let (step, length) = (millis(self.scale.tick), (until - from).max(1));
        let first = from.div_euclid(step).saturating_add(1);
        (first..)
            .map(move |number| number.saturating_mul(step))
            .take_while(move |at| *at < until)
            .map(move |at| ((at - from).saturating_mul(1_000) / length, at))
            .filter(|(at, _)| TICKS.contains(at))
            .filter_map(|(at, moment)| Some((at, Timestamp::from_millisecond(moment).ok()?)))
    }

    /// The drawing alone, small: for a row of a list.
    pub(super) fn sketch(&self, title: &str) -> Markup {
        html! {
            svg.sketch viewBox={ "0 0 " (self.width()) " " (self.high()) } preserveAspectRatio="none" role="img" aria-label={ (title) ": " (self.summary()) } {
                @for (layer, path) in self.layers(0) { (stretch(layer, &path)) }
                @if !self.booked.is_empty() { path.f-booked d=(self.bookings()) {} }
            }
            @if let Some(usable) = self.usable() { span.soft.small.usable aria-hidden="true" { "usable " (usable) } }
        }
    }

    /// The share of the evaluated time in which it could be used; `None` where it was not
    /// evaluated.
    fn usable(&self) -> Option<String> {
        let usable = sum(&self.cells, |cell| cell.ok + cell.degraded);
        let evaluated = usable + sum(&self.cells, |cell| cell.down);
        (evaluated > 0).then(|| percent(usable, evaluated))
    }

    /// The shares of the states, as text.
    pub(super) fn summary(&self) -> String {
        let mut words = vec![self.usable().map_or_else(
            || "not evaluated in this time".to_owned(),
            |usable| format!("usable {usable} of the evaluated time"),
        )];
        words.extend(said(&self.cells, SAID));
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

    /// Whether anything is drawn in this layer.
    fn has(&self, layer: &str) -> bool {
        self.layers(0).iter().any(|(drawn, _)| *drawn == layer)
    }

    fn width(&self) -> u32 {
        WIDTH * u32::try_from(self.cells.len()).unwrap_or(0)
    }

    /// The height of the drawing, including the line of bookings if there is one.
    fn high(&self) -> u32 {
        HEIGHT
            + if self.booked.is_empty() {
                0
            } else {
                BOOKED_SPACE + BOOKED_HEIGHT
            }
    }

    /// One path for each layer that is not empty. `space` is left between cells.
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

    /// The time and states of a cell; `None` where it was simply ok.
    fn tooltip(&self, at: u32, cell: &Bucket) -> Option<(Range, String)> {
        let step = SignedDuration::try_from(self.scale.step).ok()?;
        let begins = step.checked_mul(i32::try_from(at).ok()?)?;
        let from = self.range.from.checked_add(begins).ok()?;
        let until = from.checked_add(step).ok()?;
        let said = said(slice::from_ref(cell), 1);
        (!said.is_empty()).then(|| (Range { from, until }, said.join(", ")))
    }
}

/// One kind of time of a cell, in milliseconds.
type Part = fn(&Bucket) -> i64;

fn sum(cells: &[Bucket], part: Part) -> i64 {
    cells.iter().map(part).sum()
}

/// How long cells were not simply ok, in words; what is shorter than `least` is not said.
fn said(cells: &[Bucket], least: i64) -> Vec<String> {
    let parts: [(Part, &str); 4] = [
        (|cell| cell.down, "down"),
        (|cell| cell.degraded, "degraded"),
        (|cell| cell.unknown, "not evaluated"),
        (|cell| cell.gap, "without data"),
    ];
    let sums = parts.map(|(part, word)| (sum(cells, part), word));
    let said = sums.into_iter().filter(|(millis, _)| *millis >= least);
    said.map(|(millis, word)| format!("{} {word}", spell(SignedDuration::from_millis(millis))))
        .collect()
}

/// CSS classes for the positions of ticks, in steps of half a percent: our content security policy
/// allows no inline styles.
pub(super) fn css() -> String {
    (0..=200_u32)
        .map(|place| format!(".t{place}{{left:{}.{}%}}", place / 2, place % 2 * 5))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The legend of the colours and patterns of these bars.
pub(super) fn legend(bars: &[Bar]) -> Markup {
    let layers = [
        ("ok", "ok"),
        ("degraded", "degraded"),
        ("down", "down or flapping"),
        ("unknown", "not evaluated"),
        ("gap", "no data"),
    ];
    html! {
        p.keys {
            @for (layer, words) in layers {
                @if ["ok", "degraded", "down"].contains(&layer) || bars.iter().any(|bar| bar.has(layer)) { span.key { (swatch(layer)) (words) } " " }
            }
            @if bars.iter().any(|bar| !bar.booked.is_empty()) { span.key { (swatch("booked")) "booked" } }
        }
    }
}

/// A sample of a layer for the legend.
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

/// The boxes of a cell, each with its top and its height: good states fill the cell, bad ones rise
/// in front of them.
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

/// A percentage that never rounds to 100 % when something is missing, nor to 0 % when something is
/// there.
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
    use crate::http::page::scale::{DAY, LONGER};

    const QUARTER: i64 = 15 * 60 * 1_000;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn bar(cells: &[Bucket]) -> Bar {
        let now = at("2026-11-21T08:04:12Z");
        let range = Range {
            from: DAY.range(now).until
                - SignedDuration::from_mins(15 * i64::try_from(cells.len()).expect("few")),
            until: DAY.range(now).until,
        };
        Bar::new(range, &DAY, cells.to_vec(), Timestamp::MIN)
    }

    #[test]
    fn a_bar_ends_with_the_cell_of_now() {
        let range = DAY.range(at("2026-11-21T08:04:12Z"));
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
        let drawn = bar(&cells).draw().into_string();
        assert!(
            drawn.contains(
                "aria-label=\"24 hours: usable 50 % of the evaluated time, 14 min down\""
            ),
            "{drawn}"
        );
        assert!(
            drawn.contains(
                "<title data-from=\"2026-11-21T08:00:00Z\" data-until=\"2026-11-21T08:15:00Z\" data-is=\"14 min down\">\
                 21 Nov 08:00 to 08:15 UTC: 14 min down</title>"
            ),
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
    fn ticks_stand_at_whole_hours_and_days() {
        let now = at("2026-11-21T08:04:12Z");
        let ticks = |scale: &'static Scale| -> Vec<String> {
            let bar = Bar::new(scale.range(now), scale, Vec::new(), Timestamp::MIN);
            bar.ticks()
                .map(|(at, moment)| format!("{at} {}", moment.strftime("%d %H:%M")))
                .collect()
        };
        assert_eq!(
            ticks(&DAY),
            [
                "156 20 12:00",
                "281 20 15:00",
                "406 20 18:00",
                "531 20 21:00",
                "656 21 00:00",
                "781 21 03:00"
            ]
        );
        for scale in &LONGER {
            let ticks = ticks(scale);
            assert!((3..=8).contains(&ticks.len()), "{}: {ticks:?}", scale.title);
            assert!(
                ticks.iter().all(|tick| tick.ends_with(" 00:00")),
                "{ticks:?}"
            );
        }
    }

    #[test]
    fn before_an_experiment_was_known_there_is_no_data() {
        let cells = [Bucket {
            unknown: QUARTER,
            ..Bucket::default()
        }; 2];
        let now = at("2026-11-21T08:04:12Z");
        let range = Range {
            from: at("2026-11-21T07:45:00Z"),
            until: at("2026-11-21T08:15:00Z"),
        };
        let bar = Bar::new(range, &DAY, cells.to_vec(), at("2026-11-21T08:00:00Z"));
        assert!(now > range.from && bar.has("gap") && bar.has("unknown"));
        assert_eq!(
            bar.summary(),
            "not evaluated in this time, 15 min not evaluated, 15 min without data"
        );
        let legend = legend(&[bar]).into_string();
        assert!(
            legend.contains("no data")
                && legend.contains("not evaluated")
                && legend.contains("degraded")
                && !legend.contains("booked"),
            "{legend}"
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
