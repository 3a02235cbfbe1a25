//! Refusals of the engine as errors of the API: the words are the engine's, the reason is for programs.

use super::test_messages::TestRefusal;
use crate::http::error::{ApiError, Reason};
use engine::{Refusal, Refused};

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(reason(&refusal), refusal)
    }
}

impl From<TestRefusal> for ApiError {
    fn from(refusal: TestRefusal) -> Self {
        let reason = match &refusal {
            TestRefusal::Follower => Reason::Follower,
            TestRefusal::NoRoutes | TestRefusal::NoRoute(_) => Reason::UnknownRoute,
            TestRefusal::UnderWay => Reason::Busy,
            TestRefusal::Stopping => Reason::Stopping,
        };
        Self::new(reason, refusal)
    }
}

fn reason(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::Suppression(refused) => reason_of_suppression(refused),
        Refusal::Follower => Reason::Follower,
        Refusal::LeadLost => Reason::Unavailable,
        Refusal::NoExperiment(_) => Reason::UnknownExperiment,
        Refusal::NoPool(_) => Reason::UnknownPool,
        Refusal::NoResource(_) => Reason::UnknownResource,
        Refusal::NoCategory(_) => Reason::UnknownCategory,
        Refusal::NoComponent(_) => Reason::UnknownComponent,
        Refusal::NothingBad { .. } | Refusal::ComponentIsWell(_) => Reason::NotBad,
        Refusal::NotAcknowledged(_) => Reason::NotFound,
        Refusal::NotRead(_) => Reason::NotYetKnown,
        Refusal::OurPrefix => Reason::ReservedPrefix,
        Refusal::HeldAlready(_) => Reason::AlreadyHeld,
        Refusal::Bookable(_) => Reason::NotHeld,
        Refusal::Ours { .. } => Reason::WithdrawnByLabwatch,
        Refusal::Quarantined { .. } => Reason::Quarantined,
        Refusal::CategoryAlready { open: true, .. } => Reason::AlreadyOpen,
        Refusal::CategoryAlready { open: false, .. } => Reason::AlreadyClosed,
        Refusal::Busy => Reason::Busy,
        Refusal::Stopping => Reason::Stopping,
    }
}

fn reason_of_suppression(refused: &Refused) -> Reason {
    match refused {
        Refused::NotBad { .. } => Reason::NotBad,
        Refused::AlreadyAcknowledged { .. } => Reason::AlreadyAcknowledged,
        Refused::EndsBeforeItBegins { .. } | Refused::Past { .. } | Refused::TooLong { .. } => {
            Reason::InvalidTime
        }
        Refused::Text { .. } => Reason::InvalidText,
        Refused::Full(_) => Reason::LimitReached,
        Refused::NotFound(_) => Reason::NotFound,
    }
}
