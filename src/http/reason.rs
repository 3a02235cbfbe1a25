//! The reasons for refusals, each with its status and title.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $title:literal;)*) => {
        /// The reason for a refusal, for programs. A reason keeps its name and its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        pub(super) enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The status of an answer with this reason.
            pub(super) fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The kind of problem in a few words, the same in every case.
            pub(super) fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

reasons! {
    BadRequest = BAD_REQUEST, "The request cannot be understood";
    UnknownParameter = BAD_REQUEST, "A parameter is not known";
    InvalidParameter = BAD_REQUEST, "A parameter is not understood";
    InvalidCursor = BAD_REQUEST, "The cursor is not one of this list";
    InvalidBody = BAD_REQUEST, "The body is not understood";
    InvalidName = BAD_REQUEST, "This is not a name";
    InvalidText = BAD_REQUEST, "A text is empty, too long, or not one line";
    InvalidTime = BAD_REQUEST, "A time is past, out of order, or too far away";
    ReservedPrefix = BAD_REQUEST, "The reason would be taken for labwatch's own";
    TooMuch = BAD_REQUEST, "The answer would be too large";
    InvalidIdempotencyKey = BAD_REQUEST, "The idempotency key is empty, too long, or not ASCII";
    TokenNeeded = UNAUTHORIZED, "A token is needed";
    TokenRefused = UNAUTHORIZED, "The token is not valid";
    ScopeMissing = FORBIDDEN, "The token does not allow it";
    OtherSite = FORBIDDEN, "Another site made the browser ask";
    NotNamed = FORBIDDEN, "The token names other things to report on";
    UnknownPath = NOT_FOUND, "There is no such path";
    UnknownExperiment = NOT_FOUND, "There is no such experiment";
    UnknownPool = NOT_FOUND, "There is no such pool";
    UnknownCategory = NOT_FOUND, "There is no such category";
    UnknownComponent = NOT_FOUND, "There is no such component";
    UnknownResource = NOT_FOUND, "There is no such resource";
    UnknownRoute = NOT_FOUND, "There is no such route of notifications";
    NotFound = NOT_FOUND, "There is nothing of this name or number";
    NoHistory = NOT_FOUND, "labwatch keeps no history";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "The path takes other methods";
    Timeout = REQUEST_TIMEOUT, "The request came too slowly";
    NotBad = CONFLICT, "Nothing of it is bad";
    AlreadyAcknowledged = CONFLICT, "It is acknowledged already";
    AlreadyHeld = CONFLICT, "It is held already";
    NotHeld = CONFLICT, "No person holds it";
    WithdrawnByLabwatch = CONFLICT, "labwatch withdrew it, and gives it back itself";
    Quarantined = CONFLICT, "A closed category keeps it withdrawn";
    AlreadyOpen = CONFLICT, "The category is open already";
    AlreadyClosed = CONFLICT, "The category is closed already";
    LimitReached = CONFLICT, "There are as many as are kept";
    NotPassive = CONFLICT, "labwatch finds out itself how it is";
    Follower = CONFLICT, "This labwatch only watches";
    NotLeader = CONFLICT, "This replica does not lead";
    StillUnderWay = CONFLICT, "The first request with this idempotency key is still under way";
    PreconditionFailed = PRECONDITION_FAILED, "It is not as `If-Match` says any more";
    BodyTooLong = PAYLOAD_TOO_LARGE, "The body is too long";
    NotJson = UNSUPPORTED_MEDIA_TYPE, "The body is not marked as JSON";
    InvalidHost = BAD_REQUEST, "The request names no host, or several";
    OtherHost = MISDIRECTED_REQUEST, "The request is for another host";
    KeyReused = UNPROCESSABLE_ENTITY, "The idempotency key belongs to another request";
    HeadTooLong = REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too long";
    TooManyFailures = TOO_MANY_REQUESTS, "Too many tokens were refused";
    TooManyReports = TOO_MANY_REQUESTS, "The token reports too often";
    Internal = INTERNAL_SERVER_ERROR, "labwatch made a mistake";
    TooSlow = SERVICE_UNAVAILABLE, "The answer took too long";
    Busy = SERVICE_UNAVAILABLE, "Too many ask at once";
    Stopping = SERVICE_UNAVAILABLE, "labwatch is about to stop";
    NotYetKnown = SERVICE_UNAVAILABLE, "It is not known yet";
    Unavailable = SERVICE_UNAVAILABLE, "There is no answer now";
}

impl Reason {
    /// Its name in answers.
    pub(super) fn word(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}
