//! `[[pool]]`, `[[category]]` and `[[service]]`: groups, and the outside services in them. Polls
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use url::Url;

use super::hidden::callable;
use super::mail::link;
use super::nearest::one_of;
use super::reader::Reader;
use super::rows::{pattern, slug};
use engine::model::Gather as _;
use engine::{CategoryPool, CategoryRule};

/// The built-in components, by their names.
pub const COMPONENTS: [&str; 11] = [
    "self",
    "store",
    "configuration",
    "dead_man",
    "book",
    "relay",
    "jump",
    "mail",
    "cluster",
    "publish",
    "policy",
];

/// The built-in categories: all experiments, and all components.
pub const BUILT_IN_CATEGORIES: [&str; 2] = ["default", "system"];

impl From<CategoryRule> for CategorySettings {
    /// A category without texts for readers.
    fn from(rule: CategoryRule) -> Self {
        Self {
            rule,
            panic_guide: None,
            business_impact: String::new(),
        }
    }
}

/// Experiments and components whose health is requested as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategorySettings {
    /// Its members, and the rule for its health. Its name is unique. `default` and `system` stand
    /// for all experiments and all components: those two have neither patterns nor pools here.
    pub rule: CategoryRule,
    /// The address of the guide for a failure.
    pub panic_guide: Option<Url>,
    /// The effect of a failure on users; may be empty.
    pub business_impact: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Its unique name, which is none of [`COMPONENTS`].
    pub name: String,
    /// The address that is polled; `None`: the service reports by itself (passive check).
    pub url: Option<Url>,
    /// How often it is polled, or for how long its report is valid.
    pub period: Duration,
    /// The time limit for an answer.
    pub timeout: Duration,
    pub expect: Expect,
    /// The categories that it is in: each is configured or one of [`BUILT_IN_CATEGORIES`].
    pub categories: Vec<String>,
    /// How often it is polled again before it counts as failed.
    pub retries: u32,
    /// The pause before it is polled again.
    pub retry_after: Duration,
}

/// Which answer of an outside service counts as healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Ok200,
    /// Any status from 200 to 299.
    Any2xx,
    /// A health document of the FT standard in which every check is ok.
    FtStandard,
}

pub(super) struct Groups {
    pub(super) pools: Vec<CategoryPool>,
    /// The titles of pools for students.
    pub(super) pool_titles: BTreeMap<String, String>,
    pub(super) categories: Vec<CategorySettings>,
    pub(super) services: Vec<ServiceSettings>,
}

pub(super) fn groups(reader: &mut Reader<'_>) -> Groups {
    let mut pool_titles = BTreeMap::new();
    let pools = reader.named_rows("pool", &[], |reader, name| {
        if let Some(title) = reader.sentences("title") {
            pool_titles.insert(name.clone(), title);
        }
        Some(CategoryPool {
            name,
            members: reader.required_patterns("members"),
            min_healthy: reader.number("min_healthy"),
        })
    });
    let known = category_names(reader);
    let services = reader.named_rows("service", &COMPONENTS, |reader, name| {
        service(reader, name, &known)
    });
    let used: BTreeSet<&str> = services
        .iter()
        .flat_map(|service| &service.categories)
        .map(String::as_str)
        .gather();
    let categories = reader.named_rows("category", &[], |reader, name| {
        Some(category(reader, name, &used))
    });
    Groups {
        pools,
        pool_titles,
        categories,
        services,
    }
}

/// The categories that a service can name, before it is known whether the rest of these categories
/// is valid.
fn category_names(reader: &Reader<'_>) -> Vec<String> {
    let configured = reader
        .rows_of("category")
        .iter()
        .filter_map(|row| row.text("name"));
    BUILT_IN_CATEGORIES
        .into_iter()
        .map(str::to_owned)
        .chain(configured)
        .collect()
}

fn category(reader: &mut Reader<'_>, name: String, used: &BTreeSet<&str>) -> CategorySettings {
    let category = CategorySettings {
        rule: CategoryRule {
            patterns: reader.list("match", pattern),
            pools: reader.list("pools", slug),
            by_stem: false,
            resilient: reader.switch("resilient"),
            min_healthy: reader
                .is_set("min_healthy")
                .then(|| reader.number("min_healthy")),
            period: reader.duration("period"),
            sticky: reader.switch("sticky"),
            failure_threshold: reader.number("failure_threshold"),
            sticky_booking: reader.switch("sticky_booking"),
            name,
        },
        panic_guide: reader.parsed("panic_guide", |text| {
            link(text).and_then(|url| callable(&url))
        }),
        business_impact: reader.sentences("business_impact").unwrap_or_default(),
    };
    let rule = &category.rule;
    check_members(reader, rule, used);
    for (key, is_of_use, what) in [
        ("min_healthy", rule.resilient, "resilient"),
        ("failure_threshold", rule.sticky, "sticky"),
        ("sticky_booking", rule.sticky, "sticky"),
    ] {
        if reader.is_set(key) && !is_of_use {
            let wrong = format!("is set, but the category is not {what}");
            let allowed = format!("write {what} = true, or leave it out");
            reader.wrong(key, &wrong, &allowed);
        }
    }
    category
}

fn check_members(reader: &mut Reader<'_>, category: &CategoryRule, used: &BTreeSet<&str>) {
    let named = ["match", "pools"]
        .into_iter()
        .find(|key| reader.find(key).is_some());
    match (BUILT_IN_CATEGORIES.contains(&category.name.as_str()), named) {
        (true, Some(key)) => reader.wrong(
            key,
            "is set, but what is in this category is fixed",
            "leave it out, or give it another name",
        ),
        (false, None) if !used.contains(category.name.as_str()) => {
            reader.missing(
                "match",
                "nothing is in it: write pools, name it in a [[service]], or ",
            );
        }
        (true, None) | (false, _) => {}
    }
}

fn service(reader: &mut Reader<'_>, name: String, known: &[String]) -> Option<ServiceSettings> {
    let asked = reader.find("url").is_some();
    let url = reader.parsed("url", callable);
    for key in ["timeout", "expect", "retries", "retry_after"] {
        if reader.is_set(key) && !asked {
            reader.wrong(
                key,
                "is set, but the service has no url, so it is not asked: it reports by itself",
                "write its url, or leave it out",
            );
        }
    }
    let (period, timeout) = (reader.duration("period"), reader.duration("timeout"));
    let expect = reader.word("expect");
    let categories = reader.list("categories", |text| one_of(text, known, "category"));
    let (retries, retry_after) = (reader.number("retries"), reader.duration("retry_after"));
    // A wrong url is reported; it is not the same as none.
    Some(ServiceSettings {
        name,
        url,
        period,
        timeout,
        expect: match expect? {
            "200" => Expect::Ok200,
            "ft" => Expect::FtStandard,
            _ => Expect::Any2xx,
        },
        categories,
        retries,
        retry_after,
    })
}
