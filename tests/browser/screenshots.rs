//! Screenshots of the main pages, for review: `scripts/screenshots.sh`. Nothing is
//! compared.

use std::fs;
use std::path::{Path, PathBuf};

use lab::{Lab, RelayVersion, Server};

use super::laboratory::laboratory;
use super::monitor::Monitor;
use super::orders;
use super::page::{Look, Page};
use super::past;

/// The folder that they are put into.
const INTO: &str = "LABWATCH_PICTURES";

/// The pages, by the names of their screenshots.
const PAGES: [(&str, &str); 19] = [
    ("problems", "/"),
    ("found", "/?pool=pend"),
    ("experiment-down", "/experiments/trus02"),
    ("experiment-well", "/experiments/pend00"),
    ("experiment-held", "/experiments/spin03"),
    ("experiments", "/experiments?sort=-state"),
    ("timeline", "/timeline"),
    ("pools", "/pools"),
    ("categories", "/categories"),
    ("sources", "/sources"),
    ("holds", "/holds"),
    ("outbox", "/outbox"),
    ("reports", "/reports"),
    ("students", "/lab"),
    ("students-pool", "/lab/pend"),
    (
        "acknowledge",
        "/do/acknowledge?name=trus02&text=motor+ordered&check=1",
    ),
    ("maintenance", "/do/maintenance?experiments=pend*"),
    ("hold", "/do/hold?resource=r-pend00"),
    ("api", "/api/v2/docs"),
];

#[ignore = "makes screenshots and compares nothing"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn screenshots_of_the_main_pages() {
    let into =
        PathBuf::from(std::env::var_os(INTO).expect("LABWATCH_PICTURES says into which folder"));
    fs::create_dir_all(&into).expect("a folder");
    let stubs: Vec<String> = (0..12)
        .flat_map(|number| ["pend", "spin", "trus"].map(|family| format!("{family}{number:02}")))
        .collect();
    let names: Vec<&str> = stubs.iter().map(String::as_str).collect();
    let lab = laboratory(RelayVersion::V07, &names).await;
    let folder = tempfile::tempdir().expect("a folder");
    past::lived_through(folder.path(), &stubs).await;
    let settings = [
        ("SECRET_API", orders::SECRET),
        ("DATA_DIR", folder.path().to_str().expect("a name")),
        ("HEALTH_STARTUP", "8s"),
    ];
    let monitor = Monitor::start(&lab, &settings).await;

    let reader = Page::new(monitor.port()).await;
    take(&reader, &into, "start", "/").await;
    monitor.sees_well(&names).await;
    take(&reader, &into, "well", "/").await;
    take(&reader, &into, "login", "/login").await;
    take(&reader, &into, "nowhere", "/nothing/here").await;
    much_goes_wrong(&lab, &monitor).await;
    take(&reader, &into, "open", "/").await;
    wall(&reader, &into).await;
    let admin = Page::new(monitor.port()).await;
    orders::sign_in(&admin).await;
    for (name, path) in PAGES {
        take(&admin, &into, name, path).await;
    }
    lab.kill(Server::Jump).await;
    lab.kill(Server::Mail).await;
    lab.power_off("pend04").expect("known");
    admin.open("/").await;
    admin.says("jump is down").await;
    admin.says("Mail cannot be sent").await;
    take(&admin, &into, "blind-in-one-eye", "/").await;
    take(&admin, &into, "sources-one-down", "/sources").await;
    admin.look(Look::Light).await;
    admin.open("/").await;
    monitor.kill(&lab).await;
    admin.says("Connection lost.").await;
    keep(&admin, &into, "lost", Look::Light).await;
    reader.gone();
    admin.gone();
}

async fn much_goes_wrong(lab: &Lab, monitor: &Monitor) {
    for stub in ["trus02", "spin07"] {
        lab.power_off(stub).expect("known");
    }
    lab.stream_silent("pend03-st-video").expect("known");
    lab.jump_lost("pend05").expect("known");
    lab.hold("r-spin03", "The motor is being replaced, back on Friday.")
        .expect("known");
    lab.experiment_appears("newx00");
    for stub in ["trus02", "spin07", "pend03"] {
        monitor
            .sees(stub, "is withdrawn", |it| it["bookable"] == "withdrawn")
            .await;
    }
    monitor
        .sees("pend05", "is degraded", |it| it["health"] == "degraded")
        .await;
    monitor
        .sees("spin03", "is held", |it| it["bookable"] == "held")
        .await;
    monitor
        .sees("newx00", "is evaluated", |it| it["health"] == "ok")
        .await;
}

/// A page in light, dark and on a phone.
async fn take(page: &Page, into: &Path, name: &str, path: &str) {
    for look in Look::ALL {
        page.look(look).await;
        page.open(path).await;
        keep(page, into, name, look).await;
    }
}

/// The overview on a wall, from across the room.
async fn wall(page: &Page, into: &Path) {
    page.look(Look::Dark).await;
    page.size(1920, 1080, false).await;
    page.open("/?wall").await;
    keep(page, into, "wall", Look::Dark).await;
}

async fn keep(page: &Page, into: &Path, name: &str, look: Look) {
    let file = into.join(format!("{name}-{}.png", format!("{look:?}").to_lowercase()));
    fs::write(file, page.screenshot().await).expect("written");
}
