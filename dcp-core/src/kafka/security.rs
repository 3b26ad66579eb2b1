//! Encryption, and who the client is.

use std::fmt;

/// How connections are protected.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Security {
    /// Encryption: whom to trust, and the client's certificate. Brokers are checked by the host in
    /// their addresses.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::Trust>,
    /// Who the client is; without it the broker decides by the listener or the certificate.
    pub sasl: Option<Sasl>,
}

impl Security {
    /// With encryption.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, trust: crate::tls::Trust) -> Self {
        self.tls = Some(trust);
        self
    }

    /// With a user and password.
    #[must_use]
    pub fn with_sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// Whether who listens on the way learns the password.
    pub(super) fn shows_password(&self) -> bool {
        let plain = self.sasl.as_ref().is_some_and(|sasl| sasl.mechanism == Mechanism::Plain);
        #[cfg(feature = "tls")]
        let plain = plain && self.tls.is_none();
        plain
    }
}

/// How the password is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mechanism {
    /// It is sent as it is: refused (`password-in-the-clear`) on a connection without encryption, unless it
    /// stays on the machine.
    Plain,
    /// Challenge and response with SHA-256; the broker proves that it knows the password too.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// As brokers name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A user and its password.
#[derive(Clone)]
#[non_exhaustive]
pub struct Sasl {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// The user.
    pub user: String,
    pub(super) password: String,
}

impl Sasl {
    /// A user and its password.
    #[must_use]
    pub fn new(mechanism: Mechanism, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { mechanism, user: user.into(), password: password.into() }
    }
}

// Without the password.
impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl").field("mechanism", &self.mechanism).field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_password_is_shown_and_none_in_messages() {
        let of = |mechanism| Security::default().with_sasl(Sasl::new(mechanism, "alice", "hunter2"));
        assert!(of(Mechanism::Plain).shows_password());
        assert!(!of(Mechanism::ScramSha256).shows_password() && !Security::default().shows_password());
        assert!(!format!("{:?}", of(Mechanism::Plain)).contains("hunter2"));
    }
}
