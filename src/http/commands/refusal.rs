//! Refusals of the engine as errors of the API: the text is the engine's, the reason is for
//! programs.

use super::test_messages::TestRefusal;
use crate::http::error::{ApiError, Reason};
use engine::{Refusal, Refused};

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(Reason::from(&refusal), refusal)
    }
}

impl From<TestRefusal> for ApiError {
    fn from(refusal: TestRefusal) -> Self {
        Self::new(Reason::from(&refusal), refusal)
    }
}

impl From<&TestRefusal> for Reason {
    fn from(refusal: &TestRefusal) -> Self {
        match refusal {
            TestRefusal::Follower => Self::Follower,
            TestRefusal::NoRoutes | TestRefusal::NoRoute(_) => Self::UnknownRoute,
            TestRefusal::UnderWay => Self::Busy,
            TestRefusal::Stopping => Self::Stopping,
        }
    }
}

impl From<&Refusal> for Reason {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Suppression(refused) => reason_of_suppression(refused),
            Refusal::Follower => Self::Follower,
            Refusal::LeadLost => Self::Unavailable,
            Refusal::NoExperiment(_) => Self::UnknownExperiment,
            Refusal::NoPool(_) => Self::UnknownPool,
            Refusal::NoResource(_) => Self::UnknownResource,
            Refusal::NoCategory(_) => Self::UnknownCategory,
            Refusal::NoComponent(_) => Self::UnknownComponent,
            Refusal::NothingBad { .. } | Refusal::ComponentIsWell(_) => Self::NotBad,
            Refusal::NotAcknowledged(_) => Self::NotFound,
            Refusal::NotRead(_) => Self::NotYetKnown,
            Refusal::OurPrefix => Self::ReservedPrefix,
            Refusal::HeldAlready(_) => Self::AlreadyHeld,
            Refusal::Bookable(_) => Self::NotHeld,
            Refusal::Ours { .. } => Self::WithdrawnByLabwatch,
            Refusal::Quarantined { .. } => Self::Quarantined,
            Refusal::CategoryAlready { open: true, .. } => Self::AlreadyOpen,
            Refusal::CategoryAlready { open: false, .. } => Self::AlreadyClosed,
            Refusal::Busy => Self::Busy,
            Refusal::Stopping => Self::Stopping,
        }
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
        Refused::Full { .. } => Reason::LimitReached,
        Refused::NotFound(_) => Reason::NotFound,
    }
}
