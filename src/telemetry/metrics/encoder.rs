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

/// Writes metrics without labels, each with its help as its documentation.
macro_rules! unlabelled {
    ($encoder:expr; $(#[doc = $help:literal] $kind:ident $name:ident: $value:expr;)+) => {
        $($encoder.$kind(stringify!($name), $help.trim_ascii_start(), $value)?;)+
    };
}
pub(super) use unlabelled;

impl<'a> Encoder<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// A family of gauges, each with its labels.
    pub(super) fn gauges<'l, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        name: &'static str,
        help: &str,
        all: impl IntoIterator<Item = ([Label<'l>; N], V)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, help, MetricType::Gauge)?;
        let mut all = all.into_iter();
        all.try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
    }

    /// A family of counters, each with its labels; the format puts `_total` behind the name.
    pub(super) fn counts<'l, const N: usize, V: EncodeCounterValue>(
        &mut self,
        name: &'static str,
        help: &str,
        all: impl IntoIterator<Item = ([Label<'l>; N], V)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, help, MetricType::Counter)?;
        all.into_iter().try_for_each(|(labels, value)| {
            let mut one = family.encode_family(&labels)?;
            one.encode_counter::<[Label<'_>; 0], _, u64>(&value, None)
        })
    }

    pub(super) fn gauge(
        &mut self,
        name: &'static str,
        help: &str,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.begin(name, help, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    /// A histogram: of each bucket the upper bound, and how many are in it and in none before.
    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &str,
        sum: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.begin(name, help, MetricType::Histogram)?
            .encode_histogram::<[Label<'_>; 0]>(sum, count, buckets, None)
    }

    pub(super) fn count(
        &mut self,
        name: &'static str,
        help: &str,
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        self.begin(name, help, MetricType::Counter)?
            .encode_counter::<[Label<'_>; 0], _, u64>(&value, None)
    }

    fn begin(
        &mut self,
        name: &'static str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }
}
