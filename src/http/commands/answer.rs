//! What commands are answered, and how what keeps quiet is listed.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use engine::{Affected, Impact, NoteView, Occurrence, Receipt, Schedule, SuppressionEntry};

/// What a command did, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Effect)]
pub(in crate::http) struct Outcome {
    /// Whether it was done; `false` for a dry run.
    done: bool,
    /// Whether it survives a restart: `false` for a dry run, and while the memory cannot be written; then say it again later.
    kept: bool,
    /// The numbers of what was made or ended.
    ids: Vec<u64>,
    /// The effect, in plain words.
    #[schema(
        example = "no mail about pend00 until it is ok again; 2 bookings of the next 24 h cannot start"
    )]
    effect: String,
    /// The experiments that it is about now.
    experiments: Vec<String>,
    /// The bookings that cannot start because of it, or can again.
    #[schema(required = true)]
    bookings: Option<Bookings>,
}

/// Bookings that something affects.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AffectedBookings)]
struct Bookings {
    /// How many are under way or start within 24 h.
    next_day: usize,
    /// How many are under way or start within 7 d.
    next_week: usize,
    /// When the first starts; in the past when it is under way.
    #[schema(required = true)]
    first_start: Option<Timestamp>,
    /// Whether one is under way that its user has started.
    in_session: bool,
}

impl Bookings {
    fn new(affected: Affected) -> Self {
        let Affected {
            next_day,
            next_week,
            first_start,
            in_session,
        } = affected;
        Self {
            next_day,
            next_week,
            first_start,
            in_session,
        }
    }
}

impl Outcome {
    pub(in crate::http) fn did(receipt: Receipt) -> Self {
        let ids = receipt.ids.iter().map(|id| id.0).collect();
        Self {
            done: true,
            kept: receipt.kept,
            ids,
            ..Self::would(receipt.effect)
        }
    }

    pub(in crate::http) fn would(effect: Impact) -> Self {
        let experiments = effect
            .stubs
            .iter()
            .map(|stub| stub.as_str().to_owned())
            .collect();
        Self {
            done: false,
            kept: false,
            ids: Vec::new(),
            effect: effect.text,
            experiments,
            bookings: effect.affected.map(Bookings::new),
        }
    }
}

/// Something that keeps messages quiet.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct QuietNote {
    /// Its number, by which it can be ended; none for what stands in the configuration.
    #[schema(required = true)]
    id: Option<u64>,
    /// `acknowledgement`, `silence` or `maintenance`.
    kind: &'static str,
    /// What it is about: experiments by a name or a pattern, a component, or the whole laboratory.
    of: String,
    /// Who made it; none for readers without a token.
    #[schema(required = true)]
    by: Option<String>,
    /// Why, or what is done about it.
    text: String,
    /// When it was made.
    since: Timestamp,
    /// When it ends; none when that is not known.
    #[schema(required = true)]
    until: Option<Timestamp>,
    /// Whether it keeps quiet now.
    active: bool,
    /// When, of maintenance.
    #[schema(value_type = Option<Object>, required = true)]
    schedule: Option<Schedule>,
    /// When maintenance is or will be next.
    #[schema(required = true)]
    next: Option<Span>,
}

/// A time from and until.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Occurrence)]
struct Span {
    /// From when.
    from: Timestamp,
    /// Until when.
    until: Timestamp,
}

impl QuietNote {
    pub(super) fn new(note: &NoteView, private: bool) -> Self {
        let (kind, of, by, text, since, until, schedule) = match &note.entry {
            SuppressionEntry::Acknowledgement(ack) => (
                "acknowledgement",
                ack.subject.to_string(),
                &ack.who,
                &ack.text,
                ack.since,
                ack.until,
                None,
            ),
            SuppressionEntry::Silence(silence) => (
                "silence",
                silence.pattern.as_str().to_owned(),
                &silence.who,
                &silence.reason,
                silence.since,
                Some(silence.until),
                None,
            ),
            SuppressionEntry::Maintenance(work) => (
                "maintenance",
                work.pattern.as_str().to_owned(),
                &work.who,
                &work.reason,
                work.since,
                None,
                Some(work.schedule.clone()),
            ),
        };
        Self {
            id: note.id.map(|id| id.0),
            kind,
            of,
            by: private.then(|| by.clone()),
            text: text.clone(),
            since,
            until,
            active: note.active,
            schedule,
            next: note
                .next
                .map(|Occurrence { from, until }| Span { from, until }),
        }
    }
}
