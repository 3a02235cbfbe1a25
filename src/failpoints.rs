//! Failpoints: named points between a decision and its record, at which a test can kill the process
//! or make a step hang. Does nothing else.
//!
//! They act only in builds with debug assertions. A cargo feature would be enabled by
//! `--all-features`, or by a package that does not want it; debug assertions are off in every
//! release build unless its profile says otherwise.
//!
//! `LABWATCH_FAULT=mail-recorded:2` kills the process, as `kill -9` would, when it passes
//! `mail-recorded` for the second time; `mail-recorded:2:hang` makes the thread that passes hang
//! from then on.

use engine::Record;

/// Points, each with its name in `LABWATCH_FAULT`.
macro_rules! points {
    ($($(#[$doc:meta])+ $point:ident = $name:literal,)+) => {
        /// The points, in the order in which a notification, a switch or a command passes them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point { $($(#[$doc])+ $point,)+ }

        impl Point {
            pub const ALL: &[Self] = &[$(Self::$point),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$point => $name),+ }
            }
        }
    };
}

points! {
    /// A message, by mail or webhook, is decided, but not written.
    MailDecided = "mail-decided",
    /// It is on disk that it is to be sent; it is not sent.
    MailRecorded = "mail-recorded",
    /// The other side has it; that is not known here yet.
    MailHanded = "mail-handed",
    /// The engine is about to receive the outcome, which is not written.
    MailAnswered = "mail-answered",
    /// What was notified is on disk.
    MailMarked = "mail-marked",
    /// A switch is decided, but not written.
    SwitchDecided = "switch-decided",
    /// That it is to be made is on disk; book has not been called.
    SwitchRecorded = "switch-recorded",
    /// It is written to book and not read back.
    SwitchWritten = "switch-written",
    /// It is read back; the engine does not know it.
    SwitchReadBack = "switch-read-back",
    /// The engine has the outcome; nothing of it is written.
    SwitchAnswered = "switch-answered",
    /// The outcome is on disk.
    SwitchMarked = "switch-marked",
    /// A command is carried out, but not written.
    CommandDecided = "command-decided",
    /// It is on disk; its sender has no answer.
    CommandRecorded = "command-recorded",
}

impl Point {
    /// The points before a record is written, and after.
    fn around(record: &Record) -> Option<[Self; 2]> {
        if matches!(record, Record::Notifying(_)) {
            Some([Self::MailDecided, Self::MailRecorded])
        } else if matches!(record, Record::Delivered { .. }) {
            Some([Self::MailAnswered, Self::MailMarked])
        } else if matches!(record, Record::Switching(_)) {
            Some([Self::SwitchDecided, Self::SwitchRecorded])
        } else if matches!(record, Record::Switched { .. }) {
            Some([Self::SwitchAnswered, Self::SwitchMarked])
        } else if matches!(record, Record::Commanded { .. }) {
            Some([Self::CommandDecided, Self::CommandRecorded])
        } else {
            None
        }
    }
}

pub fn pass(point: Point) {
    if cfg!(debug_assertions) {
        armed::pass(point);
    }
}

/// A record is about to be written.
pub fn pass_before(record: &Record) {
    if let Some([before, _]) = Point::around(record) {
        pass(before);
    }
}

pub fn pass_after(record: &Record) {
    if let Some([_, after]) = Point::around(record) {
        pass(after);
    }
}

mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Point;

    const VARIABLE: &str = "LABWATCH_FAULT";

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Plan {
        pub(super) point: Point,
        pub(super) pass: u32,
        pub(super) hang: bool,
    }

    pub(super) fn pass(point: Point) {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        static PASSED: AtomicU32 = AtomicU32::new(0);
        let plan = PLAN.get_or_init(|| std::env::var(VARIABLE).ok().as_deref().and_then(parse));
        let Some(plan) = plan.filter(|plan| plan.point == point) else {
            return;
        };
        let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        match plan.hang {
            true if passed >= plan.pass => stand_still(),
            false if passed == plan.pass => kill(),
            true | false => {}
        }
    }

    /// `point:pass` or `point:pass:hang`. A text that names no point changes nothing.
    pub(super) fn parse(text: &str) -> Option<Plan> {
        let mut parts = text.split(':');
        let name = parts.next()?;
        let point = *Point::ALL.iter().find(|point| point.as_str() == name)?;
        let pass = parts.next()?.parse().ok()?;
        Some(Plan {
            point,
            pass,
            hang: parts.next() == Some("hang"),
        })
    }

    fn stand_still() {
        loop {
            std::thread::park();
        }
    }

    /// Ends the process as `kill -9` from outside would: nothing is flushed, closed or logged.
    #[cfg(unix)]
    #[allow(
        unsafe_code,
        reason = "kill is only reached through C; it is called for this process with a constant"
    )]
    fn kill() {
        unsafe {
            libc::kill(libc::getpid(), libc::SIGKILL);
        }
    }

    #[cfg(not(unix))]
    fn kill() {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_or_left_alone() {
        let plan = |text| armed::parse(text).map(|plan| (plan.point, plan.pass, plan.hang));
        assert_eq!(
            plan("mail-recorded:2"),
            Some((Point::MailRecorded, 2, false))
        );
        assert_eq!(
            plan("switch-written:1:hang"),
            Some((Point::SwitchWritten, 1, true))
        );
        for text in [
            "",
            "mail-recorded",
            "mail-recorded:",
            "mail:1",
            "mail-recorded:x",
        ] {
            assert_eq!(plan(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> =
            Point::ALL.iter().map(|point| point.as_str()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
