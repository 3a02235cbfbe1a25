//! A source file as the house's rules see it: the code alone, without comments, texts and tests, line by line as it stands.

use std::path::Path;

/// A file of `src/`.
pub struct Source {
    /// Its path from the repository's root, with `/`.
    pub path: String,
    /// As it is.
    pub raw: String,
    /// The code before the tests, with comments and texts blanked out. Lines stand where they stand in the file.
    pub code: String,
}

/// A `crate::` path that the code names.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// In which line, counted from 1.
    pub line: usize,
    /// What stands behind `crate::`, in its parts.
    pub parts: Vec<String>,
}

impl Source {
    pub fn new(path: &str, raw: &str) -> Self {
        let blank = blank(raw);
        let whole_file_is_a_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let end = if whole_file_is_a_test {
            0
        } else {
            tests_begin(&blank)
        };
        Self {
            path: path.to_owned(),
            raw: raw.to_owned(),
            code: blank[..end].to_owned(),
        }
    }

    /// The part of the house that it belongs to: `src/feeds/socket.rs` and `src/feeds.rs` to `feeds`.
    pub fn room(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inner
            .split('/')
            .next()
            .unwrap_or(inner)
            .trim_end_matches(".rs")
    }

    /// How many lines there are before the tests.
    pub fn lines_before_tests(&self) -> usize {
        self.code.lines().count()
    }

    /// Every path into the crate that the code names, groups taken apart. `labwatch::` in the program, and `super::` that leads out
    /// of the room, count as `crate::`.
    pub fn named(&self) -> Vec<Named> {
        let mut found = Vec::new();
        for root in ["crate::", "labwatch::"] {
            for at in starts_of(&self.code, root) {
                self.take_apart(at + root.len(), Vec::new(), &mut found);
            }
        }
        let depth = self.depth();
        for at in starts_of(&self.code, "super::") {
            let chain = self.code[at..]
                .split("super::")
                .take_while(|part| part.is_empty())
                .count();
            let climbed = chain.max(1);
            if climbed >= depth && !self.code[..at].ends_with("super::") {
                self.take_apart(at + climbed * "super::".len(), Vec::new(), &mut found);
            }
        }
        found.sort_by_key(|named| named.line);
        found
    }

    /// How many `super` lead from the file's module to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count() - 1;
        if self.path.ends_with("/mod.rs") {
            parts - 1
        } else {
            parts
        }
    }

    /// Follows a path, or a group of them, from `at`; returns where it ends.
    fn take_apart(&self, mut at: usize, mut parts: Vec<String>, found: &mut Vec<Named>) -> usize {
        loop {
            at = self.skip_space(at);
            if self.code[at..].starts_with('{') {
                return self.take_group(at + 1, &parts, found);
            }
            let word: String = self.code[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            at += word.len();
            if !word.is_empty() {
                parts.push(word);
            }
            if !self.code[at..].starts_with("::") {
                found.push(Named {
                    line: self.line(at),
                    parts,
                });
                return at;
            }
            at += 2;
        }
    }

    fn take_group(&self, mut at: usize, parts: &[String], found: &mut Vec<Named>) -> usize {
        loop {
            at = self.skip_space(at);
            match self.code[at..].chars().next() {
                Some('}') => return at + 1,
                None => return at,
                Some(c) if c.is_alphanumeric() || c == '_' => {
                    at = self.take_apart(at, parts.to_vec(), found)
                }
                Some(c) => at += c.len_utf8(),
            }
        }
    }

    fn skip_space(&self, at: usize) -> usize {
        let rest = &self.code[at..];
        at + (rest.len() - rest.trim_start().len())
    }

    pub fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

/// Where `word` stands in `code` on its own, not as the end or (where it ends in a letter) the beginning of another word.
pub fn starts_of(code: &str, word: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let starts_free = word.chars().next().is_some_and(is_word);
    let ends_free = word.chars().last().is_some_and(is_word);
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| !starts_free || !code[..at].chars().next_back().is_some_and(is_word))
        .filter(|&at| !ends_free || !code[at + word.len()..].chars().next().is_some_and(is_word))
        .collect()
}

/// Every file of `src/`, sorted by path.
pub fn all(root: &Path) -> Vec<Source> {
    files_under(root, "src")
        .into_iter()
        .filter(|path| Path::new(path).extension().is_some_and(|end| end == "rs"))
        .map(|path| Source::new(&path, &text_of(root, &path)))
        .collect()
}

/// The paths of all files in a folder, from the root, sorted.
pub fn files_under(root: &Path, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
        return found;
    };
    for entry in entries.flatten() {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files_under(root, &path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

/// The text of a file; of one that is no text, what can be read.
pub fn text_of(root: &Path, path: &str) -> String {
    std::fs::read(root.join(path))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// Where the module of the tests begins.
fn tests_begin(blank: &str) -> usize {
    let attribute = "#[cfg(test)]";
    let of_a_module = |at: &usize| {
        blank[at + attribute.len()..]
            .trim_start()
            .starts_with("mod ")
    };
    blank
        .match_indices(attribute)
        .map(|(at, _)| at)
        .find(of_a_module)
        .unwrap_or(blank.len())
}

/// The code with every comment, text and character replaced by spaces. Line breaks stay.
fn blank(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped(rest);
        if skipped == 0 {
            // A whole word at once, so that the `r` of `for"` does not look like the start of a raw text.
            let word = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
                .max(first.len_utf8());
            out.push_str(&rest[..word]);
            rest = &rest[word..];
        } else {
            out.extend(
                rest[..skipped]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[skipped..];
        }
    }
    out
}

/// How many bytes from here on are a comment, a text or a character; 0 for code.
fn skipped(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    let text = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - text.len();
    if let Some(raw) = text
        .strip_prefix('r')
        .filter(|raw| raw.starts_with(['"', '#']))
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = prefix + 1 + hashes + 1;
            return rest[start..]
                .find(&end)
                .map_or(rest.len(), |at| start + at + end.len());
        }
    }
    if prefix <= 1 && text.starts_with('"') {
        return prefix + quoted(text);
    }
    if prefix <= 1 && text.starts_with('\'') {
        return character(text).map_or(0, |length| prefix + length);
    }
    0
}

/// The length of the text in quotes that begins here.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the character that begins here; `None` when it is a lifetime.
fn character(text: &str) -> Option<usize> {
    if text.starts_with("'\\") {
        return text[3..].find('\'').map(|at| at + 4);
    }
    let inner = text[1..].chars().next()?;
    text[1 + inner.len_utf8()..]
        .starts_with('\'')
        .then(|| inner.len_utf8() + 2)
}
