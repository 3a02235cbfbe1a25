//! All faults of the simulated laboratory, listed once. A script writes a fault as its text, for
//! example
//! `vanish pend00-st-data`, `relay mute` or `http book /api/v1/admin status 503`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use engine::model::{format_duration, parse_duration};
use jiff::SignedDuration;

use crate::HttpFault;

/// A server of the laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// Bookings.
    Book,
    /// Remote login.
    Jump,
    /// Data and video streams.
    Relay,
    /// The mail catcher.
    Mail,
    /// The pages that students open.
    Pages,
}

/// A fault or change of the laboratory. It takes effect at once; most have a counterpart that ends
/// them.
///
/// The name of an experiment's part is a topic (`pend00-st-data`), a jump connection (`pend00/jump`), an experiment (`pend00`: all its
/// connections) or `*` (the connections of all experiments).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connections are lost: `vanish NAME`.
    Vanish(String),
    /// They are there again and transmit: `back NAME`.
    Back(String),
    /// Streams stay connected but transmit nothing: `silent NAME`.
    Silent(String),
    /// Connected streams transmit again: `sends NAME`.
    Sends(String),
    /// A stream is connected twice, and the second connection never transmits: `twin TOPIC`.
    Twin(String),
    /// The second connection is gone: `untwin TOPIC`.
    Untwin(String),
    /// A student connects to a stream: `join TOPIC`.
    Join(String),
    /// The student leaves: `leave TOPIC`.
    Leave(String),
    /// An experiment appears that book does not list before a manifest with it is uploaded: `appears STUB`.
    Appears(String),
    /// An experiment goes for good: `goes STUB`.
    Goes(String),

    /// The process is killed: ports closed, sockets dropped. Book loses its manifest, relay and jump all they know: `SERVER dies`.
    Kill(Server),
    /// It is started again on its ports. Experiments return within the plan's time; book has no manifest: `SERVER starts`.
    Start(Server),
    /// It is restarted so quickly that only the start time in its reports shows it: `SERVER blinks`.
    Blink(Server),
    /// Sockets are accepted and calls answered, but nothing is reported; a restart ends it: `SERVER mute`, `SERVER speaks`.
    Mute(Server, bool),
    /// The process stands still: connections are accepted, nothing is answered: `SERVER freezes`, `SERVER thaws`.
    Freeze(Server, bool),
    /// The HTTP port is closed, or mail's; open websockets go on, nothing is forgotten: `SERVER refuses`, `SERVER accepts`.
    Refuse(Server, bool),
    /// The websocket port is closed while the access API answers: `SERVER refuses sockets`, `SERVER accepts sockets`.
    RefuseSockets(Server, bool),
    /// Every token is refused as one with a wrong signature is: `SERVER refuses tokens`, `SERVER accepts tokens`.
    RefuseTokens(Server, bool),
    /// Tokens are checked with another secret from now on: `SERVER secret TEXT`.
    Secret(Server, String),
    /// Its clock is so far ahead, or behind: `SERVER clock ahead TIME`, `SERVER clock behind TIME`.
    Clock(Server, SignedDuration),
    /// Another client sends so many updates on the topic of reports, then junk, and a report follows: `SERVER flood COUNT`.
    Flood(Server, u32),
    /// The same without updates and with the binary junk first: relay joins all of it to one binary message: `SERVER junk`.
    Junk(Server),
    /// Each report has so many entries that cannot be read: `SERVER unreadable COUNT`.
    Unreadable(Server, u32),
    /// Its next report lacks the connections of so many experiments: `SERVER leaves out COUNT`.
    LeaveOut(Server, u32),
    /// Text messages are not UTF-8: `SERVER garbled`, `SERVER clear`.
    Garbled(Server, bool),
    /// Each connection is closed so long after its first report, `None` for never: `SERVER closes after TIME`, `SERVER closes never`.
    CloseAfterReport(Server, Option<Duration>),
    /// What relay forwards; a restart ends it. See [`Forwarding`].
    Forwarding(Forwarding),
    /// relay cuts the connections with this booking id and takes no new ones: `deny ID`.
    Deny(String),
    /// How calls to a path are answered: `http PLACE PATH HOW`, where `*` is every path. See [`HttpFault`].
    Http(Place, String, HttpFault),

    /// A person withdraws a resource by hand: `hold RESOURCE REASON`.
    Hold(String, String),
    /// The person gives it back: `release RESOURCE REASON`.
    Release(String, String),
    /// An admin uploads the plan's manifest: everything can be booked again: `upload`.
    Upload,
    /// An admin uploads a manifest without resources: `upload nothing`.
    UploadNothing,
    /// An admin uploads bookings: everything can be booked again: `upload bookings`.
    UploadBookings,
}

/// How relay forwards the messages of its clients. Its reports are sent all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Forwarding {
    /// It forwards them: `relay forwards`.
    #[default]
    Works,
    /// It forwards none: `relay forwards nothing`.
    Nothing,
    /// None of this topic: `relay forwards nothing of TOPIC`.
    NothingOf(String),
    /// None of those that experiments send: `relay forwards nothing to students`.
    NothingToStudents,
    /// None of those that others send: `relay forwards nothing to experiments`.
    NothingToExperiments,
    /// Each so much later: `relay forwards after TIME`.
    After(Duration),
}

/// A port that speaks HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The API of a server; mail has none.
    Api(Server),
    /// The port of relay or jump that takes websockets, as `relay-socket`.
    Socket(Server),
}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fault of the simulated laboratory")]
pub struct UnknownFault(pub String);

impl Server {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Book, Self::Jump, Self::Relay, Self::Mail, Self::Pages];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Jump => "jump",
            Self::Relay => "relay",
            Self::Mail => "mail",
            Self::Pages => "pages",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|server| server.as_str() == name)
    }
}

impl Forwarding {
    /// Whether messages of a topic are forwarded, and how late; `of_experiment` are those that its experiment sends.
    #[must_use]
    pub fn of(&self, topic: &str, of_experiment: bool) -> Option<Duration> {
        let stops = match self {
            Self::Works => false,
            Self::After(delay) => return Some(*delay),
            Self::Nothing => true,
            Self::NothingOf(stopped) => stopped == topic,
            Self::NothingToStudents => of_experiment,
            Self::NothingToExperiments => !of_experiment,
        };
        (!stops).then_some(Duration::ZERO)
    }
}

impl Place {
    /// The server that it belongs to.
    #[must_use]
    pub fn server(self) -> Server {
        match self {
            Self::Api(server) | Self::Socket(server) => server,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name.strip_suffix("-socket") {
            Some(server) => Server::named(server).map(Self::Socket),
            None => Server::named(name).map(Self::Api),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(server) => write!(f, "{server}"),
            Self::Socket(server) => write!(f, "{server}-socket"),
        }
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => f.write_str("relay forwards"),
            Self::Nothing => f.write_str("relay forwards nothing"),
            Self::NothingOf(topic) => write!(f, "relay forwards nothing of {topic}"),
            Self::NothingToStudents => f.write_str("relay forwards nothing to students"),
            Self::NothingToExperiments => f.write_str("relay forwards nothing to experiments"),
            Self::After(delay) => write!(f, "relay forwards after {}", format_duration(*delay)),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let either = |on: bool, yes, no| if on { yes } else { no };
        match self {
            Self::Vanish(name) => write!(f, "vanish {name}"),
            Self::Back(name) => write!(f, "back {name}"),
            Self::Silent(name) => write!(f, "silent {name}"),
            Self::Sends(name) => write!(f, "sends {name}"),
            Self::Twin(topic) => write!(f, "twin {topic}"),
            Self::Untwin(topic) => write!(f, "untwin {topic}"),
            Self::Join(topic) => write!(f, "join {topic}"),
            Self::Leave(topic) => write!(f, "leave {topic}"),
            Self::Appears(stub) => write!(f, "appears {stub}"),
            Self::Goes(stub) => write!(f, "goes {stub}"),
            Self::Kill(server) => write!(f, "{server} dies"),
            Self::Start(server) => write!(f, "{server} starts"),
            Self::Blink(server) => write!(f, "{server} blinks"),
            Self::Mute(server, on) => write!(f, "{server} {}", either(*on, "mute", "speaks")),
            Self::Freeze(server, on) => write!(f, "{server} {}", either(*on, "freezes", "thaws")),
            Self::Refuse(server, on) => write!(f, "{server} {}", either(*on, "refuses", "accepts")),
            Self::RefuseSockets(server, on) => {
                write!(f, "{server} {} sockets", either(*on, "refuses", "accepts"))
            }
            Self::RefuseTokens(server, on) => {
                write!(f, "{server} {} tokens", either(*on, "refuses", "accepts"))
            }
            Self::Secret(server, secret) => write!(f, "{server} secret {secret}"),
            Self::Clock(server, ahead) => {
                let side = either(ahead.is_negative(), "behind", "ahead");
                let by = format_duration(ahead.unsigned_abs());
                write!(f, "{server} clock {side} {by}")
            }
            Self::Flood(server, updates) => write!(f, "{server} flood {updates}"),
            Self::Junk(server) => write!(f, "{server} junk"),
            Self::Unreadable(server, entries) => write!(f, "{server} unreadable {entries}"),
            Self::LeaveOut(server, experiments) => write!(f, "{server} leaves out {experiments}"),
            Self::Garbled(server, on) => write!(f, "{server} {}", either(*on, "garbled", "clear")),
            Self::CloseAfterReport(server, None) => write!(f, "{server} closes never"),
            Self::CloseAfterReport(server, Some(wait)) => {
                write!(f, "{server} closes after {}", format_duration(*wait))
            }
            Self::Forwarding(forwarding) => write!(f, "{forwarding}"),
            Self::Deny(booking) => write!(f, "deny {booking}"),
            Self::Http(place, path, fault) => write!(f, "http {place} {path} {fault}"),
            Self::Hold(resource, reason) => write!(f, "hold {resource} {reason}"),
            Self::Release(resource, reason) => write!(f, "release {resource} {reason}"),
            Self::Upload => f.write_str("upload"),
            Self::UploadNothing => f.write_str("upload nothing"),
            Self::UploadBookings => f.write_str("upload bookings"),
        }
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let words: Vec<&str> = text.split_whitespace().collect();
        read(&words).ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

fn read(words: &[&str]) -> Option<Fault> {
    Some(match words {
        ["upload"] => Fault::Upload,
        ["upload", "nothing"] => Fault::UploadNothing,
        ["upload", "bookings"] => Fault::UploadBookings,
        ["hold", resource, reason @ ..] => Fault::Hold((*resource).into(), reason.join(" ")),
        ["release", resource, reason @ ..] => Fault::Release((*resource).into(), reason.join(" ")),
        ["relay", "forwards", how @ ..] => Fault::Forwarding(forwarding(how)?),
        ["http", place, path, how @ ..] => {
            Fault::Http(Place::named(place)?, (*path).into(), HttpFault::read(how)?)
        }
        [verb, name] if Server::named(verb).is_none() => of_name(verb, (*name).into())?,
        [server, rest @ ..] => of_server(Server::named(server)?, rest)?,
        [] => return None,
    })
}

fn of_name(verb: &str, name: String) -> Option<Fault> {
    Some(match verb {
        "vanish" => Fault::Vanish(name),
        "back" => Fault::Back(name),
        "silent" => Fault::Silent(name),
        "sends" => Fault::Sends(name),
        "twin" => Fault::Twin(name),
        "untwin" => Fault::Untwin(name),
        "join" => Fault::Join(name),
        "leave" => Fault::Leave(name),
        "appears" => Fault::Appears(name),
        "goes" => Fault::Goes(name),
        "deny" => Fault::Deny(name),
        _ => return None,
    })
}

fn of_server(server: Server, words: &[&str]) -> Option<Fault> {
    Some(match words {
        ["dies"] => Fault::Kill(server),
        ["starts"] => Fault::Start(server),
        ["blinks"] => Fault::Blink(server),
        ["mute"] => Fault::Mute(server, true),
        ["speaks"] => Fault::Mute(server, false),
        ["freezes"] => Fault::Freeze(server, true),
        ["thaws"] => Fault::Freeze(server, false),
        ["refuses"] => Fault::Refuse(server, true),
        ["accepts"] => Fault::Refuse(server, false),
        ["refuses", "sockets"] => Fault::RefuseSockets(server, true),
        ["accepts", "sockets"] => Fault::RefuseSockets(server, false),
        ["refuses", "tokens"] => Fault::RefuseTokens(server, true),
        ["accepts", "tokens"] => Fault::RefuseTokens(server, false),
        ["secret", secret] => Fault::Secret(server, (*secret).into()),
        ["clock", side @ ("ahead" | "behind"), by] => {
            let by = SignedDuration::try_from(parse_duration(by).ok()?).ok()?;
            Fault::Clock(server, if *side == "ahead" { by } else { -by })
        }
        ["flood", updates] => Fault::Flood(server, updates.parse().ok()?),
        ["junk"] => Fault::Junk(server),
        ["unreadable", entries] => Fault::Unreadable(server, entries.parse().ok()?),
        ["leaves", "out", count] => Fault::LeaveOut(server, count.parse().ok()?),
        ["garbled"] => Fault::Garbled(server, true),
        ["clear"] => Fault::Garbled(server, false),
        ["closes", "never"] => Fault::CloseAfterReport(server, None),
        ["closes", "after", wait] => {
            Fault::CloseAfterReport(server, Some(parse_duration(wait).ok()?))
        }
        _ => return None,
    })
}

fn forwarding(words: &[&str]) -> Option<Forwarding> {
    Some(match words {
        [] => Forwarding::Works,
        ["nothing"] => Forwarding::Nothing,
        ["nothing", "of", topic] => Forwarding::NothingOf((*topic).into()),
        ["nothing", "to", "students"] => Forwarding::NothingToStudents,
        ["nothing", "to", "experiments"] => Forwarding::NothingToExperiments,
        ["after", delay] => Forwarding::After(parse_duration(delay).ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_as_it_is_printed() {
        let texts = [
            "vanish pend00",
            "back pend00/jump",
            "silent pend00-st-data",
            "sends *",
            "twin pend00-st-data",
            "untwin pend00-st-data",
            "join pend00-st-data",
            "leave pend00-st-data",
            "appears newx00",
            "goes newx00",
            "relay dies",
            "mail starts",
            "jump blinks",
            "jump mute",
            "jump speaks",
            "book freezes",
            "book thaws",
            "book refuses",
            "book accepts",
            "relay refuses sockets",
            "relay accepts sockets",
            "jump refuses tokens",
            "jump accepts tokens",
            "book secret s3cret",
            "book clock ahead 20s",
            "book clock behind 1m0s",
            "relay flood 40",
            "relay junk",
            "jump unreadable 3",
            "relay leaves out 120",
            "relay garbled",
            "relay clear",
            "relay closes after 500ms",
            "relay closes never",
            "relay forwards",
            "relay forwards nothing",
            "relay forwards nothing of canary",
            "relay forwards nothing to students",
            "relay forwards nothing to experiments",
            "relay forwards after 3s",
            "deny b0",
            "http book * ok",
            "http book /api/v1/admin/resources status 503",
            "http relay-socket * page 502",
            "http pages /ui/pend/ status 404",
            "pages dies",
            "http jump * slow 2s",
            "http book * hangs",
            "http book * drops",
            "http book * resets",
            "http book /api/v1/admin/bookings answers 200 [null, 7]",
            "http book /api/v1/admin/resources/r-pend00 deaf",
            "hold r-pend00 until Friday noon",
            "release r-pend00 done",
            "upload",
            "upload nothing",
            "upload bookings",
        ];
        for text in texts {
            let fault: Fault = text.parse().expect(text);
            assert_eq!(fault.to_string(), text, "{fault:?}");
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_its_text() {
        for text in [
            "",
            "relay",
            "relay explodes",
            "vanish",
            "http mail",
            "http book * status x",
            "http book * answers",
            "book clock 20s",
            "relay flood -1",
        ] {
            assert_eq!(text.parse::<Fault>(), Err(UnknownFault(text.to_owned())));
        }
    }
}
