//! Signs of life to systemd and to the liveness check. Decides nothing.

use crate::health::HealthState;

/// The hook for every turn of the loop.
pub(super) fn turned(health_state: HealthState) -> impl FnMut() + Send {
    let mut watchdog = watchdog();
    move || {
        health_state.turned();
        watchdog();
    }
}

/// Notifies systemd's watchdog at turns of the loop, but not more often than it needs.
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

/// Notifies systemd that the configuration is being reloaded, as both `Type=notify` and
/// `Type=notify-reload` understand it.
pub(super) fn reloading() {
    use sd_notify::NotifyState::Reloading;
    match sd_notify::NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[Reloading, now]),
        Err(_) => notify(&[Reloading]),
    }
}

/// Notifies systemd that the reload has ended, with its notes.
pub(super) fn reloaded(detail: &str) {
    use sd_notify::NotifyState::{Ready, Status};
    notify(&[Ready, Status(detail)]);
}

/// Notifies systemd, if it is there.
pub(super) fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot notify systemd of the state");
    }
}
