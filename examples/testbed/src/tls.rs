//! Certificates for the listeners that speak TLS, and some that the other side must refuse.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

use crate::error::Error;

/// What clients call the servers.
const SERVER: [&str; 2] = ["localhost", "127.0.0.1"];
const ELSEWHERE: &str = "elsewhere.example";

/// Where the certificates are, as PEM files; `bed.tls()` has them. A file with a key has the key first, then
/// the certificate. Every server shows [`Tls::server`] until [`crate::Server::present`] hands it another.
///
/// | A client that trusts [`Tls::authority`] | is shown |
/// |---|---|
/// | comes in | [`Tls::server`] |
/// | refuses: expired | [`Tls::expired`] |
/// | refuses: another authority | [`Tls::other_server`] |
/// | refuses: another name | [`Tls::misnamed`] |
#[derive(Debug, Clone)]
pub struct Tls(PathBuf);

impl Tls {
    /// What clients have to trust: the authority that signed the servers' certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// An authority that has signed nothing here: who trusts only it, refuses every server.
    #[must_use]
    pub fn other_authority(&self) -> PathBuf {
        self.0.join("other-ca.pem")
    }

    /// Key and certificate of the servers, for `127.0.0.1`, `localhost` and their addresses in namespaces.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    /// Key and certificate of a client that the servers know.
    #[must_use]
    pub fn client(&self) -> PathBuf {
        self.0.join("client.pem")
    }

    /// Key and certificate of a client that the servers do not know: the other authority signed it.
    #[must_use]
    pub fn other_client(&self) -> PathBuf {
        self.0.join("other-client.pem")
    }

    /// Key and certificate for the servers' names, signed by the other authority.
    #[must_use]
    pub fn other_server(&self) -> PathBuf {
        self.0.join("other-server.pem")
    }

    /// Key and certificate by the right authority for `elsewhere.example`, which is no server's name.
    #[must_use]
    pub fn misnamed(&self) -> PathBuf {
        self.0.join("misnamed.pem")
    }

    /// Key and certificate for the servers' names that have expired.
    #[must_use]
    pub fn expired(&self) -> PathBuf {
        self.0.join("expired.pem")
    }

    /// Where they are, or will be.
    pub(crate) fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Writes fresh ones, unless the folder has them.
    pub(crate) fn write(folder: PathBuf, hosts: &[String]) -> Result<Self, Error> {
        let tls = Self::at(folder);
        if tls.expired().exists() {
            return Ok(tls);
        }
        fs::create_dir_all(&tls.0).map_err(Error::path("create", &tls.0))?;
        let made =
            tls.certificates(hosts).map_err(|error| Error::io("make certificates")(std::io::Error::other(error)))?;
        for (path, text) in made {
            write_private(&path, &text)?;
        }
        Ok(tls)
    }

    fn certificates(&self, hosts: &[String]) -> Result<[(PathBuf, String); 8], rcgen::Error> {
        let (authority, other) = (authority("testbed")?, authority("another testbed")?);
        let old = |params: &mut CertificateParams| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 2);
        };
        let server: Vec<_> = SERVER.into_iter().chain(hosts.iter().map(String::as_str)).collect();
        Ok([
            (self.authority(), authority.pem()),
            (self.other_authority(), other.pem()),
            (self.server(), signed("localhost", &server, &authority, |_| {})?),
            (self.client(), signed("client", &[], &authority, |_| {})?),
            (self.other_client(), signed("client", &[], &other, |_| {})?),
            (self.other_server(), signed("localhost", &server, &other, |_| {})?),
            (self.misnamed(), signed(ELSEWHERE, &[ELSEWHERE], &authority, |_| {})?),
            // The last to be written: where it is, all are.
            (self.expired(), signed("localhost", &server, &authority, old)?),
        ])
    }
}

/// Writes a file that may hold a key. A server refuses one that others can read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::path("write", path))?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(Error::path("protect", path))
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

// Key and certificate in one text, as Kafka reads them.
fn signed(
    name: &str,
    addresses: &[&str],
    by: &CertifiedIssuer<'static, KeyPair>,
    change: impl FnOnce(&mut CertificateParams),
) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(addresses.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, by)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_all_files_once() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls::write(folder.path().join("tls"), &[]).unwrap();
        let server = fs::read_to_string(tls.server()).unwrap();
        assert!(server.contains("BEGIN PRIVATE KEY") && server.contains("BEGIN CERTIFICATE"));
        let clients = [tls.authority(), tls.other_authority(), tls.client(), tls.other_client()];
        for path in clients.into_iter().chain([tls.expired(), tls.other_server(), tls.misnamed()]) {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o77, 0, "{}", path.display());
            assert!(fs::read_to_string(&path).unwrap().contains("BEGIN CERTIFICATE"), "{}", path.display());
        }
        Tls::write(folder.path().join("tls"), &[]).unwrap();
        assert_eq!(server, fs::read_to_string(tls.server()).unwrap());
    }
}
