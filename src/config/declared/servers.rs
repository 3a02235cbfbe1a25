//! The settings of book, jump and relay.

use super::setting::{
    AUDIENCE, BASE_PATH, HOST_AND_PORT, Kind, PLAIN_URL, SOCKET_URL, Section, settings,
};
use crate::config::bounds::{days, millis, minutes, seconds};

pub(super) const BOOK: Section = Section {
    title: "Book: bookings",
    settings: settings! {
        /// Host of book, with its port where that is not the scheme's own. Required.
        host_book: Kind::Value(HOST_AND_PORT), example("app.example.org");
        /// Scheme of book's address.
        scheme_book: Kind::Choice(&["http", "https"]), default("https");
        /// Path in front of book's API. / and an empty value both mean that there is none.
        basepath_book: Kind::Value(BASE_PATH), default("/");
        /// The exact audience of book (its BOOK_AUDIENCE). Without it: scheme, host and base path
        /// combined.
        audience_book: Kind::Value(AUDIENCE), example("https://app.example.org/ed0/book");
        /// The address of book where it differs from its audience, for example past the proxy on
        /// the same host. Without it: the audience.
        url_book: Kind::Value(PLAIN_URL), example("http://127.0.0.1:4000");
        /// The secret that book's access tokens are signed with (its BOOK_ADMIN_SECRET). Required:
        /// so, as secret_book_file or as a credential.
        secret_book: Kind::Secret, example("...");
        /// A file with the secret for book.
        secret_book_file: Kind::Path, example("/etc/labwatch/secrets/secret_book");
        /// How often book is polled for its resources and their availability.
        query_book_every: Kind::Duration(seconds(1), days(1)), default("15m");
        /// The time limit of one call to book.
        timeout_book: Kind::Duration(millis(100), minutes(5)), default("5s");
    },
};

pub(super) const JUMP: Section = Section {
    title: "Jump: remote login",
    settings: settings! {
        /// Host of jump, with its port where that is not the scheme's own. Required.
        host_jump: Kind::Value(HOST_AND_PORT), example("app.example.org");
        /// Scheme of jump's address.
        scheme_jump: Kind::Choice(&["http", "https"]), default("https");
        /// Path in front of jump's API (without /api/v1). / and an empty value both mean that there
        /// is none.
        basepath_jump: Kind::Value(BASE_PATH), default("/");
        /// The exact audience of jump (its JUMP_AUDIENCE). Without it: scheme, host and base path
        /// combined.
        audience_jump: Kind::Value(AUDIENCE), example("https://app.example.org/ed0/jump");
        /// The address of jump's API where it differs from its audience. Without it: the audience.
        url_jump: Kind::Value(PLAIN_URL), example("http://127.0.0.1:3002");
        /// Scheme, host and port that replace those of the websocket addresses that jump hands out.
        /// Without it they are used as they come.
        url_jump_socket: Kind::Value(SOCKET_URL), example("ws://127.0.0.1:3003");
        /// The secret that jump's access tokens are signed with. Required: so, as secret_jump_file
        /// or as a credential.
        secret_jump: Kind::Secret, example("...");
        /// A file with the secret for jump.
        secret_jump_file: Kind::Path, example("/etc/labwatch/secrets/secret_jump");
        /// How often the connection to jump is renewed; the new one is open before the old one is
        /// closed.
        reconnect_jump_every: Kind::Duration(seconds(10), days(30)), default("1d");
    },
};

pub(super) const RELAY: Section = Section {
    title: "Relay: data and video streams",
    settings: settings! {
        /// Host of relay's access API, with its port where that is not the scheme's own. Required.
        host_relay: Kind::Value(HOST_AND_PORT), example("app.example.org");
        /// Scheme of relay's address.
        scheme_relay: Kind::Choice(&["http", "https"]), default("https");
        /// Path in front of relay's access API, such as /ed0/access. / and an empty value both mean
        /// that there is none.
        basepath_relay: Kind::Value(BASE_PATH), default("/");
        /// The exact audience of relay's access API (its RELAY_AUDIENCE). Without it: scheme, host
        /// and base path combined.
        audience_relay: Kind::Value(AUDIENCE), example("https://app.example.org/ed0/access");
        /// The address of relay's access API where it differs from its audience. Without it: the
        /// audience.
        url_relay: Kind::Value(PLAIN_URL), example("http://127.0.0.1:3000");
        /// Scheme, host and port that replace those of the websocket addresses that relay hands
        /// out. Without it they are used as they come.
        url_relay_socket: Kind::Value(SOCKET_URL), example("ws://127.0.0.1:3001");
        /// The secret that relay's access tokens are signed with. Required: so, as
        /// secret_relay_file or as a credential.
        secret_relay: Kind::Secret, example("...");
        /// A file with the secret for relay.
        secret_relay_file: Kind::Path, example("/etc/labwatch/secrets/secret_relay");
        /// How often the connection to relay is renewed; the new one is open before the old one is
        /// closed.
        reconnect_relay_every: Kind::Duration(seconds(10), days(30)), default("1d");
    },
};
