//! The pages' queries of the store. Without a store they show only the events in the snapshot.

use jiff::{SignedDuration, Timestamp};

use super::answer::Answer;
use super::bars::Bar;
use super::overview::{Rows, Sketches};
use super::scale::{DAY, LONGER, Scale};
use super::timeline::{Kept, MAX_ENTRIES};
use super::view::Experiment;
use crate::store::{
    BookedTimes, Gap, Hold, OutboxQuery, Part, Range, ReadError, Reader, RowPage, Said, SourceRow,
    StoredEvent, SwitchRow, uptime_of,
};
use engine::ExperimentView;
use engine::model::Gather as _;
use engine::model::Health;

/// The most events and switches that the page of an experiment lists.
const MAX_EVENTS: usize = 50;

/// How far back the lists of a page go.
const LISTED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How far the lists reach into the future, for a clock that was set back.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// The past of one experiment.
pub(super) struct Past {
    /// The last day and, with a store, longer times.
    pub(super) bars: Vec<Bar>,
    /// Its events, newest first, with a store.
    pub(super) events: Option<RowPage<StoredEvent>>,
    /// Its switches, newest first.
    pub(super) switches: Vec<SwitchRow>,
    /// The notifications about it, newest first.
    pub(super) mentions: Vec<OutboxQuery>,
    /// Why something is missing.
    pub(super) error: Option<ReadError>,
}

/// The past of one experiment.
pub(super) async fn past(reader: Option<&Reader>, view: &ExperimentView, now: Timestamp) -> Past {
    let mut past = Past {
        bars: vec![sketch(view, &[], now)],
        events: None,
        switches: Vec::new(),
        mentions: Vec::new(),
        error: None,
    };
    let Some(reader) = reader else { return past };
    let found = async {
        let scales = [&DAY].into_iter().chain(&LONGER);
        let long = scales
            .clone()
            .map(|scale| scale.range(now))
            .min_by_key(|range| range.from)
            .unwrap_or_else(|| lately(now));
        let booked = reader
            .booked([&view.stub], so_far(now, long))
            .await?
            .remove(&view.stub)
            .unwrap_or_default();
        let mut bars = Vec::new();
        for scale in scales {
            bars.push(bar(reader, view, scale, &booked, now).await?);
        }
        past.bars = bars;
        let newest = |range| Part {
            limit: MAX_EVENTS,
            ..Part::newest(range)
        };
        let (stub, recent) = (&view.stub, newest(lately(now)));
        past.events = Some(reader.events(stub, newest(long)).await?);
        past.switches = reader.switch_page(Some(stub.clone()), recent).await?.rows;
        past.mentions = reader.mentions(stub, recent).await?.rows;
        Ok(())
    };
    past.error = found.await.err();
    past
}

/// The bar of one scale, from the store.
async fn bar(
    reader: &Reader,
    view: &ExperimentView,
    scale: &'static Scale,
    booked: &[Range],
    now: Timestamp,
) -> Answer<Bar> {
    let range = scale.range(now);
    let cells = reader.uptime(&view.stub, range, scale.step).await?;
    let booked = booked
        .iter()
        .filter(|of| of.until > range.from)
        .map(|of| Range {
            from: of.from.max(range.from),
            ..*of
        });
    Ok(Bar::new(range, scale, cells, view.first_seen).booked(booked.collect()))
}

/// The last day of the first rows of a list.
pub(super) async fn sketches<'a>(
    reader: Option<&Reader>,
    rows: &Rows<'a>,
    now: Timestamp,
) -> Sketches<'a> {
    let day = DAY.range(now);
    // Without the gaps the sketch shows what was known through them, and the page of the experiment
    // shows them.
    let gaps = match reader {
        Some(reader) => match reader.gap_page(Part::newest(day)).await {
            Ok(page) => page.rows,
            Err(_) => Vec::new(),
        },
        None => Vec::new(),
    };
    let mut booked = match reader {
        Some(reader) => reader
            .booked(rows.sketched().map(|of| &of.view.stub), so_far(now, day))
            .await
            .unwrap_or_default(),
        None => BookedTimes::new(),
    };
    let sketch = |of: &Experiment<'a>| {
        (
            of.name(),
            sketch(of.view, &gaps, now).booked(booked.remove(&of.view.stub).unwrap_or_default()),
        )
    };
    rows.sketched().map(sketch).gather()
}

/// Changes of sources and times without history.
pub(super) async fn sources(reader: &Reader, now: Timestamp) -> Answer<(Vec<SourceRow>, Vec<Gap>)> {
    let part = Part::newest(lately(now));
    Ok((
        reader.source_page(part).await?.rows,
        reader.gap_page(part).await?.rows,
    ))
}

/// Switches, changes of sources and times without data in a range, the newest of each.
pub(super) async fn laboratory(reader: &Reader, range: Range) -> Answer<Kept> {
    // One more than is shown reveals that there are more.
    let part = Part {
        limit: MAX_ENTRIES + 1,
        ..Part::newest(range)
    };
    Ok(Kept {
        switches: reader.switch_page(None, part).await?.rows,
        sources: reader.source_page(part).await?.rows,
        gaps: reader.gap_page(part).await?.rows,
    })
}

/// Manual holds, newest first.
pub(super) async fn holds(reader: &Reader, now: Timestamp) -> Answer<Vec<Hold>> {
    Ok(reader.hold_page(Part::newest(lately(now))).await?.rows)
}

/// Notifications, newest first.
pub(super) async fn outbox(reader: &Reader, now: Timestamp) -> Answer<Vec<Said>> {
    Ok(reader.said(Part::newest(lately(now))).await?.rows)
}

/// The last day, from the events in the snapshot.
fn sketch(view: &ExperimentView, gaps: &[Gap], now: Timestamp) -> Bar {
    let day = DAY.range(now);
    let before = view.events.first().map_or(view.health, |event| event.was);
    let start = (
        view.first_seen,
        if view.events.is_empty() {
            Health::Unknown
        } else {
            before
        },
    );
    let changes =
        std::iter::once(start).chain(view.events.iter().map(|event| (event.when, event.health)));
    Bar::new(
        day,
        &DAY,
        uptime_of(changes, gaps, day, DAY.step, now),
        view.first_seen,
    )
}

/// The part of a range up to now.
fn so_far(now: Timestamp, range: Range) -> Range {
    Range {
        until: now.max(range.from),
        ..range
    }
}

fn lately(now: Timestamp) -> Range {
    let from = now.checked_sub(LISTED).unwrap_or(Timestamp::MIN);
    Range {
        from,
        until: now.checked_add(AHEAD).unwrap_or(Timestamp::MAX),
    }
}
