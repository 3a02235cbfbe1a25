//! The types of the domain. Any module may use them; they use no other module of ours, do no IO and
//! read no clock.

mod availability;
mod call_error;
mod clock;
mod deceptive;
mod duration;
mod gather;
mod health;
pub(crate) mod index;
mod moment;
mod name;
mod page;
pub(crate) mod pattern;
mod private;
pub(crate) mod words;

pub use availability::{Availability, Bookable, OUR_PREFIX};
pub use call_error::{CallError, ConnectError, FaultClass, Step};
pub use clock::{spell_time, spell_time_in};
pub use deceptive::{escape_deceptive, is_deceptive};
pub use duration::{DurationError, format_duration, parse_duration, spell_duration};
pub use gather::Gather;
pub use health::{Health, JumpHealth, SourceHealth, SourceName, StreamHealth};
pub use moment::Moment;
pub(crate) use moment::earliest;
pub use name::{
    ComponentName, MAX_NAME_BYTES, NameError, NamePattern, PageName, ResourceName, RouteName, Stub,
    Topic,
};
pub use page::{PageAddress, PageFault};
pub use private::{Private, Visibility};
