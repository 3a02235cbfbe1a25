//! The JSON types of FT's health check standard, without logic.

use serde::Serialize;
use utoipa::ToSchema;

/// The health of categories, after FT's standard.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FtHealth)]
pub(crate) struct Document<'a> {
    /// The version of the standard's schema.
    #[schema(minimum = 1, maximum = 1)]
    pub(super) schema_version: u8,
    /// The label of the installation.
    #[schema(example = "lab")]
    pub(super) system_code: &'a str,
    /// The name of the whole.
    #[schema(example = "lab health")]
    pub(super) name: String,
    /// The requested categories and what is special about them: those that are unknown or closed,
    /// and the acknowledgement of everything.
    pub(super) description: String,
    /// One check for each experiment and component, sorted by name.
    pub(super) checks: Vec<Check<'a>>,
    /// Whether it is well.
    pub(super) ok: bool,
    /// Its severity: 1 critical, 2 a warning.
    #[schema(minimum = 1, maximum = 3, example = 2)]
    pub(super) severity: u8,
}

/// The check of an experiment or a component.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FtCheck)]
#[expect(clippy::struct_field_names, reason = "the standard's name")]
pub(crate) struct Check<'a> {
    /// The experiment or component.
    #[schema(example = "pend00")]
    pub(super) id: &'a str,
    /// The same.
    #[schema(example = "pend00")]
    pub(super) name: &'a str,
    /// Whether it can be used.
    pub(super) ok: bool,
    /// Its severity: 1 critical, 2 a warning, 3 a loss without which it can be used.
    #[schema(minimum = 1, maximum = 3, example = 2)]
    pub(super) severity: u8,
    /// The impact on users.
    #[schema(example = "cannot be used; 3 of 4 pend left")]
    pub(super) business_impact: String,
    /// What it is, and where to read more.
    pub(super) technical_summary: String,
    /// The address of the guide for repairing it; may be empty.
    pub(super) panic_guide: &'a str,
    /// What is wrong, with `ACKED - ` in front where that is acknowledged.
    pub(super) check_output: String,
    /// When there was last evidence; `null` when there was none yet.
    #[schema(required, format = DateTime)]
    pub(super) last_updated: Option<String>,
    /// The acknowledgement, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ack: Option<String>,
    /// Whether it is acknowledged.
    #[serde(rename = "_acknowledged")]
    pub(super) acknowledged: bool,
    /// When it last changed.
    #[serde(rename = "_lastChange")]
    #[schema(format = DateTime)]
    pub(super) last_change: String,
    /// How old the evidence is, in seconds.
    #[serde(rename = "_age")]
    #[schema(required)]
    pub(super) age: Option<i64>,
}

/// The single checks of categories.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FtAggregate)]
pub(crate) struct Aggregate<'a> {
    /// The version of the standard's schema.
    #[schema(minimum = 1, maximum = 1)]
    pub(super) schema_version: u8,
    /// The label of the installation.
    #[schema(example = "lab")]
    pub(super) aggregation_system_code: &'a str,
    /// The checks.
    pub(super) checks: Vec<Elementary<'a>>,
}

/// A single check and the experiment or component that it belongs to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FtSingleCheck)]
pub(crate) struct Elementary<'a> {
    /// What is checked: the topic of a stream, `jump`, `self-test`, `self`, or the name that a
    /// service gives its check.
    #[schema(example = "pend00-st-data")]
    pub(super) id: String,
    /// The same for readers.
    #[schema(example = "pend00-st-data")]
    pub(super) name: String,
    /// Whether it is well.
    pub(super) ok: bool,
    /// Its severity: 1 critical, 2 a warning, 3 a loss without which it can be used.
    #[schema(example = 2)]
    pub(super) severity: u8,
    /// The impact on users.
    pub(super) business_impact: String,
    /// What it is, and where to read more.
    pub(super) technical_summary: String,
    /// The address of the guide for repairing it; may be empty.
    pub(super) panic_guide: &'a str,
    /// What is wrong; empty where nothing is.
    pub(super) check_output: String,
    /// When there was last evidence, in RFC 3339 or as a service writes it; empty where there was
    /// none.
    pub(super) last_updated: String,
    /// The experiment or component; for a service the system code that it reports itself, if any.
    #[schema(example = "pend00")]
    pub(super) check_system_code: &'a str,
    /// The acknowledgement that a service reports with its check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ack: Option<&'a str>,
}
