//! What makes a folder whole: a list, written last, of every file and its size.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

const NAME: &str = "MANIFEST";

/// Lists what is there. From now on the folder counts as whole, as long as nothing changes.
pub(super) fn write(folder: &Path) -> Result<(), Error> {
    let mut text = String::new();
    for (path, size) in files(folder)? {
        text.push_str(&format!("{size} {}\n", path.display()));
    }
    let path = folder.join(NAME);
    fs::write(&path, text).map_err(Error::path("write", &path))
}

/// Whether everything listed is there in its full size.
pub(super) fn is_whole(folder: &Path) -> bool {
    let Ok(list) = fs::read_to_string(folder.join(NAME)) else { return false };
    let there = |line: &str| {
        let (size, path) = line.split_once(' ')?;
        Some(fs::metadata(folder.join(path)).ok()?.len() == size.parse::<u64>().ok()?)
    };
    !list.is_empty() && list.lines().all(|line| there(line) == Some(true))
}

fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>, Error> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).map_err(Error::path("read", &next))? {
            let path = entry.map_err(Error::path("read", &next))?.path();
            let about = fs::metadata(&path).map_err(Error::path("read", &path))?;
            if about.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name != NAME) {
                found.push((path.strip_prefix(folder).unwrap_or(&path).to_owned(), about.len()));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_whole_once_listed_and_until_a_file_is_cut_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libs").join("a.jar");
        fs::create_dir(folder.path().join("libs")).unwrap();
        fs::write(&file, "whole").unwrap();
        assert!(!is_whole(folder.path()));
        write(folder.path()).unwrap();
        assert!(is_whole(folder.path()));
        fs::write(&file, "who").unwrap();
        assert!(!is_whole(folder.path()));
        fs::remove_file(&file).unwrap();
        assert!(!is_whole(folder.path()));
    }

    #[test]
    fn an_empty_list_lists_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        assert!(!is_whole(folder.path()));
    }
}
