//! Helpers of the Prometheus encoder: one family after the other, each with its help, its labels
//! and its values. Knows no metric.

#![expect(clippy::needless_pass_by_value, reason = "the values are numbers")]

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder,
};
use prometheus_client::metrics::MetricType;

pub(super) type Label<'a> = (&'a str, &'a str);

pub(super) struct Encoder<'a>(DescriptorEncoder<'a>);

/// A family of gauges in progress.
pub(super) struct Gauges<'a>(MetricEncoder<'a>);

/// A family of counters in progress.
pub(super) struct Counts<'a>(MetricEncoder<'a>);

impl<'a> Encoder<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        help: &str,
    ) -> Result<Gauges<'_>, fmt::Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)
            .map(Gauges)
    }

    /// Begins a family of counters; the format appends `_total` to the name.
    pub(super) fn counts(
        &mut self,
        name: &'static str,
        help: &str,
    ) -> Result<Counts<'_>, fmt::Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)
            .map(Counts)
    }

    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    /// A histogram: of each bucket the upper bound, and how many are in it and in none before.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        sum: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<[Label<'_>; 0]>(sum, count, buckets, None)
    }

    pub(super) fn count(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<[Label<'_>; 0], _, u64>(&value, None)
    }
}

impl Gauges<'_> {
    pub(super) fn set<const N: usize>(
        &mut self,
        labels: [Label<'_>; N],
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0.encode_family(&labels)?.encode_gauge(&value)
    }
}

impl Counts<'_> {
    pub(super) fn set<const N: usize>(
        &mut self,
        labels: [Label<'_>; N],
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        self.0
            .encode_family(&labels)?
            .encode_counter::<[Label<'_>; 0], _, u64>(&value, None)
    }
}
