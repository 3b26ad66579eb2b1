use std::io;

use rustls::AlertDescription;

use super::*;
use crate::error::ErrorKind;

#[test]
fn texts_without_a_certificate_are_invalid() {
    for text in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = Trust::in_authorities(text.as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "bad-authorities"), "{text:?}");
    }
}

#[test]
fn each_reason_has_its_code_however_deep_it_lies() {
    let of = |cause: rustls::Error| fault(&io::Error::other(io::Error::other(cause))).unwrap();
    let certificate = |cause| of(rustls::Error::InvalidCertificate(cause));
    for (error, kind, code) in [
        (certificate(CertificateError::UnknownIssuer), ErrorKind::Refused, "tls-unknown-authority"),
        (certificate(CertificateError::Expired), ErrorKind::Refused, "tls-certificate-expired"),
        (certificate(CertificateError::NotValidYet), ErrorKind::Refused, "tls-certificate-not-valid-yet"),
        (certificate(CertificateError::NotValidForName), ErrorKind::Refused, "tls-wrong-name"),
        (certificate(CertificateError::Revoked), ErrorKind::Refused, "tls-certificate-refused"),
        (
            of(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)),
            ErrorKind::Refused,
            "tls-refused-by-server",
        ),
        (of(rustls::Error::DecryptError), ErrorKind::Retry, "connection-lost"),
    ] {
        assert_eq!((error.kind(), error.code()), (kind, code), "{error}");
    }
    assert_eq!(fault(&io::Error::from(io::ErrorKind::ConnectionReset)), None);
}
