//! Reading a message that was stored before a restart.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::protocol::Summary;

/// A message that another version of labwatch stored may have another format: then it is composed
/// anew.
pub(super) fn as_far_as_known<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Arc<Summary>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kept {
        Message(Arc<Summary>),
        Other(IgnoredAny),
    }
    Ok(match Kept::deserialize(from)? {
        Kept::Message(message) => Some(message),
        Kept::Other(_) => None,
    })
}
