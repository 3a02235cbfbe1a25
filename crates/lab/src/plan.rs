//! Configuration of a simulated laboratory before its start. Data only.

use std::time::Duration;

/// The default interval of reports of relay and jump: short enough to watch.
const LIVELY: Duration = Duration::from_secs(2);

/// The pause that the real relay makes before each wait for its next report.
const RELAY_PAUSE: Duration = Duration::from_secs(1);

/// How long the real experiments take to come back to a restarted server, at most.
const RETURN_WITHIN: Duration = Duration::from_secs(10);

/// The configuration of a laboratory. All of it may be changed before the start.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The experiments, connected from the start.
    pub experiments: Vec<ExperimentPlan>,
    /// Which relay is simulated.
    pub relay: RelayVersion,
    /// relay's own interval; reports come every `relay_every + relay_pause`.
    pub relay_every: Duration,
    /// relay's pause before each wait, 1 s in the real one: requested reports come at most this
    /// often.
    pub relay_pause: Duration,
    /// How often jump reports.
    pub jump_every: Duration,
    /// Within which time after a restart of relay or jump the experiments connect again.
    pub return_within: Duration,
    /// Whether relay takes tokens without a booking id.
    pub allow_no_booking_id: bool,
    /// Whether some of its experiments are booked, one of four now.
    pub booked: bool,
    /// The secrets that tokens are signed with.
    pub secrets: Secrets,
    /// The servers' audiences (`aud`); `None` for the address that they listen on.
    pub audiences: Audiences,
    /// Where they listen, on 127.0.0.1.
    pub ports: Ports,
}

/// An experiment of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentPlan {
    /// Its name, for example `pend00`: jump's topic, and the prefix of its streams' topics.
    pub stub: String,
    /// Book's name for it, or `None` when book does not list it.
    pub resource: Option<String>,
    /// Its streams.
    pub streams: Vec<StreamPlan>,
}

/// A stream of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamPlan {
    /// Its key in book's manifest, for example `st-data`.
    pub key: String,
    /// Whether book's manifest names it.
    pub required: bool,
    /// Messages a second, above 0.
    pub fps: f64,
    /// The size of each, in bytes.
    pub size: u32,
}

/// The version of relay: they report different data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayVersion {
    /// v0.6.5 to v0.7.0: reports carry statistics, and times have nanoseconds.
    V07,
    /// v0.8.0 and later: no statistics, times in whole seconds.
    V08,
}

/// The secrets of the three servers.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// book's admin secret.
    pub book: String,
    /// jump's.
    pub jump: String,
    /// relay's.
    pub relay: String,
}

/// The audiences of the servers, for `aud`.
#[derive(Debug, Clone, Default)]
pub struct Audiences {
    /// book's, without `/api/v1`.
    pub book: Option<String>,
    /// jump's, without `/api/v1`.
    pub jump: Option<String>,
    /// relay's access address.
    pub relay: Option<String>,
}

/// Ports to listen on; 0 for any that is free.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    /// book.
    pub book: u16,
    /// jump's access API.
    pub jump_access: u16,
    /// jump's websocket.
    pub jump_socket: u16,
    /// relay's access API.
    pub relay_access: u16,
    /// relay's websocket.
    pub relay_socket: u16,
    /// The mail catcher.
    pub mail: u16,
    /// The pages that students open.
    pub pages: u16,
}

impl Plan {
    /// A plan with these experiments, a relay that reports statistics, and a report about every two seconds.
    #[must_use]
    pub fn new(experiments: Vec<ExperimentPlan>) -> Self {
        Self {
            experiments,
            relay: RelayVersion::V07,
            relay_every: LIVELY.saturating_sub(RELAY_PAUSE),
            relay_pause: RELAY_PAUSE,
            jump_every: LIVELY,
            return_within: RETURN_WITHIN,
            allow_no_booking_id: false,
            booked: false,
            secrets: Secrets {
                book: "book-secret".into(),
                jump: "jump-secret".into(),
                relay: "relay-secret".into(),
            },
            audiences: Audiences::default(),
            ports: Ports::default(),
        }
    }

    /// A plan with `size` experiments named `pend00`, `spin00`, `trus00`, `pend01` and so on, each with a data and a video stream.
    #[must_use]
    pub fn fleet(size: usize) -> Self {
        const FAMILIES: [&str; 3] = ["pend", "spin", "trus"];
        let rounds = (0..).flat_map(|number| FAMILIES.map(|family| format!("{family}{number:02}")));
        Self::new(
            rounds
                .take(size)
                .map(|stub| ExperimentPlan::new(&stub))
                .collect(),
        )
    }
}

impl ExperimentPlan {
    /// An experiment with a data and a video stream, both required, listed in book as `r-` and its name.
    #[must_use]
    pub fn new(stub: &str) -> Self {
        Self {
            stub: stub.to_owned(),
            resource: Some(format!("r-{stub}")),
            streams: vec![StreamPlan::data(), StreamPlan::video()],
        }
    }

    /// The same, but not listed in book.
    #[must_use]
    pub fn unlisted(stub: &str) -> Self {
        Self {
            resource: None,
            ..Self::new(stub)
        }
    }
}

impl StreamPlan {
    /// `st-data`: ten readings a second.
    #[must_use]
    pub fn data() -> Self {
        Self {
            key: "st-data".into(),
            required: true,
            fps: 10.0,
            size: 102,
        }
    }

    /// `st-video`: 25 frames a second, each seven transport packets.
    #[must_use]
    pub fn video() -> Self {
        Self {
            key: "st-video".into(),
            required: true,
            fps: 25.0,
            size: 1316,
        }
    }
}
