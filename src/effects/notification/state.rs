//! State of a notification for filters: `news down=1 back=1 pend03=down/withdrawn`. ASCII, short
//! words. Pure.

use engine::model::Bookable;
use engine::{Line, Summary};

use super::groups::Turn;

/// The most experiments that are named.
pub const MAX_NAMED: usize = 50;

/// The longest name, in bytes; longer ones are left out.
const MAX_NAME_BYTES: usize = 40;

/// The occasion, how many experiments took which turn, how many problems and alerts are open, then
/// the experiments in the news.
pub(super) fn state(summary: &Summary) -> Vec<String> {
    let mut words = vec![summary.occasion.as_str().to_owned()];
    let mut turns: Vec<Turn> = summary.news.iter().map(Turn::of).collect();
    turns.sort_unstable();
    let kinds: Vec<&str> = turns.iter().map(|turn| word(*turn)).collect();
    words.extend(
        kinds
            .chunk_by(|a, b| a == b)
            .filter_map(|chunk| Some(format!("{}={}", chunk.first()?, chunk.len()))),
    );
    let alerts = summary.alerts.iter().filter(|alert| alert.ended.is_none());
    words.push(format!("open={}", summary.problems.len()));
    words.push(format!("alerts={}", alerts.count()));
    words.extend(summary.news.iter().filter_map(experiment).take(MAX_NAMED));
    words
}

/// One word for a turn.
fn word(turn: Turn) -> &'static str {
    match turn {
        Turn::Down => "down",
        Turn::Unsteady => "unsteady",
        Turn::Flapping => "flapping",
        Turn::Degraded => "degraded",
        Turn::Unknown => "unknown",
        Turn::Still(_) => "changed",
        Turn::PartlyBack => "partly-back",
        Turn::Back => "back",
        Turn::Unlisted => "unlisted",
    }
}

/// An experiment; `None` where its name is not a word of a header.
fn experiment(line: &Line) -> Option<String> {
    let name = line.stub.as_str();
    let is_word = name.len() <= MAX_NAME_BYTES
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"=/\"\\()<>,;:".contains(&byte));
    let bookable = match line.bookable {
        Some(Bookable::Yes) => "bookable",
        Some(Bookable::Withdrawn) => "withdrawn",
        Some(Bookable::Held) => "held",
        None => "unlisted",
    };
    is_word.then(|| format!("{name}={}/{bookable}", line.health))
}
