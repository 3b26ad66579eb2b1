//! A client's side of TLS.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use testbed::{Bed, Server};

/// A connection whose handshake is over.
pub(crate) type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// Speaks TLS from here on, trusts that authority, and shows a certificate if it is handed one.
pub(crate) fn encrypted(mut stream: TcpStream, authority: &Path, shown: Option<&Path>) -> io::Result<Encrypted> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    let config = match shown {
        None => config.with_no_client_auth(),
        Some(pem) => {
            let certificate = CertificateDer::from_pem_file(pem).unwrap();
            config.with_client_auth_cert(vec![certificate], PrivateKeyDer::from_pem_file(pem).unwrap()).unwrap()
        }
    };
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    connection.complete_io(&mut stream)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Shows every certificate that a client has to refuse, each from a start of its own, and the good one.
pub(crate) fn refuses_each(bed: &Bed, server: &Server, enter: &dyn Fn() -> io::Result<Encrypted>) {
    let tls = bed.tls();
    let refusals = [
        (tls.expired(), Some("expired")),
        (tls.other_server(), Some("UnknownIssuer")),
        (tls.misnamed(), Some("not valid for name")),
        (tls.server(), None),
    ];
    for (certificate, refused) in refusals {
        server.present(&certificate).unwrap();
        server.kill().unwrap();
        server.start().unwrap();
        let entered = enter().map(drop).map_err(|error| error.to_string());
        let as_it_should = match (refused, &entered) {
            (None, Ok(())) => true,
            (Some(word), Err(words)) => words.contains(word),
            _ => false,
        };
        assert!(as_it_should, "{}: {entered:?}", certificate.display());
    }
}
