//! `up`, and the process that it leaves behind.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, ExitCode, Stdio};

use testbed::catalog::CATALOG;
use testbed::keeper::{self, Said, State};
use testbed::{Error, Wanted, missing, obtain};

use crate::options::Layout;
use crate::progress::Shown;
use crate::show;

/// Starts the keeper and waits until all servers serve.
pub(crate) fn up(layout: &Layout) -> Result<ExitCode, Error> {
    let names = layout.wanted().servers()?;
    if let Some(states) = keeper::status()? {
        the_same(&names, &states)?;
        eprintln!("a testbed is up already");
        return Ok(show::states(Some(states), layout.json));
    }
    let failed = |source| Error::Io { doing: "start the process that keeps the servers".to_owned(), source };
    let mut itself = Command::new(std::env::current_exe().map_err(failed)?);
    itself.arg("keep").args(layout.arguments());
    // Whoever reads our own output to its end must not wait for the keeper's.
    let log = File::create(keeper::log()?).map_err(failed)?;
    let mut process = itself.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().map_err(failed)?;
    let shown = Shown::new();
    let out = process.stdout.take();
    for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Said::Progress(line)) => shown.line(&line),
            Ok(Said::Ready(addresses)) => {
                drop(shown);
                show::addresses(&addresses, layout.json);
                return Ok(ExitCode::SUCCESS);
            }
            Ok(Said::Failed(why)) => shown.line(&format!("testbed: {why}")),
            Err(_) => shown.line(&line),
        }
    }
    let ended = process.wait().map_err(failed)?;
    drop(shown);
    eprintln!("testbed: nothing is up; what keeps the servers ended: {ended}");
    Ok(ExitCode::FAILURE)
}

/// Holds the servers. What it says goes to `up`, while that listens.
pub(crate) fn keep(layout: &Layout) -> ExitCode {
    // Out of the terminal's reach: a Ctrl-C there is not for the servers.
    let _already = rustix::process::setsid();
    let say = |said: &Said| {
        let line = serde_json::to_string(said).unwrap_or_default();
        if writeln!(std::io::stdout(), "{line}").is_err() {
            // Who asked for the servers is gone before they serve: they end with this process.
            std::process::exit(1);
        }
    };
    match keeper::keep(&layout.wanted(), &say) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&Said::Failed(error.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Refuses a testbed that is up if it has other servers than those that are wanted.
pub(crate) fn the_same(wanted: &[String], up: &[State]) -> Result<(), Error> {
    let there: Vec<_> = up.iter().map(|state| state.address.name.clone()).collect();
    if there == wanted {
        return Ok(());
    }
    let what = format!("testbed of {} (cure: cargo testbed down)", wanted.join(", "));
    Err(Error::Unknown { what, known: format!("one up of {}", there.join(", ")) })
}

/// Obtains the servers, and names all that is missing for the others.
pub(crate) fn obtain_all(only: &[String]) -> Result<ExitCode, Error> {
    // A name that nobody knows is not nothing to do.
    Wanted { only: only.to_vec(), ..Wanted::default() }.servers()?;
    let shown = Shown::new();
    let mut all = true;
    for recipe in CATALOG.into_iter().filter(|recipe| only.is_empty() || only.iter().any(|name| name == recipe.name)) {
        if let Some(missing) = missing(recipe) {
            shown.line(&format!("{} {}: {missing}", recipe.name, recipe.version));
            all = false;
            continue;
        }
        let home = obtain(recipe, &|line| shown.line(line))?;
        shown.line(&format!("{} {}: {}", recipe.name, recipe.version, home.display()));
    }
    Ok(ExitCode::from(u8::from(!all)))
}
