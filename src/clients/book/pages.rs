//! The pages on which students open experiments, from book's manifest: the address of each, and
//! which resources are opened on it.
//!
//! book's web page fills templates such as `{{streams}}` with the values of one session. There is
//! no session here, so query parameters with a template are left out; an address with a template
//! before its query cannot be checked.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::manifest::Manifest;
use engine::PageUse;
use engine::model::Gather as _;
use engine::model::{PageAddress, PageName, ResourceName};

/// The most pages that are checked; experiments that are opened on further ones have a page that
/// cannot be checked.
pub const MAX_PAGES: usize = 256;

/// The longest address that is checked, in bytes.
const MAX_ADDRESS_BYTES: usize = 4_096;

/// How much of an address is shown, in bytes.
const MAX_SHOWN_BYTES: usize = 200;

/// The start of a template.
const TEMPLATE: &str = "{{";

/// Each page once, with its resources, and how many pages are beyond the bound.
pub(super) fn read_pages(manifest: &Manifest) -> (Vec<PageUse>, usize) {
    let mut uses: BTreeMap<Option<PageAddress>, BTreeSet<ResourceName>> = BTreeMap::new();
    let addresses: BTreeMap<&str, Option<PageAddress>> = manifest
        .uis
        .iter()
        .map(|(name, url)| (name.as_str(), address(url)))
        .gather();
    for slot in manifest.slots.values() {
        let Ok(resource) = ResourceName::try_new(&slot.resource) else {
            continue;
        };
        let uis = manifest.ui_sets.get(&slot.ui_set).into_iter().flatten();
        for page in uis.filter_map(|ui| addresses.get(ui.as_str())) {
            uses.entry(page.clone())
                .or_default()
                .insert(resource.clone());
        }
    }
    let too_many = bound(&mut uses);
    let uses = uses.into_iter().map(|(page, resources)| PageUse {
        page,
        resources: resources.into_iter().collect(),
    });
    (uses.collect(), too_many)
}

/// Replaces the pages beyond the bound by one that cannot be checked.
fn bound(uses: &mut BTreeMap<Option<PageAddress>, BTreeSet<ResourceName>>) -> usize {
    let pages = uses.keys().filter(|page| page.is_some());
    let beyond: Vec<_> = pages.skip(MAX_PAGES).cloned().collect();
    for page in &beyond {
        let resources = uses.remove(page).unwrap_or_default();
        uses.entry(None).or_default().extend(resources);
    }
    beyond.len()
}

/// The address that is requested in a check; `None` where it cannot be known.
fn address(text: &str) -> Option<PageAddress> {
    let text = text.trim();
    let (start, query) = match text.split('#').next()?.split_once('?') {
        Some((start, query)) => (start, Some(query)),
        None => (text.split('#').next()?, None),
    };
    if start.contains(TEMPLATE) || text.len() > MAX_ADDRESS_BYTES {
        return None;
    }
    let mut url = Url::parse(start).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let fixed = query.unwrap_or_default().split('&');
    let fixed: Vec<&str> = fixed
        .filter(|pair| !pair.is_empty() && !pair.contains(TEMPLATE))
        .collect();
    url.set_query((!fixed.is_empty()).then(|| fixed.join("&")).as_deref());
    let host = url.host_str()?;
    let port = url.port_or_known_default()?;
    let place = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let name = PageName::try_new(shown(&format!("{place}{}", url.path()))).ok()?;
    Some(PageAddress::new(
        url.as_str(),
        name,
        &format!("{host}:{port}"),
    ))
}

/// The beginning of a host and path, which are ASCII.
fn shown(place: &str) -> &str {
    place.get(..MAX_SHOWN_BYTES).unwrap_or(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Slot;

    #[test]
    fn templates_are_left_out() {
        #[rustfmt::skip]
        let rows = [
            // in the manifest → what is requested, what is shown, the host
            ("https://lab.example/ui/spin/?v=0&streams={{streams}}&exp={{exp}}&course=x",
             "https://lab.example/ui/spin/?v=0&course=x", "lab.example/ui/spin/", "lab.example:443"),
            ("https://lab.example/ui/?streams={{streams}}", "https://lab.example/ui/", "lab.example/ui/", "lab.example:443"),
            ("https://lab.example/ui/?course=x#{{exp}}", "https://lab.example/ui/?course=x", "lab.example/ui/", "lab.example:443"),
            (" http://lab.example:8080 ", "http://lab.example:8080/", "lab.example:8080/", "lab.example:8080"),
            ("https://u:pa55@lab.example/a b?token=s3cr3t", "https://u:pa55@lab.example/a%20b?token=s3cr3t", "lab.example/a%20b", "lab.example:443"),
            ("HTTP://[::1]/x", "http://[::1]/x", "[::1]/x", "[::1]:80"),
        ];
        for (text, asked, name, host) in rows {
            let page = address(text).expect(text);
            assert_eq!(
                (page.expose(), page.name().as_str(), page.host()),
                (asked, name, host)
            );
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_no_page() {
        let long = format!("https://lab.example/?{}", "x".repeat(MAX_ADDRESS_BYTES));
        for text in [
            "",
            "a",
            "/ui/",
            "https://lab.example/{{exp}}/",
            "https://{{host}}/ui/",
            "{{url}}",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ftp://lab.example/",
            "https://",
            long.as_str(),
        ] {
            assert_eq!(address(text), None, "{text}");
        }
        let long = format!("https://lab.example/{}", "x".repeat(1_000));
        let page = address(&long).expect("an address");
        assert_eq!(page.name().as_str().len(), MAX_SHOWN_BYTES);
    }

    fn manifest(
        slots: &[(&str, &str)],
        sets: &[(&str, &[&str])],
        uis: &[(&str, &str)],
    ) -> Manifest {
        let slot = |(resource, ui_set): &(&str, &str)| Slot {
            resource: (*resource).into(),
            policy: "p".into(),
            ui_set: (*ui_set).into(),
        };
        let names = |uis: &[&str]| uis.iter().map(|&ui| ui.to_owned()).collect();
        Manifest {
            slots: (0..)
                .map(|n: u32| n.to_string())
                .zip(slots.iter().map(slot))
                .collect(),
            ui_sets: sets
                .iter()
                .map(|(name, uis)| ((*name).into(), names(uis)))
                .collect(),
            uis: uis
                .iter()
                .map(|(name, url)| ((*name).into(), (*url).into()))
                .collect(),
            skipped: 0,
        }
    }

    #[test]
    fn each_page_is_there_once_with_all_its_resources() {
        let manifest = manifest(
            &[
                ("r-a", "us-a"),
                ("r-b", "us-a"),
                ("r-a", "us-staff"),
                ("r-c", "us-gone"),
                ("", "us-a"),
            ],
            &[
                ("us-a", &["ui-a", "ui-same"]),
                ("us-staff", &["ui-a", "ui-dev", "ui-odd", "ui-gone"]),
            ],
            &[
                ("ui-a", "https://lab.example/a/?exp={{exp}}"),
                ("ui-same", "https://lab.example/a/?streams={{streams}}"),
                ("ui-dev", "https://lab.example/dev/"),
                ("ui-odd", "https://lab.example/{{exp}}"),
                ("ui-of-none", "https://lab.example/none/"),
            ],
        );
        let (uses, too_many) = read_pages(&manifest);
        let uses: Vec<String> = uses
            .iter()
            .map(|it| {
                let page = it.page.as_ref().map_or("-", |page| page.name().as_str());
                let resources: Vec<&str> = it.resources.iter().map(ResourceName::as_str).collect();
                format!("{page} {}", resources.join(" "))
            })
            .collect();
        assert_eq!(
            uses,
            ["- r-a", "lab.example/a/ r-a r-b", "lab.example/dev/ r-a"]
        );
        assert_eq!(too_many, 0);
    }

    #[test]
    fn pages_have_a_bound() {
        let names: Vec<String> = (0..MAX_PAGES + 2).map(|n| format!("{n:04}")).collect();
        let urls: Vec<String> = names
            .iter()
            .map(|name| format!("https://x/{name}"))
            .collect();
        let uis: Vec<(&str, &str)> = names
            .iter()
            .map(String::as_str)
            .zip(urls.iter().map(String::as_str))
            .collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let (uses, too_many) = read_pages(&manifest(&[("r-a", "us")], &[("us", &all)], &uis));
        assert_eq!((uses.len(), too_many), (MAX_PAGES + 1, 2));
        assert!(
            uses.iter()
                .any(|it| it.page.is_none() && it.resources.len() == 1)
        );
    }
}
