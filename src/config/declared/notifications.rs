//! The settings of notifications.

use super::setting::{
    ADDRESSES, CALLABLE_URL, FINGERPRINT, HOST, Kind, Section, URL, ZONE, settings,
};
use crate::config::bounds::{days, hours, minutes, seconds};

const HELLO: &str = "a full host name, or an address in brackets: [192.0.2.1]";
const SENDER: &str = "a mail address, or a name with a mail address: Lab <lab@example.org>";

pub(super) const MAIL: Section = Section {
    title: "Mail: off unless email_host and email_to are set",
    settings: settings! {
        /// The mail server.
        email_host: Kind::Value(HOST), example("smtp.example.org"), at_once;
        /// Port of the mail server.
        email_port: Kind::Number(1, 65_535), default("587"), at_once;
        /// How the connection to the mail server is protected: not at all; by STARTTLS, without
        /// which nothing is sent; from the first byte. auto is implicit on port 465, none for a
        /// mail server on this host, and otherwise starttls.
        email_tls: Kind::Choice(&["auto", "none", "starttls", "implicit"]),
            default("auto"), at_once;
        /// A file with certificates of CAs, in PEM, that are trusted for the mail server besides
        /// the system's.
        email_tls_ca: Kind::Path, example("/etc/labwatch/mail-ca.pem"), at_once;
        /// The mail server's own certificate, which is then accepted with any signature, and no
        /// other: as openssl x509 -noout -fingerprint -sha256 shows it.
        email_tls_fingerprint: Kind::Value(FINGERPRINT),
            example("3F:64:89:AE:D3:F8:1D:42:67:8C:B1:D6:FB:20:45:6A:\
                8F:B4:D9:FE:23:48:6D:92:B7:DC:01:26:4B:70:95:BA"), at_once;
        /// The name by which labwatch greets the mail server (EHLO). Without it: this host's full
        /// name, or else its address.
        email_hello: Kind::Value(HELLO), example("lab.example.org"), at_once;
        /// How labwatch authenticates to the mail server. auto: with the password, if there is one
        /// and the connection is protected or the server is on this host. plain and login need a
        /// password and, unless the server is on this host, TLS.
        email_auth_type: Kind::Choice(&["auto", "none", "plain", "login"]),
            default("auto"), at_once;
        /// User name for the mail server. Without it: the address of email_from.
        email_username: Kind::Text, example("labwatch@example.org"), at_once;
        /// Password for the mail server. Required for plain and login: here, as email_password_file
        /// or as a credential.
        email_password: Kind::Secret, example("..."), at_once;
        /// A file with the password for the mail server.
        email_password_file: Kind::Path, example("/etc/labwatch/secrets/email_password"), at_once;
        /// Sender. Required for mail.
        email_from: Kind::Value(SENDER), example("labwatch@example.org"), at_once;
        /// Recipients. Required for mail.
        email_to: Kind::Values(ADDRESSES),
            example("maintainer@example.org, lab@example.org"), at_once;
        /// Recipients of copies.
        email_cc: Kind::Values(ADDRESSES), example("head@example.org"), at_once;
        /// The prefix of every subject.
        email_subject: Kind::Text, example("app.example.org/ed0"), at_once;
        /// The address of the page; every mail contains it.
        email_link: Kind::Value(URL), example("https://app.example.org/ed0/status"), at_once;
        /// The time limit for each reply of the mail server; after the whole mail it is 10 minutes,
        /// for connecting at most 30 s.
        email_timeout: Kind::Duration(seconds(1), minutes(5)), default("5m"), at_once;
        /// How long after the first event a notification waits for the rest of a burst.
        email_gather: Kind::Duration(seconds(0), days(1)), default("0s"), at_once;
        /// Rate limit of a route: three notifications may be sent at once, and one more per
        /// interval; news meanwhile is gathered, unless something gets worse that is booked within
        /// the hour. 0s: no limit.
        email_interval: Kind::Duration(seconds(0), hours(1)), default("5m"), at_once;
        /// The time until a reminder of problems that last. It doubles with each reminder, up to a
        /// week.
        email_remind: Kind::WordOrDuration(&["off"], minutes(10), days(7)), default("off"), at_once;
        /// The time of the daily digest of open problems, forgotten holds and silences, in
        /// time_zone. A time that the clocks skip is as much later; of one that they show twice the
        /// first counts.
        email_digest: Kind::Value("off, or a time such as 07:30"), default("off"), at_once;
        /// Whether a report on the availability of the last month is mailed on its first day.
        report_monthly: Kind::Switch, default("false"), at_once;
    },
};

pub(super) const OTHERS: Section = Section {
    title: "Other notifications",
    settings: settings! {
        /// The time zone of the digest, of maintenance, of reports and of the page's forms. Without
        /// it: the system's, or else UTC.
        time_zone: Kind::Value(ZONE), example("Europe/London"), at_once;
        /// A webhook that gets every notification. Such addresses often hold a secret: it is never
        /// shown whole, and can be given as secrets are, in webhook_url_file or as a credential.
        webhook_url: Kind::Hidden(CALLABLE_URL),
            example("https://hooks.example.org/labwatch"), at_once;
        /// A file with the address of the webhook alone.
        webhook_url_file: Kind::Path, example("/etc/labwatch/secrets/webhook_url"), at_once;
        /// The time limit of a call of a webhook, connecting included.
        webhook_timeout: Kind::Duration(seconds(1), minutes(5)), default("10s"), at_once;
        /// The secret that signs calls of the webhook. Without it they are not signed.
        secret_webhook: Kind::Secret, example("..."), at_once;
        /// A file with the secret of the webhook.
        secret_webhook_file: Kind::Path, example("/etc/labwatch/secrets/secret_webhook"), at_once;
        /// Heartbeat: this address is called as long as labwatch works, so that another service
        /// alerts when the calls stop. It is never shown whole, and can be given as secrets are, in
        /// dead_man_url_file or as a credential.
        dead_man_url: Kind::Hidden(CALLABLE_URL), example("https://alive.example.org/labwatch");
        /// A file with that address alone.
        dead_man_url_file: Kind::Path, example("/etc/labwatch/secrets/dead_man_url");
        /// How often dead_man_url is called.
        dead_man_every: Kind::Duration(seconds(10), hours(1)), default("1m");
        /// After which time a manual hold counts as forgotten, unless its reason changes.
        hold_overdue: Kind::Duration(hours(1), days(365)), default("14d"), at_once;
    },
};
