//! The rule that keeps unencrypted traffic on one machine.

use std::net::SocketAddr;

use crate::error::Error;

/// Lets only loopback addresses pass.
///
/// # Errors
/// `Refused` with the address: keys and data would cross a network in clear text.
pub(super) fn require(address: SocketAddr) -> Result<(), Error> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Error::refused(
        "not-loopback",
        format!("{address}: without encryption only a loopback address may be used (127.0.0.0/8 or ::1)"),
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_loopback_passes() {
        for lawful in ["127.0.0.1:1", "127.9.9.9:80", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(super::require(lawful.parse().unwrap()).is_ok(), "{lawful}");
        }
        for unlawful in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "192.168.1.1:80", "[::ffff:10.0.0.1]:1"] {
            assert_eq!(super::require(unlawful.parse().unwrap()).unwrap_err().code(), "not-loopback", "{unlawful}");
        }
    }
}
