//! Which folders a server can live in. Pure.

use std::path::Path;

use crate::catalog::Recipe;
use crate::error::Error;

/// Refuses a folder below which a server of that kind cannot keep its data, because of a character in its path.
/// [`crate::Bed::open`] asks too; who writes something into the folder before, asks before that.
///
/// # Errors
/// [`Error::Place`] names the character.
pub fn can_keep(recipe: &Recipe, folder: &Path) -> Result<(), Error> {
    check(recipe, folder, recipe.not_in_data)
}

/// The same of the folder that it was obtained to.
pub(crate) fn can_run_from(recipe: &Recipe, home: &Path) -> Result<(), Error> {
    check(recipe, home, recipe.not_in_home)
}

fn check(recipe: &Recipe, folder: &Path, not_in: &str) -> Result<(), Error> {
    let refused = |what: String| Err(Error::Place { of: recipe.name.to_owned(), folder: folder.to_owned(), what });
    let Some(text) = folder.to_str() else { return refused("letters that are not UTF-8".to_owned()) };
    match text.chars().find(|letter| letter.is_control() || not_in.contains(*letter)) {
        Some(letter) => refused(format!("the character {letter:?}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;
    use crate::catalog::{CATALOG, recipe};

    #[test]
    fn spaces_and_braces_are_good_and_the_rest_is_named() {
        for recipe in CATALOG {
            can_keep(recipe, Path::new("/a b{c}/it's")).unwrap();
            can_run_from(recipe, Path::new("/a b{c}/it's")).unwrap();
            for bad in [Path::new("/a\nb"), Path::new(OsStr::from_bytes(b"/a\xff"))] {
                assert!(can_keep(recipe, bad).is_err(), "{bad:?}");
            }
        }
        let refused = can_keep(recipe("kafka").unwrap(), Path::new("/a,b")).unwrap_err().to_string();
        assert!(refused.contains("kafka cannot be in \"/a,b\": its path has the character ','"), "{refused}");
        can_keep(recipe("postgres").unwrap(), Path::new("/a,b;c\"$%")).unwrap();
    }
}
