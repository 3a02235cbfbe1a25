//! The environment that a systemd unit gives its program: the variables of `Environment=`,
//! `EnvironmentFile=` and of drop-ins, as systemd reads them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::words::{Words, env_file, words};
use crate::config::ENV_PREFIX;

/// The folders in which systemd searches for units; the first that has one wins.
const FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// The most bytes that a file may have. Units have some thousand.
const MAX_BYTES: u64 = 1 << 20;

/// A variable, with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
    /// The file and the line.
    pub(super) origin: String,
    /// Whether it is in a unit, which every user of the host can read.
    pub(super) in_unit: bool,
}

/// All that was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// In the order in which they take effect: of two with one name the later one counts.
    pub(super) variables: Vec<Variable>,
    /// What systemd drops, and named files that cannot be read. Sentences.
    pub(super) remarks: Vec<String>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
}

impl Found {
    /// Reads a unit with its drop-ins, or a file of variables. A name without a slash is looked for
    /// where systemd does.
    ///
    /// # Errors
    /// A sentence: the file cannot be read.
    pub(super) fn read(name: &str) -> Result<Self, String> {
        let path = locate(name);
        let mut found = Self::default();
        let text = found
            .open(&path)
            .map_err(|error| format!("{} cannot be read: {error}.", path.display()))?;
        if is_unit(&path, &text) {
            found.unit(&path, &text);
            for path in drop_ins(&path) {
                match found.open(&path) {
                    Ok(text) => found.unit(&path, &text),
                    Err(error) => found.unreadable(&path, &error),
                }
            }
        } else {
            found.environment_file(&path, &text);
        }
        Ok(found)
    }

    fn open(&mut self, path: &Path) -> io::Result<String> {
        if fs::metadata(path)?.len() > MAX_BYTES {
            return Err(io::Error::other("it is larger than a unit can be"));
        }
        let bytes = fs::read(path)?;
        self.files.push(path.to_owned());
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let path = path.display();
        self.remarks.push(format!(
            "{path} cannot be read, so what it sets is missing here: {error}"
        ));
    }

    fn unit(&mut self, path: &Path, text: &str) {
        let mut is_service = false;
        for (number, line) in logical_lines(text) {
            if line.starts_with('[') {
                is_service = line == "[Service]";
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| is_service) else {
                continue;
            };
            match (key.trim(), value.trim()) {
                ("Environment", "") => self.variables.retain(|variable| !variable.in_unit),
                ("Environment", value) => self.assignments(path, number, value),
                ("EnvironmentFile", "") => self.variables.retain(|variable| variable.in_unit),
                ("EnvironmentFile", value) => self.named_file(value),
                _ => {}
            }
        }
    }

    /// `A=b "C=d e"`: systemd drops a word that is not an assignment, with a warning that is easily
    /// missed.
    fn assignments(&mut self, path: &Path, number: usize, text: &str) {
        let Words { all, is_open } = words(text);
        let origin = format!("{}:{number}", path.display());
        if is_open {
            self.remarks.push(format!(
                "{origin}: a quotation mark is not closed; systemd ignores the whole line"
            ));
            return;
        }
        for word in all {
            match word.split_once('=').filter(|(name, _)| is_name(name)) {
                Some((name, value)) => self.variables.push(Variable {
                    name: name.to_owned(),
                    value: value.replace("%%", "%"),
                    origin: origin.clone(),
                    in_unit: true,
                }),
                None => self.dropped(&origin, &word),
            }
        }
    }

    /// The word may be a part of a password with a blank in it, so it is shown only where the
    /// variable before it is no secret.
    fn dropped(&mut self, origin: &str, word: &str) {
        let before = self.variables.last().filter(|last| last.origin == origin);
        let Some(before) = before else {
            self.remarks.push(format!(
                "{origin}: systemd drops a word that is no assignment"
            ));
            return;
        };
        let shown = if is_secret(&before.name) { "…" } else { word };
        self.remarks.push(format!(
            "{origin}: systemd drops \"{shown}\" behind {}, because the value has a blank and no quotation marks around the whole assignment; \
             status never got it, and it is left out here",
            before.name
        ));
    }

    fn named_file(&mut self, text: &str) {
        let (is_optional, path) = match text.strip_prefix('-') {
            Some(path) => (true, Path::new(path)),
            None => (false, Path::new(text)),
        };
        match self.open(path) {
            Ok(text) => self.environment_file(path, &text),
            Err(error) if is_optional && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.unreadable(path, &error),
        }
    }

    fn environment_file(&mut self, path: &Path, text: &str) {
        for (number, name, value) in env_file(text) {
            let origin = format!("{}:{number}", path.display());
            if is_name(&name) {
                self.variables.push(Variable {
                    name,
                    value,
                    origin,
                    in_unit: false,
                });
            } else {
                self.remarks.push(format!(
                    "{origin}: systemd drops a line that is no assignment"
                ));
            }
        }
    }

    /// The variables in force: of two with one name the later one, and those of environment files
    /// win over those of units.
    pub(super) fn in_force(&self) -> Vec<&Variable> {
        let of = |in_unit: bool| {
            self.variables
                .iter()
                .filter(move |variable| variable.in_unit == in_unit)
        };
        let mut all: Vec<&Variable> = Vec::new();
        for variable in of(true).chain(of(false)) {
            all.retain(|known| known.name != variable.name);
            all.push(variable);
        }
        all
    }
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

fn is_unit(path: &Path, text: &str) -> bool {
    path.extension().is_some_and(|ending| ending == "service")
        || text.lines().any(|line| line.trim() == "[Service]")
}

fn locate(name: &str) -> PathBuf {
    let here = PathBuf::from(name);
    if here.exists() || name.contains('/') {
        return here;
    }
    let names = [name.to_owned(), format!("{name}.service")];
    let places = FOLDERS
        .iter()
        .flat_map(|folder| names.iter().map(|name| Path::new(folder).join(name)));
    places
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or(here)
}

/// The drop-ins of a unit: beside it, and where systemd has them.
fn drop_ins(unit: &Path) -> Vec<PathBuf> {
    let Some(name) = unit.file_name() else {
        return Vec::new();
    };
    let folder = format!("{}.d", name.to_string_lossy());
    let beside = unit.parent().map(Path::to_owned);
    let system = FOLDERS.iter().map(PathBuf::from);
    let is_systems = |folder: &PathBuf| FOLDERS.iter().any(|known| Path::new(known) == folder);
    // A unit elsewhere is a copy: the drop-ins of the system are of another one.
    let folders: Vec<PathBuf> = match beside {
        Some(beside) if !is_systems(&beside) => vec![beside],
        _ => system.collect(),
    };
    let mut all: Vec<PathBuf> = folders
        .iter()
        .filter_map(|place| fs::read_dir(place.join(&folder)).ok())
        .flat_map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())))
        .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
        .collect();
    all.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    all
}

/// Lines without comments, continuation lines joined; each with the number of its first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with(['#', ';']) || (line.is_empty() && !goes_on) {
            continue;
        }
        let (part, more) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match all.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => {
                whole.push(' ');
                whole.push_str(part);
            }
            None => all.push((number, part.to_owned())),
        }
        goes_on = more;
    }
    all
}

/// Whether a variable holds what must not be shown.
pub(super) fn is_secret(name: &str) -> bool {
    let key = name.strip_prefix(ENV_PREFIX).unwrap_or(name);
    key.starts_with("SECRET")
        || ["PASSWORD", "TOKEN", "SECRET"]
            .iter()
            .any(|end| key.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Found {
        let mut found = Found::default();
        found.unit(Path::new("status.service"), text);
        found
    }

    fn values(found: &Found) -> Vec<(&str, &str)> {
        let in_force = found.in_force();
        in_force
            .iter()
            .map(|variable| (&*variable.name, &*variable.value))
            .collect()
    }

    #[test]
    fn assignments_are_read_as_systemd_does() {
        let found = unit(
            "[Unit]\nEnvironment=NOT=this\n[Service]\n# Environment=NOR=that\nEnvironment=A=1 \"B=two words\" 'C=3'\n\
             Environment=D=half%%\nEnvironment=E=x \\\n  F=y\nEnvironment=A=later\n",
        );
        let expected = [
            ("B", "two words"),
            ("C", "3"),
            ("D", "half%"),
            ("E", "x"),
            ("F", "y"),
            ("A", "later"),
        ];
        assert_eq!(values(&found), expected);
        assert_eq!(found.variables[0].origin, "status.service:5");
    }

    #[test]
    fn a_word_that_systemd_drops_is_named_unless_it_may_be_secret() {
        let found = unit("[Service]\nEnvironment=STATUS_EMAIL_TO=a@x.org b@x.org\n");
        assert_eq!(values(&found), [("STATUS_EMAIL_TO", "a@x.org")]);
        assert!(found.remarks[0].contains("\"b@x.org\" behind STATUS_EMAIL_TO"));
        let found = unit("[Service]\nEnvironment=STATUS_EMAIL_PASSWORD=pass word\n");
        assert!(!found.remarks[0].contains("word\""), "{:?}", found.remarks);
    }

    #[test]
    fn an_empty_assignment_forgets_those_before() {
        let found = unit("[Service]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\n");
        assert_eq!(values(&found), [("B", "2")]);
    }

    #[test]
    fn drop_ins_and_files_count_in_systemds_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let file = path("status.env");
        fs::write(&file, "A=file\nB='file too'\n").expect("writes");
        let text = format!(
            "[Service]\nEnvironment=A=unit C=unit\nEnvironmentFile=-/no/such/file\nEnvironmentFile={}\n",
            file.display()
        );
        fs::write(path("status.service"), text).expect("writes");
        fs::create_dir(path("status.service.d")).expect("makes");
        fs::write(
            path("status.service.d/10-more.conf"),
            "[Service]\nEnvironment=C=drop-in\n",
        )
        .expect("writes");
        let found = Found::read(path("status.service").to_str().expect("UTF-8")).expect("reads");
        let expected = [("C", "drop-in"), ("A", "file"), ("B", "file too")];
        assert_eq!(values(&found), expected);
        assert_eq!((found.files.len(), &found.remarks[..]), (3, &[][..]));
        assert!(Found::read("/no/such/status.service").is_err());
    }
}
