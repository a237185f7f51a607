//! What targets are fed with: seeds that people have written, and what fuzzing has found worth keeping.
//! A file has an input a line; of seeds, lines that begin with `#` are comments.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::notation::{escape, unescape};

/// Every input of a target that is kept: seeds, and the corpus.
///
/// # Panics
///
/// If a file is not there, or has a line that is no input.
pub fn inputs(target: &str) -> Vec<Vec<u8>> {
    let mut inputs = seeds(target);
    inputs.extend(corpus(target));
    inputs
}

/// What people have written.
///
/// # Panics
///
/// If the file is not there, or has a line that is no input.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let seeds = file("seeds", target, "txt");
    let text =
        fs::read_to_string(&seeds).unwrap_or_else(|error| panic!("{}: {error}", seeds.display()));
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            unescape(line).unwrap_or_else(|error| panic!("{}: {line}: {error}", seeds.display()))
        })
        .collect()
}

/// What fuzzing has found: each input reaches something that the others do not.
///
/// # Panics
///
/// If the file has a line that is no input.
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(corpus_file(target)).unwrap_or_default();
    let line = |line| unescape(line).unwrap_or_else(|error| panic!("{target}: {line}: {error}"));
    text.lines().map(line).collect()
}

/// Replaces what is kept of a target's findings.
///
/// # Errors
///
/// The file cannot be written.
pub fn set_corpus(target: &str, inputs: Vec<Vec<u8>>) -> io::Result<()> {
    write(&corpus_file(target), inputs)
}

/// Writes inputs to a file, and makes its folder where there is none.
fn write(file: &Path, mut inputs: Vec<Vec<u8>>) -> io::Result<()> {
    // An order that stays, so that a change shows what it changes.
    inputs.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
    inputs.dedup();
    let lines: String = inputs.iter().map(|input| escape(input) + "\n").collect();
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, lines)
}

/// Where a target's corpus lies.
pub fn corpus_file(target: &str) -> PathBuf {
    file("corpus", target, "txt")
}

/// Where a target's dictionary lies.
pub fn dictionary_file(target: &str) -> PathBuf {
    file("dictionaries", target, "dict")
}

fn file(folder: &str, target: &str, extension: &str) -> PathBuf {
    PathBuf::from(format!("{}/{folder}/{target}.{extension}", env!("CARGO_MANIFEST_DIR")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_kept_makes_the_folder() {
        let folder = std::env::temp_dir().join(format!("heartwire-fuzz-{}", std::process::id()));
        let file = folder.join("corpus/some.txt");
        let _ = fs::remove_dir_all(&folder);
        let inputs = [&b"bb"[..], b"a", b"bb"].map(<[u8]>::to_vec);
        write(&file, inputs.to_vec()).unwrap();
        write(&file, inputs.to_vec()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a\nbb\n");
        fs::remove_dir_all(&folder).unwrap();
    }
}
