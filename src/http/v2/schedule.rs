//! The schedule of maintenance in the API: times with milliseconds, durations in seconds.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::model::Gather as _;
use jiff::civil::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::object;
use super::words::Day;
use crate::http::error::{ApiError, ApiResult, Reason};
use engine::Weekly;

/// The schedule of maintenance: once, or every week.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Schedule {
    /// One time.
    Once(#[serde(deserialize_with = "object")] Once),
    /// Every week, by the clock of a time zone.
    Weekly(#[serde(deserialize_with = "object")] EveryWeek),
}

/// One time.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Once {
    /// The start.
    #[serde(serialize_with = "with_millis")]
    from: jiff::Timestamp,
    /// The end, exclusive.
    #[serde(serialize_with = "with_millis")]
    until: jiff::Timestamp,
}

/// A time that recurs every week.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EveryWeek {
    /// The days on which it begins.
    #[schema(min_items = 1, max_items = 7)]
    days: Vec<Day>,
    /// When it begins, in the time zone.
    #[schema(value_type = String, example = "08:00:00", pattern = "^[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?$")]
    starts: Time,
    /// How long it lasts on the clocks of the time zone, in seconds; at most a week.
    #[schema(minimum = 1, maximum = 604_800, example = 7200)]
    lasts_seconds: u64,
    /// The time zone, by its IANA name.
    #[schema(example = "Europe/London", min_length = 1, max_length = 64)]
    zone: String,
}

fn with_millis<S: serde::Serializer>(
    at: &jiff::Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    super::time::Timestamp::from(*at).serialize(serializer)
}

impl Schedule {
    /// The engine's form.
    pub(super) fn checked(self) -> ApiResult<engine::Schedule> {
        match self {
            Self::Once(Once { from, until }) => Ok(engine::Schedule::Once { from, until }),
            Self::Weekly(week) => {
                let days: BTreeSet<_> = week.days.into_iter().map(engine::Day::from).gather();
                let lasts = Duration::from_secs(week.lasts_seconds);
                Weekly::try_new(days, week.starts, lasts, &week.zone)
                    .map(engine::Schedule::Weekly)
                    .map_err(|why| ApiError::new(Reason::InvalidTime, format!("schedule: {why}")))
            }
        }
    }
}

impl From<&engine::Schedule> for Schedule {
    fn from(schedule: &engine::Schedule) -> Self {
        match schedule {
            engine::Schedule::Once { from, until } => Self::Once(Once {
                from: *from,
                until: *until,
            }),
            engine::Schedule::Weekly(weekly) => Self::Weekly(EveryWeek {
                days: weekly.days().map(Day::from).collect(),
                starts: weekly.starts(),
                lasts_seconds: weekly.lasts().as_secs(),
                zone: weekly.zone_name().to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Result<String, String> {
        let schedule: Schedule = serde_json::from_str(text).map_err(|why| why.to_string())?;
        let checked = schedule.checked().map_err(|why| why.detail().to_owned())?;
        serde_json::to_string(&Schedule::from(&checked)).map_err(|why| why.to_string())
    }

    #[test]
    fn a_schedule_is_written_as_it_was_read() {
        let weekly = r#"{"weekly":{"days":["mon","fri"],"starts":"08:00:00","lasts_seconds":7200,"zone":"Europe/London"}}"#;
        assert_eq!(taken(weekly).as_deref(), Ok(weekly));
        let once =
            r#"{"once":{"from":"2026-11-21T08:00:00Z","until":"2026-11-21T10:00:00+01:00"}}"#;
        let written =
            r#"{"once":{"from":"2026-11-21T08:00:00.000Z","until":"2026-11-21T09:00:00.000Z"}}"#;
        assert_eq!(taken(once).as_deref(), Ok(written));
        for wrong in [
            r#"{"weekly":{"days":[],"starts":"08:00","lasts_seconds":7200,"zone":"UTC"}}"#,
            r#"{"weekly":{"days":["mon"],"starts":"08:00","lasts_seconds":0,"zone":"UTC"}}"#,
            r#"{"weekly":{"days":["mon"],"starts":"08:00","lasts_seconds":60,"zone":"Moon/Sea"}}"#,
            r#"{"weekly":{"days":["mon"],"starts":"08:00","lasts":"2h","zone":"UTC"}}"#,
            r#"{"daily":{}}"#,
        ] {
            assert!(taken(wrong).is_err(), "{wrong}");
        }
    }
}
