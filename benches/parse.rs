//! Cost of parsing a report, compared with the yardstick: `serde_json` reading the same bytes into
//! a borrowed `Vec` of the fields that are kept.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::model::SourceName;
use labwatch::clients::parse;
use serde::Deserialize;

/// Experiments in a small, a large and the largest laboratory. Each has two streams.
const EXPERIMENTS: [usize; 3] = [130, 1_000, 10_000];

/// Makes a report of so many experiments.
type Make = fn(usize) -> String;

criterion_group!(benches, reports);
criterion_main!(benches);

fn reports(criterion: &mut Criterion) {
    let kinds: [(&str, SourceName, Make); 3] = [
        ("relay with statistics", SourceName::Relay, relay_with_stats),
        ("relay", SourceName::Relay, relay),
        ("jump", SourceName::Jump, jump),
    ];
    for (name, source, make) in kinds {
        let mut group = criterion.benchmark_group(name);
        for experiments in EXPERIMENTS {
            let message = make(experiments);
            group.throughput(Throughput::Bytes(message.len() as u64));
            group.bench_with_input(
                BenchmarkId::new("parse", experiments),
                message.as_bytes(),
                |bencher, bytes| {
                    bencher.iter(|| parse(source, black_box(bytes)));
                },
            );
            group.bench_with_input(
                BenchmarkId::new("yardstick", experiments),
                message.as_bytes(),
                |bencher, bytes| {
                    bencher.iter(|| yardstick(source, black_box(bytes)));
                },
            );
        }
        group.finish();
    }
}

/// Reads the bytes, drops the result, and gives the number of entries.
fn yardstick(source: SourceName, bytes: &[u8]) -> Option<usize> {
    if source == SourceName::Jump {
        serde_json::from_slice::<Vec<JumpEntry<'_>>>(bytes)
            .ok()
            .map(|entries| black_box(entries).len())
    } else {
        serde_json::from_slice::<Vec<RelayEntry<'_>>>(bytes)
            .ok()
            .map(|entries| black_box(entries).len())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only filled")]
struct RelayEntry<'a> {
    topic: &'a str,
    connected: &'a str,
    expires_at: &'a str,
    remote_addr: &'a str,
    user_agent: &'a str,
    #[serde(borrow)]
    scopes: Vec<&'a str>,
    stats: Option<RelayStats<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only filled")]
struct RelayStats<'a> {
    #[serde(borrow)]
    tx: Flow<'a>,
    #[serde(borrow)]
    rx: Flow<'a>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only filled")]
struct Flow<'a> {
    last: &'a str,
    size: f64,
    fps: f64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only filled")]
struct JumpEntry<'a> {
    topic: &'a str,
    connected_at: &'a str,
    expires_at: &'a str,
    remote_address: &'a str,
    user_agent: &'a str,
    #[serde(borrow)]
    scopes: Option<Vec<&'a str>>,
    #[serde(borrow)]
    statistcs: Last<'a>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only filled")]
struct Last<'a> {
    last: &'a str,
}

fn relay_with_stats(experiments: usize) -> String {
    relay_report(experiments, |n| {
        let last = 1 + n % 2_000;
        format!(
            r#""stats":{{"tx":{{"last":"{last}.589834ms","size":102,"fps":12.22549571823896}},"rx":{{"last":"Never","size":0,"fps":0}}}},"#
        )
    })
}

fn relay(experiments: usize) -> String {
    relay_report(experiments, |_| String::new())
}

fn relay_report(experiments: usize, stats: impl Fn(usize) -> String) -> String {
    let mut json = String::from("[");
    for n in 0..2 * experiments {
        let stream = if n % 2 == 0 { "data" } else { "video" };
        let _ = write!(
            json,
            r#"{{"canRead":true,"canWrite":true,"connected":"2026-11-21T00:02:01.761446888Z","expiresAt":"2031-11-21T00:12:01Z","remoteAddr":"10.1.{}.{}, 10.2.2.2","scopes":["read","write","expt"],{}"topic":"pend{:05}-st-{stream}","userAgent":"Go-http-client/1.1"}},"#,
            n / 256,
            n % 256,
            stats(n),
            n / 2,
        );
    }
    closed(json)
}

fn jump(experiments: usize) -> String {
    let mut json = String::from("[");
    for n in 0..experiments {
        let _ = write!(
            json,
            r#"{{"can_read":true,"can_write":true,"connected_at":"2026-11-20T23:59:43.214240602Z","expires_at":"2031-11-21T00:09:43Z","remote_address":"","scopes":["host","read","write"],"statistcs":{{"last":"2562047h47m16.854775807s"}},"topic":"pend{n:05}","user_agent":"jump-host"}},"#,
        );
    }
    closed(json)
}

fn closed(mut json: String) -> String {
    json.pop();
    json.push(']');
    json
}
