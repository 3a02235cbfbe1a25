//! The canary's last hour as a small chart: a bar for each minute, as high as its messages took,
//! and full height where some were lost.

use std::time::Duration;

use maud::{Markup, html};

use engine::{CanaryMinute, CanaryView};

/// The width of a bar and the height of the chart, in its own units.
const BAR: usize = 4;
const HIGH: u128 = 32;

/// The least full scale of the chart, so that a quick relay does not look slow.
const SCALE_AT_LEAST: Duration = Duration::from_millis(100);

/// The chart; nothing before the first message.
pub(super) fn chart(canary: &CanaryView) -> Markup {
    let medians = canary.minutes.iter().filter_map(|minute| minute.median);
    let most = medians.max().unwrap_or_default().max(SCALE_AT_LEAST);
    let is_empty = |minute: &CanaryMinute| minute.arrived + minute.lost == 0;
    let width = canary.minutes.len() * BAR;
    html! {
        @if !canary.minutes.iter().all(is_empty) {
            svg width=(width) height=(HIGH) viewBox={ "0 0 " (width) " " (HIGH) } fill="currentColor" role="img" aria-label=(summary(canary)) {
                title { (summary(canary)) }
                rect x="0" y=(HIGH - 1) width=(width) height="1" fill-opacity="0.4" {}
                @for (place, minute) in canary.minutes.iter().enumerate() {
                    (bar(place, minute, most))
                }
            }
        }
    }
}

fn bar(place: usize, minute: &CanaryMinute, most: Duration) -> Markup {
    let left = place * BAR;
    let high = minute.median.map(|median| height(median, most));
    html! {
        @if minute.lost > 0 {
            rect x=(left) y="0" width=(BAR - 1) height=(HIGH) fill-opacity="0.25" {}
            rect x=(left) y="0" width=(BAR - 1) height="4" {}
        }
        @if let Some(high) = high {
            rect x=(left) y=(HIGH - high) width=(BAR - 1) height=(high) fill-opacity="0.7" {}
        }
    }
}

/// At least 1, so that a message that arrived is visible.
fn height(median: Duration, most: Duration) -> u128 {
    let high = median.as_micros() * HIGH / most.as_micros().max(1);
    high.clamp(1, HIGH)
}

/// The text alternative of the chart.
fn summary(canary: &CanaryView) -> String {
    let lossy = canary
        .minutes
        .iter()
        .filter(|minute| minute.lost > 0)
        .count();
    let slowest = canary
        .minutes
        .iter()
        .filter_map(|minute| minute.median)
        .max();
    let slowest = slowest.map_or_else(
        || "no message arrived".to_owned(),
        |slowest| {
            format!(
                "the slowest minute took {} ms in the middle",
                slowest.as_millis()
            )
        },
    );
    format!("The canary's last hour by minutes: {slowest}, messages were lost in {lossy} of them")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(minutes: &[(u32, u32, Option<u64>)]) -> CanaryView {
        let minute = |&(arrived, lost, median): &(u32, u32, Option<u64>)| CanaryMinute {
            arrived,
            lost,
            median: median.map(Duration::from_millis),
        };
        CanaryView {
            minutes: minutes.iter().map(minute).collect(),
            ..CanaryView::default()
        }
    }

    #[test]
    fn minutes_are_bars_and_losses_are_marked() {
        let view = canary(&[
            (60, 0, Some(50)),
            (0, 0, None),
            (58, 2, Some(200)),
            (0, 60, None),
        ]);
        let chart = chart(&view).into_string();
        assert_eq!(chart.matches("fill-opacity=\"0.7\"").count(), 2, "{chart}");
        assert_eq!(chart.matches("fill-opacity=\"0.25\"").count(), 2, "{chart}");
        for part in [
            "y=\"24\" width=\"3\" height=\"8\"",
            "height=\"32\" fill-opacity=\"0.7\"",
            "200 ms",
            "lost in 2 of them",
        ] {
            assert!(chart.contains(part), "{part} in {chart}");
        }
    }

    #[test]
    fn without_messages_there_is_no_chart() {
        assert_eq!(chart(&canary(&[(0, 0, None)])).into_string(), "");
        assert_eq!(chart(&canary(&[])).into_string(), "");
    }
}
