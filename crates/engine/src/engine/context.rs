//! What surrounds a problem when people are told of it: who has booked it, what it has in common with others, what can be done from home.

use std::sync::Arc;

use jiff::Timestamp;

use super::Engine;
use crate::experiments::experiment::Experiment;
use crate::groups::bookings::Calendar;
use crate::groups::pool::{Pools, Severity};
use crate::model::{Health, Stub, Visibility};
use crate::notifications::advice::{Facts, Neighbours};
use crate::notifications::correlation::{Cause, FEWEST_OF_A_CAUSE, Loss, Place, group};
use crate::notifications::route::Route;
use crate::protocol::input::Timetable;
use crate::protocol::summary::{Background, Line, Summary};

impl Engine {
    /// Takes in who has booked what.
    pub(super) fn read_timetable(&mut self, timetable: &Timetable) {
        let resources = &self.resources;
        self.pools = Arc::new(Pools::of(timetable, &self.pool_rules, |resource| {
            resources.stub(resource).cloned()
        }));
        self.calendar = Arc::new(Calendar::of(timetable));
        self.timetable_changed();
    }

    /// Adds to a summary what surrounds its problems, and puts those first that students need first.
    pub(super) fn add_context(&self, summary: &mut Summary) {
        let now = self.now.wall();
        for line in summary.news.iter_mut().chain(&mut summary.problems) {
            let Some(experiment) = self.fleet.named(line.stub.as_str()) else {
                continue;
            };
            line.affected = self.calendar.affected(&experiment.resources, now);
            line.advice = self.derived.advice_for(experiment).map(str::to_owned);
        }
        summary.news.sort_by_key(urgency);
        summary.problems.sort_by_key(urgency);
        summary.background.causes = self
            .causes_of_new(summary)
            .iter()
            .map(cause_words)
            .collect();
    }

    /// What is worth knowing for the people of a route, whatever is new.
    pub(super) fn background(&self, route: &Route) -> Background {
        let now = self.now.wall();
        Background {
            causes: Vec::new(),
            short_pools: self.short_pools(route, now),
            forgotten_holds: self.forgotten_holds(route, now),
            silences: self.silences(route, now),
        }
    }

    /// What the new losses of a summary have in common.
    fn causes_of_new(&self, summary: &Summary) -> Vec<Cause> {
        let new = summary.news.iter().filter(|line| line.health.is_unusable());
        let lost: Vec<&Experiment> = new
            .filter_map(|line| self.fleet.named(line.stub.as_str()))
            .collect();
        self.causes(&lost)
    }

    /// What these losses have in common.
    pub(super) fn causes(&self, lost: &[&Experiment]) -> Vec<Cause> {
        if lost.len() < FEWEST_OF_A_CAUSE {
            return Vec::new();
        }
        let losses: Vec<Loss<'_>> = lost
            .iter()
            .map(|experiment| Loss {
                stub: &experiment.stub,
                at: experiment.since,
            })
            .collect();
        let report = self.fleet.relay_report();
        let remote = |experiment: &Experiment| {
            let of_stream = experiment
                .streams
                .iter()
                .find_map(|stream| stream.sighting.remote(report.as_deref()));
            of_stream.unwrap_or_default().to_owned()
        };
        let population: Vec<(&Stub, String)> = self
            .fleet
            .iter()
            .map(|(_, experiment)| (&experiment.stub, remote(experiment)))
            .collect();
        let places: Vec<Place<'_>> = population
            .iter()
            .map(|(stub, remote)| Place { stub, remote })
            .collect();
        group(&losses, &places)
    }

    /// Pools that have less left than is booked.
    fn short_pools(&self, route: &Route, now: Timestamp) -> Vec<String> {
        let heard = self
            .pools
            .iter()
            .filter(|pool| pool.members().any(|stub| route.hears_of(stub)));
        let standings = heard.map(|pool| {
            (
                &pool.name,
                pool.standing(&self.calendar, now, |stub| self.is_usable(stub)),
            )
        });
        let short = standings.filter_map(|(name, standing)| match standing.severity {
            Severity::Short { missing, first_at } => {
                let at = first_at.strftime("%-d %b %H:%M UTC");
                Some(format!(
                    "{name}: {} of {} work, {missing} too few for what is booked from {at} on",
                    standing.usable, standing.members
                ))
            }
            Severity::NoneAffected | Severity::Spare(_) => None,
        });
        short.collect()
    }

    /// Resources that people have held for so long that they look forgotten.
    fn forgotten_holds(&self, route: &Route, now: Timestamp) -> Vec<String> {
        let overdue = self.holds.overdue(&self.calendar, now, |_| None);
        let hears_of = |resource| {
            self.resources
                .stub(resource)
                .is_some_and(|stub| route.hears_of(stub))
        };
        let words = overdue
            .iter()
            .filter(|view| hears_of(&view.resource))
            .map(|view| {
                let since = view.hold.since.strftime("%-d %b %Y");
                let blocked = match view.blocked.next_week {
                    0 => String::new(),
                    n => format!("; {n} bookings of the next 7 days cannot start"),
                };
                format!(
                    "{} is held by a person since {since}: {}{blocked}",
                    view.resource, view.hold.reason
                )
            });
        words.collect()
    }
}

/// Problems first, those whose next booking starts soonest before others; then what is well again.
fn urgency(line: &Line) -> (bool, Timestamp, Stub) {
    let is_well = line.health == Health::Ok && line.listed;
    (
        is_well,
        line.affected
            .first_start
            .filter(|_| !is_well)
            .unwrap_or(Timestamp::MAX),
        line.stub.clone(),
    )
}

fn cause_words(cause: &Cause) -> String {
    format!(
        "{} of {} {} {} were lost at about the same time: probably one cause",
        cause.stubs.len(),
        cause.of,
        cause.kind,
        cause
            .label_private
            .show(Visibility::MAINTAINER)
            .map_or("", String::as_str)
    )
}

impl Experiment {
    pub(super) fn facts(&self, neighbours: Neighbours) -> Facts {
        let tally = |required| {
            self.streams
                .iter()
                .filter(|stream| stream.required == required)
                .map(|stream| stream.health)
                .collect()
        };
        Facts {
            jump: self.login(),
            required: tally(true),
            others: tally(false),
            neighbours,
        }
    }
}
