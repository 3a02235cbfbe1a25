//! The reports of relay and jump in the simulator.

use std::time::Duration;

use engine::{Connection, Report, Scopes, Traffic};

use super::{Simulator, steady};
use crate::Role;

impl Simulator {
    pub(super) fn relay_report(&self, now: Duration, left_out: u32) -> Report {
        let mut report = Report::with_capacity(self.fleet.streams().count());
        report.set_started(&format!("start {}", self.relay.started));
        let fleet = &self.fleet;
        let streams = fleet
            .streams()
            .filter(|stream| !fleet.is_among_first(stream.stub(), left_out));
        for stream in streams {
            let connected = stream.links.iter();
            for link in connected.filter(|link| link.connected <= steady(now)) {
                let last = link.sent(&stream.plan, steady(now)).last;
                let last = last.map(|last| steady(now).duration_since(last).unsigned_abs());
                let own = if link.role == Role::User {
                    Scopes::USER
                } else {
                    Scopes::EXPT
                };
                let scopes = Scopes::READ.with(Scopes::WRITE).with(own);
                self.push(&mut report, stream.topic(), last, scopes);
            }
        }
        if self.junk {
            self.push_junk(&mut report);
        }
        report
    }

    fn push_junk(&self, report: &mut Report) {
        let long = "x".repeat(70_000);
        let of_users = [
            "",
            "-st-",
            "../../etc",
            "a\u{7}b-st-data",
            &long,
            "pend00-st-data",
            "canary",
        ];
        for topic in of_users {
            self.push(report, topic, None, Scopes::READ.with(Scopes::USER));
        }
        for topic in ["", "-st-", "canary", "a\u{7}b-st-data", &long] {
            self.push(report, topic, None, Scopes::READ.with(Scopes::EXPT));
        }
    }

    fn push(&self, report: &mut Report, topic: &str, last: Option<Duration>, scopes: Scopes) {
        let traffic = self.statistics.then_some(Traffic {
            last,
            size: 200,
            fps: 4.0,
        });
        report.push(Connection {
            topic,
            scopes,
            connected: "2026-11-21T00:00:00Z",
            expires: "2026-11-22T00:00:00Z",
            remote: "10.0.0.1",
            user_agent: "",
            tx: traffic,
            rx: traffic,
        });
    }

    pub(super) fn jump_report(&self, now: Duration, left_out: u32) -> Report {
        let mut report = Report::default();
        report.set_started(&format!("start {}", self.jump.started));
        let hosts = self.fleet.hosts(steady(now));
        for (stub, _) in hosts.filter(|(stub, _)| !self.fleet.is_among_first(stub, left_out)) {
            self.push(&mut report, stub, None, Scopes::READ.with(Scopes::HOST));
        }
        report
    }
}
