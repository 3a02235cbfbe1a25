//! Publication as files: a folder below which each key is a file, replaced atomically. They are
//! deleted at a clean stop; those of a killed labwatch are recognised by their time.
//!
//! A thread of its own writes, so that a disk that hangs blocks no other part, and not the end of
//! the process either.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{fs, io};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::batch::{Batch, WRITE_WITHIN};
use engine::model::Gather as _;
use engine::model::format_duration;

/// The suffix of a file that is being written: no escaped name ends so.
const UNFINISHED: &str = ".%tmp";

/// The folders that are searched for orphans.
const KINDS: [&str; 2] = ["check/status/v1/plugin", "check/status/v1/experiment"];

/// A job for the thread, and the channel for its outcome.
type Job = (Batch, oneshot::Sender<Result<(), String>>);

/// The handle of the thread.
pub(super) struct Files {
    jobs: SyncSender<Job>,
    /// The outcome of a job that was not finished in time.
    late: Option<oneshot::Receiver<Result<(), String>>>,
}

impl Files {
    pub(super) fn new(folder: &Path, prefix: &str) -> Result<Self, String> {
        let place = folder.join(prefix.trim_start_matches('/'));
        // One job at a time, so a capacity of one is enough.
        let (jobs, queue) = sync_channel(1);
        std::thread::Builder::new()
            .name("publish".to_owned())
            .spawn(move || work(&place, &queue))
            .map_err(|error| format!("no thread can be started for it: {error}"))?;
        Ok(Self { jobs, late: None })
    }

    pub(super) async fn write(&mut self, batch: Batch) -> Result<(), String> {
        if let Some(late) = &mut self.late {
            if timeout(WRITE_WITHIN, late).await.is_err() {
                return Err(slow());
            }
            self.late = None;
        }
        let (answer, mut answered) = oneshot::channel();
        if self.jobs.try_send((batch, answer)).is_err() {
            return Err("its thread has ended".to_owned());
        }
        if let Ok(outcome) = timeout(WRITE_WITHIN, &mut answered).await {
            outcome.unwrap_or_else(|_| Err("its thread has ended".to_owned()))
        } else {
            self.late = Some(answered);
            Err(slow())
        }
    }

    /// Removes everything that was published. Each replica has files of its own, so another one
    /// that goes on changes nothing.
    pub(super) async fn end(&mut self, _has_others: bool) {
        let nothing = Batch {
            deletes: vec![super::AGENT.to_owned()],
            is_whole: true,
            ..Batch::default()
        };
        if let Err(why) = self.write(nothing).await {
            tracing::warn!(why, "cannot remove the published files");
        }
    }
}

fn slow() -> String {
    format!(
        "the disk of publish_dir has not answered within {}",
        format_duration(WRITE_WITHIN)
    )
}

fn work(place: &Path, queue: &Receiver<Job>) {
    while let Ok((batch, answer)) = queue.recv() {
        // The caller may have stopped waiting.
        drop(answer.send(take(place, &batch)));
    }
}

/// Carries out as much of a batch as possible, and returns the first fault.
fn take(place: &Path, batch: &Batch) -> Result<(), String> {
    let mut fault = Ok(());
    let mut note = |path: &Path, outcome: io::Result<()>| {
        if let Err(error) = outcome
            && fault.is_ok()
        {
            // The folder is private to this machine, and readers of a component's detail see this
            // text.
            let file = path.file_name().unwrap_or_default().display();
            fault = Err(format!(
                "{file} cannot be written: {error}; check publish_dir"
            ));
        }
    };
    for (key, value) in &batch.puts {
        let path = place.join(key);
        note(&path, put(&path, value));
    }
    for key in &batch.deletes {
        let path = place.join(key);
        note(&path, removed(&path));
    }
    if batch.is_whole {
        for path in strays(place, &batch.puts) {
            note(&path, removed(&path));
        }
    }
    fault
}

fn put(path: &Path, value: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let written = fs::write(&unfinished, value).and_then(|()| fs::rename(&unfinished, path));
    written.inspect_err(|_| {
        // It may not be there at all.
        let _ = fs::remove_file(&unfinished);
    })
}

fn removed(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The files of components and experiments that are not among these.
fn strays(place: &Path, puts: &BTreeMap<String, Vec<u8>>) -> Vec<PathBuf> {
    let wanted: BTreeSet<PathBuf> = puts.keys().map(|key| place.join(key)).gather();
    let entries = KINDS
        .iter()
        .filter_map(|kind| fs::read_dir(place.join(kind)).ok());
    let found = entries
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    found.filter(|path| !wanted.contains(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(keys: &[&str], is_whole: bool) -> Batch {
        let puts = keys.iter().map(|key| ((*key).to_owned(), b"{}".to_vec()));
        Batch {
            puts: puts.collect(),
            is_whole,
            ..Batch::default()
        }
    }

    fn below(folder: &Path) -> Vec<String> {
        let kinds = fs::read_dir(folder.join("root/check/status/v1")).into_iter();
        let mut names: Vec<String> = kinds
            .flatten()
            .flat_map(
                |kind| match fs::read_dir(kind.as_ref().expect("an entry").path()) {
                    Ok(files) => files.map(|file| file.expect("an entry").path()).collect(),
                    Err(_) => vec![kind.expect("an entry").path()],
                },
            )
            .map(|path| {
                path.file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn what_is_published_is_there_and_what_is_not_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut files = Files::new(folder.path(), "/root").expect("a thread");
        let (agent, book, old) = (
            super::super::AGENT,
            super::super::key_of("plugin", "book"),
            super::super::key_of("experiment", "a/../b"),
        );
        files
            .write(batch(&[agent, &book, &old], true))
            .await
            .expect("written");
        assert_eq!(below(folder.path()), ["a%2F..%2Fb", "agent", "book"]);
        files.write(batch(&[agent], false)).await.expect("written");
        assert_eq!(below(folder.path()).len(), 3, "the others are as they were");
        files
            .write(batch(&[agent, &book], true))
            .await
            .expect("written");
        assert_eq!(below(folder.path()), ["agent", "book"]);
        files.end(false).await;
        assert_eq!(below(folder.path()), [""; 0]);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_said_and_the_rest_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut files = Files::new(folder.path(), "/root").expect("a thread");
        let (long, book) = (
            super::super::key_of("experiment", &"x".repeat(300)),
            super::super::key_of("plugin", "book"),
        );
        let fault = files
            .write(batch(&[&long, &book], true))
            .await
            .expect_err("too long");
        assert!(fault.contains("check publish_dir"), "{fault}");
        let place = folder.path().display().to_string();
        assert!(!fault.contains(&place), "readers see it: {fault}");
        assert_eq!(below(folder.path()), ["book"]);
    }
}
