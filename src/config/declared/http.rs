//! The settings of the HTTP API and the page.

use super::setting::{Kind, PORT_OR_NONE, Section, URL, settings};
use crate::config::bounds::{days, minutes};

const NETWORKS: &str = "IP addresses and networks, separated by commas or white space, or a \
    list of them; or none";
const ORIGINS: &str = "origins such as https://lab.example.org, separated by commas or white space, \
    or a list of them; * for every site; or none";
const PREFIX: &str = "a path such as /labwatch, of letters, digits, dashes, dots, \
    underscores and tildes between slashes";
const ADDRESSES_OF_HOST: &str =
    "IP addresses, separated by commas or white space, or a list of them";

pub(super) const API: Section = Section {
    title: "HTTP API",
    settings: settings! {
        /// Addresses that the API listens on. 127.0.0.1 and ::1 are this host only, which is right
        /// behind a proxy; 0.0.0.0 is all addresses. An address that this host does not have is
        /// left out, unless it is the only one.
        address_serve: Kind::Values(ADDRESSES_OF_HOST), default("127.0.0.1, ::1");
        /// Port that the API listens on; 0: any free port; none: there is no API and no page.
        port_serve: Kind::Value(PORT_OR_NONE), default("3007");
        /// The path below which everything is served, for a proxy that passes requests on with
        /// their path. Other paths are not found. With a proxy that removes the path, set api_url
        /// alone. / and an empty value both mean that there is none.
        api_prefix: Kind::Value(PREFIX), default("/");
        /// The address at which browsers reach the API and the page, for links. Without it: below
        /// api_prefix.
        api_url: Kind::Value(URL), example("https://app.example.org/ed0/status");
        /// Who may read. open: no token is needed, and names of persons and addresses are left out.
        /// token: a token is needed. students: the page of students (/lab) needs none, the rest
        /// does.
        api_read: Kind::Choice(&["open", "token", "students"]), default("open");
        /// The other sites whose pages may use the API: with a token or where reading is open,
        /// never with the session of a browser.
        api_cors: Kind::Values(ORIGINS), default("none");
        /// The secret that labwatch signs access tokens of its API with. Without it there are no
        /// tokens, so nothing can be changed over the API. At least 32 bytes.
        secret_api: Kind::Secret, example("...");
        /// A file with the secret of the API.
        secret_api_file: Kind::Path, example("/etc/labwatch/secrets/secret_api");
        /// How long a session of a browser lasts.
        api_session: Kind::Duration(minutes(5), days(30)), default("12h");
        /// The file with the certificate of the API, and its chain, in PEM. With it and api_tls_key
        /// there is only https.
        api_tls_cert: Kind::Path, example("/etc/labwatch/tls/cert.pem");
        /// The file with the private key of that certificate, in PEM.
        api_tls_key: Kind::Path, example("/etc/labwatch/tls/key.pem");
        /// The proxies whose X-Forwarded-For is trusted. none: no proxy's.
        api_trusted_proxy: Kind::Values(NETWORKS), default("127.0.0.1, ::1");
    },
};
