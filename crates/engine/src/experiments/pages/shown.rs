//! Interpretation of a page check's outcome. Without state; the table is in `docs/sources.md`.

use crate::model::{CallError, FaultClass, PageFault, Step};
use crate::protocol::PageOutcome;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Works,
    /// It fails for every visitor.
    Fails(PageFault),
    /// It fails here; it may be that it does not elsewhere.
    MayFail(PageFault),
    /// No result: the fault is labwatch's own.
    Nothing,
}

/// The result of a check. `is_network_well`: a page on another host answered in the same round.
pub(super) fn shown(outcome: &PageOutcome, is_network_well: bool) -> Shown {
    match outcome {
        PageOutcome::Answered { status, by_proxy } => of_status(*status, *by_proxy),
        PageOutcome::Failed(error) => match error.class(Step::Access) {
            FaultClass::Ours => Shown::Nothing,
            FaultClass::Theirs if is_network_well => Shown::Fails(PageFault::NoAnswer),
            FaultClass::Theirs | FaultClass::Undecided => Shown::MayFail(PageFault::NoAnswer),
        },
    }
}

/// Our proxy (407), the network (511) and how often labwatch asks (429) are no fault of the page.
/// What wants a password (401), blocks this host (403) or takes too long (408) may let students in,
/// and what cannot do what is asked (501, 505) may do what browsers ask.
fn of_status(status: u16, by_proxy: bool) -> Shown {
    let fault = PageFault::Answers(status);
    match status {
        407 | 429 | 511 => Shown::Nothing,
        401 | 403 | 408 | 501 | 505 => Shown::MayFail(fault),
        400..=599 if by_proxy => Shown::MayFail(fault),
        400..=599 => Shown::Fails(fault),
        _ => Shown::Works,
    }
}

/// Why an answer of this status gives no result for a page.
pub(super) fn refusal(status: u16) -> CallError {
    match status {
        407 => CallError::Proxy("it answered 407".to_owned()),
        429 => CallError::Busy,
        _ => CallError::NoRoute(format!("the network answered {status}")),
    }
}
