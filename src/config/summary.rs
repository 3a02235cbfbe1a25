//! Summary of the configuration in a few lines of text: what is watched, who is notified of what,
//! by which rules. Shows no secret.

use std::time::Duration;

use super::bounds::short;
use super::configuration::{Config, LogTarget};
use super::mail_settings::MailSettings;
use super::maintenance::{MaintenanceSettings, Planned};
use super::notifications::{HttpTarget, NotificationSettings, Route, RouteTarget};
use super::services::{Expect, ServiceSettings};
use super::{ApiRead, ApiSettings, PublishTo};
use crate::clients::Address;
use engine::{CategoryPool, CategoryRule, HttpChannel};

impl Config {
    /// What is watched, who is notified and by which rules, in a few lines of text.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut lines: Vec<String> = [
            ("book", &self.book.address),
            ("jump", &self.jump.address),
            ("relay", &self.relay.address),
        ]
        .into_iter()
        .map(|(name, address)| watched(name, address))
        .collect();
        lines.push(self.mail.as_ref().map_or_else(
            || "mail     off".to_owned(),
            |mail| mail_line(mail, &self.notifications),
        ));
        lines.extend(notification_lines(&self.notifications));
        lines.push(format!(
            "rules    silent after {}, missing after {}, not evaluated for {} after first sight, down after {} of relay's outage",
            short(self.health.last_active),
            short(self.health.last_checked),
            short(self.health.startup),
            short(self.health.outage_hold),
        ));
        lines.extend(self.maintenance.iter().map(maintenance_line));
        lines.extend(self.pools.iter().map(pool_line));
        lines.extend(self.categories.iter().map(|it| category_line(&it.rule)));
        lines.extend(self.services.iter().map(service_line));
        lines.push(api_line(&self.api));
        lines.extend(
            self.observe
                .then(|| "acts     never: it only observes".to_owned()),
        );
        lines.extend(
            self.shadow.then(|| {
                "acts     never: it runs in shadow and records what it would do".to_owned()
            }),
        );
        lines.extend(self.graphite.as_ref().map(|to| {
            format!(
                "graphite {}:{} as {}, every {}",
                to.host,
                to.port,
                to.prefix,
                short(to.every)
            )
        }));
        let folder = self
            .database
            .as_ref()
            .map_or("none: nothing is kept".into(), |database| {
                database.folder.to_string_lossy()
            });
        lines.push(format!("store    {folder}"));
        lines.extend(self.cluster.as_ref().map(|cluster| {
            format!(
                "cluster  {} by etcd at {} below {}, lease {}, reached at {}",
                cluster.name,
                cluster.etcd.endpoints.join(", "),
                cluster.etcd.prefix,
                short(cluster.lease),
                cluster.url
            )
        }));
        lines.extend(self.shared());
        let log = match &self.log.target {
            LogTarget::Output => "standard output".into(),
            LogTarget::Error => "standard error".into(),
            LogTarget::File(file) => file.path.to_string_lossy(),
        };
        lines.push(format!("log      {log}, {}", self.log.level));
        lines.join("\n")
    }

    /// Publication and policy.
    fn shared(&self) -> Vec<String> {
        let publication = self.publication.as_ref().map(|publication| {
            let to = match &publication.to {
                PublishTo::Etcd(etcd) => format!("in etcd at {}", etcd.endpoints.join(", ")),
                PublishTo::Files(folder) => format!("as files in {}", folder.display()),
            };
            format!("publish  {to} below {}", publication.prefix)
        });
        let policy = self.policy.as_ref().map(|policy| {
            format!(
                "policy   in etcd at {} below {} and {}",
                policy.etcd.endpoints.join(", "),
                policy.acks,
                policy.categories
            )
        });
        publication.into_iter().chain(policy).collect()
    }
}

fn watched(name: &str, address: &Address) -> String {
    let connect = address.connect.as_str().trim_end_matches('/');
    let past = if connect == address.audience {
        String::new()
    } else {
        format!(", reached at {connect}")
    };
    let socket = address
        .websocket
        .as_ref()
        .map(|url| format!(", websockets at {}", url.as_str().trim_end_matches('/')));
    format!(
        "{name:8} {}{past}{}",
        address.audience,
        socket.unwrap_or_default()
    )
}

fn mail_line(mail: &MailSettings, notifications: &NotificationSettings) -> String {
    let digest = notifications.digest.map(|at| {
        format!(
            ", every day at {:02}:{:02} {}",
            at.hour(),
            at.minute(),
            notifications.zone
        )
    });
    let remind = reminded(notifications.remind);
    let to = recipients(&mail.to, &mail.cc);
    format!(
        "mail     all notifications to {to} by {}:{}, {}{remind}{}",
        mail.host,
        mail.port,
        mail.tls,
        digest.unwrap_or_default()
    )
}

fn notification_lines(notifications: &NotificationSettings) -> Vec<String> {
    let webhooks = notifications
        .webhook
        .iter()
        .map(|webhook| format!("webhook  all notifications to {}", program(webhook)));
    let routes = notifications.routes.iter().map(route_line);
    let dead_man = notifications
        .dead_man
        .iter()
        .map(|to| format!("heartbeat {} every {}", to.url, short(to.every)));
    webhooks.chain(routes).chain(dead_man).collect()
}

fn route_line(route: &Route) -> String {
    let alerts = if route.alerts { " and alerts" } else { "" };
    let target = match &route.target {
        RouteTarget::Mail { to, cc } => recipients(to, cc),
        RouteTarget::Http(target) => program(target),
    };
    format!(
        "route    {}: {}{alerts} to {target}{}",
        route.name,
        route.patterns.join(", "),
        reminded(route.remind)
    )
}

fn recipients(to: &[String], cc: &[String]) -> String {
    let all: Vec<&str> = to.iter().chain(cc).map(String::as_str).collect();
    all.join(", ")
}

fn program(target: &HttpTarget) -> String {
    let (url, is_secret) = (&target.url, target.secret.is_some());
    match target.channel {
        HttpChannel::Webhook if is_secret => format!("{url}, signed"),
        HttpChannel::Webhook => format!("{url}, not signed"),
        HttpChannel::Alertmanager
        | HttpChannel::Slack
        | HttpChannel::Teams
        | HttpChannel::Matrix
        | HttpChannel::Ntfy => format!("{} at {url}", target.channel.as_str()),
    }
}

fn reminded(after: Option<Duration>) -> String {
    after
        .map(|after| format!(", reminded after {}", short(after)))
        .unwrap_or_default()
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
            format!(
                "{} at {:02}:{:02} {zone} for {}",
                days.join(", "),
                at.hour(),
                at.minute(),
                short(*lasts)
            )
        }
    };
    format!(
        "window   {}: {} {when}",
        planned.name,
        planned.patterns.join(", ")
    )
}

fn pool_line(pool: &CategoryPool) -> String {
    format!(
        "pool     {}: {}, failing with fewer than {} healthy",
        pool.name,
        pool.members.join(", "),
        pool.min_healthy
    )
}

fn category_line(category: &CategoryRule) -> String {
    let members: Vec<&str> = category
        .patterns
        .iter()
        .chain(&category.pools)
        .map(String::as_str)
        .collect();
    let resilient = if category.resilient {
        ", resilient"
    } else {
        ""
    };
    let sticky = if category.sticky { ", sticky" } else { "" };
    let members = if members.is_empty() {
        String::new()
    } else {
        format!(": {}", members.join(", "))
    };
    format!(
        "category {}{members}{resilient}{sticky}, checked every {}",
        category.name,
        short(category.period)
    )
}

fn service_line(service: &ServiceSettings) -> String {
    let Some(url) = &service.url else {
        return format!(
            "service  {}: reports by itself, every {} at the latest",
            service.name,
            short(service.period)
        );
    };
    let expect = match service.expect {
        Expect::Ok200 => "status 200",
        Expect::Any2xx => "status 200 to 299",
        Expect::FtStandard => "an FT health document",
    };
    let place = url.origin().ascii_serialization();
    format!(
        "service  {}: {place}{}, {expect}, every {}",
        service.name,
        url.path(),
        short(service.period)
    )
}

fn api_line(api: &ApiSettings) -> String {
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
    let Some(listen) = api.listen else {
        return "API      none, and no page".to_owned();
    };
    format!(
        "API      {scheme}://{listen}{}, {read}, {change}",
        api.prefix
    )
}
