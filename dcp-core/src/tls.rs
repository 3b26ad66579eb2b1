//! Whom an encrypted connection trusts, and what a failed one means.
//!
//! Every client of this crate that speaks TLS does it by a [`Trust`]: own authorities and no others,
//! the server's name always checked, rustls with ring.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::error::Error;

/// Authorities whose servers are trusted, and who the client is, if it has a certificate.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// Trusts servers whose certificate one of these authorities has signed, in PEM. None of the
    /// machine's own authorities is added.
    ///
    /// # Errors
    /// `Invalid` (`bad-authorities`) if the text holds no certificate, or a broken one.
    pub fn in_authorities(pem: &[u8]) -> Result<Self, Error> {
        Self::new(pem, None)
    }

    /// The same, and shows a certificate to servers that ask for one: it and its chain, and its private
    /// key, in PEM and in any order.
    ///
    /// # Errors
    /// As before; `Invalid` (`bad-identity`) if there is no key, or it is not the certificate's.
    pub fn with_identity(authorities: &[u8], identity: &[u8]) -> Result<Self, Error> {
        Self::new(authorities, Some(identity))
    }

    fn new(authorities: &[u8], identity: Option<&[u8]>) -> Result<Self, Error> {
        let bad = |cause: &dyn fmt::Display| Error::invalid("bad-authorities", format!("authorities in PEM: {cause}"));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            roots.add(certificate.map_err(|cause| bad(&cause))?).map_err(|cause| bad(&cause))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        let verifier = verifier.map_err(|cause| bad(&cause))?;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|cause| Error::invalid("bad-tls-settings", cause.to_string()))?;
        let builder = builder.with_webpki_verifier(verifier);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let bad =
                    |cause: &dyn fmt::Display| Error::invalid("bad-identity", format!("identity in PEM: {cause}"));
                let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
                let key = PrivateKeyDer::from_pem_slice(pem).map_err(|cause| bad(&cause))?;
                builder.with_client_auth_cert(chain.map_err(|cause| bad(&cause))?, key).map_err(|cause| bad(&cause))?
            }
        };
        Ok(Self { config: Arc::new(config) })
    }

    /// For a client of this crate.
    #[cfg_attr(
        not(any(feature = "kafka", feature = "postgres")),
        allow(dead_code, reason = "used by the clients that are switched on")
    )]
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

/// What an error means that a handshake or an encrypted connection has ended with, if TLS is the
/// reason: everything else is for whoever made the connection to judge.
#[cfg_attr(
    not(any(feature = "kafka", feature = "postgres")),
    allow(dead_code, reason = "used by the clients that are switched on")
)]
pub(crate) fn fault(cause: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut next = Some(cause);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(meaning(found));
        }
        // An `io::Error` hides what it wraps from `source`.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

fn meaning(cause: &rustls::Error) -> Error {
    use rustls::Error as Tls;
    let refused = |code, cure: &str| Error::refused(code, format!("{cause}: {cure}"));
    match cause {
        Tls::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => refused(
                "tls-unknown-authority",
                "none of the trusted authorities has signed the server's certificate; trust its authority, or look \
                 for who answers in its place",
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => refused(
                "tls-certificate-expired",
                "renew the server's certificate; if it is new, look at this machine's clock",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => refused(
                "tls-certificate-not-valid-yet",
                "look at this machine's clock, and at the server's certificate",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => refused(
                "tls-wrong-name",
                "the server's certificate is for another name; connect by a name in it, or issue one for this name",
            ),
            _ => refused("tls-certificate-refused", "issue a certificate for the server that clients can check"),
        },
        Tls::AlertReceived(_) => refused(
            "tls-refused-by-server",
            "the server has ended the handshake; it may ask for a certificate of an authority that it knows",
        ),
        Tls::InvalidMessage(_) | Tls::PeerIncompatible(_) | Tls::NoCertificatesPresented => {
            refused("tls-not-spoken", "the other side does not speak a TLS that is safe; look at its port and versions")
        }
        // What was cut off or garbled on its way may pass at another attempt.
        _ => Error::retry("connection-lost", format!("TLS: {cause}")),
    }
}

#[cfg(test)]
mod tests;
