//! Files that a killed process may still hold for a moment.

use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::Clock;

const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a file, again and again while another process has it open. After a kill of everything the
/// drill is gone before the last thread of each child is, and until then the kernel keeps the
/// file's lock.
///
/// # Errors
/// What `open` answers; `Refused` (`in-use`) if the file is still held after five seconds.
pub async fn once_free<T>(clock: &dyn Clock, mut open: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let deadline = clock.now().after(PATIENCE);
    loop {
        match open() {
            Err(error) if error.code() == "in-use" && clock.now() < deadline => clock.sleep(POLL).await,
            opened => return opened,
        }
    }
}
