//! Certificates for the listeners that speak TLS, and some that a client must refuse.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

use crate::error::Error;

/// Where the certificates are, as PEM files.
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

    /// Key and certificate of the servers, for `127.0.0.1` and `localhost`.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    /// Key and certificate of a client that the servers know.
    #[must_use]
    pub fn client(&self) -> PathBuf {
        self.0.join("client.pem")
    }

    /// Key and certificate for the same names that have expired.
    #[must_use]
    pub fn expired(&self) -> PathBuf {
        self.0.join("expired.pem")
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Writes fresh ones, unless the folder has them.
    pub(crate) fn write(folder: PathBuf) -> Result<Self, Error> {
        let tls = Self(folder);
        if tls.expired().exists() {
            return Ok(tls);
        }
        fs::create_dir_all(&tls.0).map_err(Error::path("create", &tls.0))?;
        let made = tls.certificates().map_err(|error| Error::io("make certificates")(std::io::Error::other(error)))?;
        for (path, text) in made {
            fs::write(&path, text).map_err(Error::path("write", &path))?;
        }
        Ok(tls)
    }

    fn certificates(&self) -> Result<[(PathBuf, String); 5], rcgen::Error> {
        let (authority, other) = (authority("testbed")?, authority("another testbed")?);
        let old = |params: &mut CertificateParams| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 2);
        };
        Ok([
            (self.authority(), authority.pem()),
            (self.other_authority(), other.pem()),
            (self.server(), signed("localhost", &authority, |_| {})?),
            (self.client(), signed("client", &authority, |_| {})?),
            (self.expired(), signed("localhost", &authority, old)?),
        ])
    }
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
    by: &CertifiedIssuer<'static, KeyPair>,
    change: impl FnOnce(&mut CertificateParams),
) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
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
        let tls = Tls::write(folder.path().join("tls")).unwrap();
        let server = fs::read_to_string(tls.server()).unwrap();
        assert!(server.contains("BEGIN PRIVATE KEY") && server.contains("BEGIN CERTIFICATE"));
        for path in [tls.authority(), tls.other_authority(), tls.client(), tls.expired()] {
            assert!(fs::read_to_string(&path).unwrap().contains("BEGIN CERTIFICATE"), "{}", path.display());
        }
        Tls::write(folder.path().join("tls")).unwrap();
        assert_eq!(server, fs::read_to_string(tls.server()).unwrap());
    }
}
