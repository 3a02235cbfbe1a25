//! Summary of the configuration in a few lines of text: what is watched, who is notified of what,
//! by which rules. Shows no secret.

use std::time::Duration;

use url::Url;

use super::bounds::short;
use super::configuration::{Config, LogTarget};
use super::mail_settings::MailSettings;
use super::maintenance::{MaintenanceSettings, Planned};
use super::notifications::{HttpTarget, NotificationSettings, Route, RouteTarget};
use super::services::{Expect, ServiceSettings};
use super::{ApiRead, ApiSettings, ClusterSettings, PublicationSettings, PublishTo};

use crate::clients::Address;
use engine::{CategoryPool, CategoryRule, HttpChannel};

impl Config {
    /// What is watched, who is notified and by which rules, in a few lines of text.
    pub fn summary(&self) -> String {
        let health = &self.health;
        let mut lines = vec![
            watched("book", &self.book.address),
            watched("jump", &self.jump.address),
            watched("relay", &self.relay.address),
            mail_line(self.mail.as_ref(), &self.notifications),
        ];
        lines.extend(notification_lines(&self.notifications));
        lines.push(format!(
            "rules    silent after {}, missing after {}, not evaluated for {} after first sight, down after {} of relay's outage",
            short(health.last_active),
            short(health.last_checked),
            short(health.startup),
            short(health.outage_hold),
        ));
        lines.extend(self.maintenance.iter().map(maintenance_line));
        lines.extend(self.pools.iter().map(pool_line));
        lines.extend(self.categories.iter().map(|it| category_line(&it.rule)));
        lines.extend(self.services.iter().map(service_line));
        lines.push(api_line(&self.api));
        if self.observe {
            lines.push("acts     never: it only observes".to_owned());
        }
        if self.shadow {
            let what = "acts     never: it runs in shadow and records what it would do";
            lines.push(what.to_owned());
        }
        if let Some(to) = &self.graphite {
            let (host, port, prefix) = (&to.host, to.port, &to.prefix);
            let every = short(to.every);
            lines.push(format!("graphite {host}:{port} as {prefix}, every {every}"));
        }
        let folder = self.database.as_ref().map(|it| it.folder.to_string_lossy());
        let folder = folder.unwrap_or("none: nothing is kept".into());
        lines.push(format!("store    {folder}"));
        lines.extend(self.shared());
        let log = match &self.log.target {
            LogTarget::Output => "standard output".into(),
            LogTarget::Error => "standard error".into(),
            LogTarget::File(file) => file.path.to_string_lossy(),
        };
        lines.push(format!("log      {log}, {}", self.log.level));
        lines.join("\n")
    }

    /// The cluster, what is published, and where the policy stands besides.
    fn shared(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(ClusterSettings {
            etcd,
            name,
            url,
            lease,
            ..
        }) = &self.cluster
        {
            let (at, lease) = (etcd.endpoints.join(", "), short(*lease));
            let below = &etcd.prefix;
            lines.push(format!(
                "cluster  {name} by etcd at {at} below {below}, lease {lease}, reached at {url}"
            ));
        }
        if let Some(PublicationSettings { to, prefix, .. }) = &self.publication {
            let to = match to {
                PublishTo::Etcd(etcd) => format!("in etcd at {}", etcd.endpoints.join(", ")),
                PublishTo::Files(folder) => format!("as files in {}", folder.display()),
            };
            lines.push(format!("publish  {to} below {prefix}"));
        }
        if let Some(policy) = &self.policy {
            let (at, acks) = (policy.etcd.endpoints.join(", "), &policy.acks);
            let categories = &policy.categories;
            lines.push(format!(
                "policy   in etcd at {at} below {acks} and {categories}"
            ));
        }
        lines
    }
}

fn watched(name: &str, address: &Address) -> String {
    let bare = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
    let (audience, connect) = (&address.audience, bare(&address.connect));
    let past = if connect == *audience {
        String::new()
    } else {
        format!(", reached at {connect}")
    };
    let socket = address.websocket.as_ref();
    let socket = socket.map(|url| format!(", websockets at {}", bare(url)));
    format!("{name:8} {audience}{past}{}", socket.unwrap_or_default())
}

fn mail_line(mail: Option<&MailSettings>, notifications: &NotificationSettings) -> String {
    let Some(mail) = mail else {
        return "mail     off".to_owned();
    };
    let digest = notifications.digest.map(|at| {
        let zone = &notifications.zone;
        format!(", every day at {} {zone}", at.strftime("%H:%M"))
    });
    let (host, port, tls) = (&mail.host, mail.port, mail.tls);
    format!(
        "mail     all notifications to {} by {host}:{port}, {tls}{}{}",
        recipients(&mail.to, &mail.cc),
        reminded(notifications.remind),
        digest.unwrap_or_default()
    )
}

fn notification_lines(notifications: &NotificationSettings) -> Vec<String> {
    let webhook = notifications.webhook.iter();
    let everything = webhook.map(|to| format!("webhook  all notifications to {}", program(to)));
    let dead_man = notifications.dead_man.iter();
    let dead_man = dead_man.map(|to| format!("heartbeat {} every {}", to.url, short(to.every)));
    let routes = notifications.routes.iter().map(route_line);
    everything.chain(routes).chain(dead_man).collect()
}

fn route_line(route: &Route) -> String {
    let alerts = if route.alerts { " and alerts" } else { "" };
    let target = match &route.target {
        RouteTarget::Mail { to, cc } => recipients(to, cc),
        RouteTarget::Http(target) => program(target),
    };
    let (name, patterns) = (&route.name, route.patterns.join(", "));
    let reminded = reminded(route.remind);
    format!("route    {name}: {patterns}{alerts} to {target}{reminded}")
}

fn recipients(to: &[String], cc: &[String]) -> String {
    let all: Vec<&str> = to.iter().chain(cc).map(String::as_str).collect();
    all.join(", ")
}

fn program(target: &HttpTarget) -> String {
    let url = &target.url;
    match (target.channel, target.secret.is_some()) {
        (HttpChannel::Webhook, true) => format!("{url}, signed"),
        (HttpChannel::Webhook, false) => format!("{url}, not signed"),
        (other, _) => format!("{} at {url}", other.as_str()),
    }
}

fn reminded(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| {
        format!(", reminded after {}", short(after))
    })
}

fn maintenance_line(planned: &MaintenanceSettings) -> String {
    let when = match &planned.when {
        Planned::Once { from, until } => format!("from {from} until {until}"),
        Planned::Weekly {
            days,
            at,
            lasts,
            zone,
        } => {
            let days: Vec<String> = days.iter().map(|day| format!("{day:?}")).collect();
            let (days, at, lasts) = (days.join(", "), at.strftime("%H:%M"), short(*lasts));
            format!("{days} at {at} {zone} for {lasts}")
        }
    };
    let (name, patterns) = (&planned.name, planned.patterns.join(", "));
    format!("window   {name}: {patterns} {when}")
}

fn pool_line(pool: &CategoryPool) -> String {
    let (name, members) = (&pool.name, pool.members.join(", "));
    let enough = pool.min_healthy;
    format!("pool     {name}: {members}, failing with fewer than {enough} healthy")
}

fn category_line(category: &CategoryRule) -> String {
    let members: Vec<&str> = category
        .patterns
        .iter()
        .chain(&category.pools)
        .map(String::as_str)
        .collect();
    let members = if members.is_empty() {
        String::new()
    } else {
        format!(": {}", members.join(", "))
    };
    let said = |is_so: bool, words| if is_so { words } else { "" };
    let resilient = said(category.resilient, ", resilient");
    let sticky = said(category.sticky, ", sticky");
    let (name, period) = (&category.name, short(category.period));
    format!("category {name}{members}{resilient}{sticky}, checked every {period}")
}

fn service_line(service: &ServiceSettings) -> String {
    let (name, period) = (&service.name, short(service.period));
    let Some(url) = &service.url else {
        return format!("service  {name}: reports by itself, every {period} at the latest");
    };
    let expect = match service.expect {
        Expect::Ok200 => "status 200",
        Expect::Any2xx => "status 200 to 299",
        Expect::FtStandard => "an FT health document",
    };
    let (place, path) = (url.origin().ascii_serialization(), url.path());
    format!("service  {name}: {place}{path}, {expect}, every {period}")
}

fn api_line(api: &ApiSettings) -> String {
    let Some(listen) = api.listen else {
        return "API      none, and no page".to_owned();
    };
    let scheme = if api.tls.is_some() { "https" } else { "http" };
    let read = match api.read {
        ApiRead::Open => "reading needs no token",
        ApiRead::Token => "reading needs a token",
        ApiRead::Students => "the page of students needs no token, other reading does",
    };
    let change = if api.secret.is_some() {
        "changing needs a token"
    } else {
        "nothing can be changed without secret_api"
    };
    let prefix = &api.prefix;
    format!("API      {scheme}://{listen}{prefix}, {read}, {change}")
}
