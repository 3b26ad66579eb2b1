//! Jars by Maven, which keeps what it has fetched and so goes on where it was interrupted.

use std::fs;
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::{Progress, command};
use crate::error::Error;

/// Fetches into `libs`. A file that is not what it should be, such as one half written by a run that was
/// killed, is removed and fetched once more, then past the user's own Maven repository.
pub(super) fn fetch(
    folder: &Path,
    coordinates: &[&str],
    version: &str,
    checksums: &str,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let pom = folder.join("pom.xml");
    fs::write(&pom, pom_of(coordinates, version)).map_err(Error::path("write", &pom))?;
    let libs = folder.join("libs");
    for again in [true, false] {
        let mut maven = Command::new("mvn");
        maven.args(["-B", "-ntp", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
        // A download that is not what its repository says is refused, and not only warned of.
        maven.args(["-C", "-DoutputDirectory=libs"]);
        if !again {
            // What the user's own repository has may be the damaged one, and would be copied for ever.
            maven.arg("-Dmaven.repo.local=repository");
        }
        command::run(&maven, folder, "mvn", progress)?;
        let wrong = differing(&libs, checksums)?;
        if wrong.is_empty() {
            let own = folder.join("repository");
            return if own.exists() { fs::remove_dir_all(&own).map_err(Error::path("remove", &own)) } else { Ok(()) };
        }
        if !again {
            return Err(Error::Checksum { of: libs.display().to_string(), wrong });
        }
        for file in wrong {
            progress(&format!("fetching {file} again: it is not what it should be"));
            let path = libs.join(file);
            if path.exists() {
                fs::remove_file(&path).map_err(Error::path("remove", &path))?;
            }
        }
    }
    Ok(())
}

fn pom_of(coordinates: &[&str], version: &str) -> String {
    let mut pom = String::from(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>testbed</groupId><artifactId>libs</artifactId><version>1</version><packaging>pom</packaging>\
         <dependencies>\n",
    );
    for coordinate in coordinates {
        let coordinate = coordinate.replace("{version}", version);
        let mut parts = coordinate.split(':');
        for tag in ["groupId", "artifactId", "version"] {
            let part = parts.next().unwrap_or_default();
            let (open, close) = match tag {
                "groupId" => ("<dependency>", ""),
                "version" => ("", "</dependency>\n"),
                _ => ("", ""),
            };
            pom.push_str(&format!("{open}<{tag}>{part}</{tag}>{close}"));
        }
    }
    pom.push_str("</dependencies></project>\n");
    pom
}

/// Files that are missing, unexpected or of other content.
fn differing(libs: &Path, checksums: &str) -> Result<Vec<String>, Error> {
    let mut wrong = Vec::new();
    let listed = |file: &str| checksums.lines().any(|line| line.ends_with(&format!("  {file}")));
    for entry in fs::read_dir(libs).map_err(Error::path("read", libs))? {
        let file = entry.map_err(Error::path("read", libs))?.file_name().to_string_lossy().into_owned();
        if !listed(&file) {
            wrong.push(file);
        }
    }
    for (sum, file) in checksums.lines().filter_map(|line| line.split_once("  ")) {
        let same = fs::read(libs.join(file)).is_ok_and(|bytes| hex::encode(Sha256::digest(bytes)) == sum);
        if !same {
            wrong.push(file.to_owned());
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_maven_reads() {
        let pom = pom_of(&["org.x:y:{version}"], "4.1.1");
        let dependency = "<dependency><groupId>org.x</groupId><artifactId>y</artifactId><version>4.1.1</version>";
        assert!(pom.contains(dependency), "{pom}");
    }

    #[test]
    fn finds_cut_missing_and_unexpected_files() {
        let libs = tempfile::tempdir().unwrap();
        let sum = |text: &str| hex::encode(Sha256::digest(text));
        let checksums = format!("{}  a.jar\n{}  b.jar\n{}  c.jar\n", sum("a"), sum("bbb"), sum("c"));
        for (file, text) in [("a.jar", "a"), ("b.jar", "b"), ("d.jar", "d")] {
            fs::write(libs.path().join(file), text).unwrap();
        }
        assert_eq!(differing(libs.path(), &checksums).unwrap(), ["d.jar", "b.jar", "c.jar"]);
    }
}
