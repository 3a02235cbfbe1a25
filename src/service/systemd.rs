//! What systemd and liveness are told of the loop. Decides nothing.

use crate::health::HealthState;

/// What is done at every turn of the loop.
pub(super) fn turned(desk: HealthState) -> impl FnMut() + Send {
    let mut watchdog = watchdog();
    move || {
        desk.turned();
        watchdog();
    }
}

/// Tells systemd's watchdog at every turn of the loop, but not more often than it needs.
fn watchdog() -> impl FnMut() + Send {
    let every = sd_notify::watchdog_enabled().map(|within| within / 3);
    let mut last = std::time::Instant::now();
    move || {
        if every.is_some_and(|every| last.elapsed() >= every) {
            last = std::time::Instant::now();
            notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

/// Tells systemd, where it is there.
pub(super) fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell systemd how the service is");
    }
}
