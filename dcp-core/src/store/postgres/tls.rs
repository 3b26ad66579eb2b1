//! Encrypted connections for `tokio_postgres`, with the server's certificate bound to the password's
//! proof (`tls-server-end-point`), so that nobody can stand between even with a trusted certificate.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

/// Makes connections to servers that the configuration trusts.
#[derive(Clone)]
pub(super) struct MakeEncrypted(pub(super) Arc<ClientConfig>);

/// Makes one, to the server of that name.
pub(super) struct Encrypting {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// One encrypted connection.
#[derive(Debug)]
pub(super) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for MakeEncrypted {
    type Stream = Encrypted<S>;
    type TlsConnect = Encrypting;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, name: &str) -> Result<Encrypting, InvalidDnsNameError> {
        Ok(Encrypting { config: Arc::clone(&self.0), name: ServerName::try_from(name.to_owned())? })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Encrypting {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { TlsConnector::from(self.config).connect(self.name, stream).await.map(Encrypted) })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = self.0.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let bound = certificate.and_then(|certificate| end_point(certificate));
        bound.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// A certificate's digest, by the function with which it was signed (RFC 5929). None for one that has
/// no such function, such as Ed25519: then nothing is bound.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    // Certificate ::= SEQUENCE { tbsCertificate, SEQUENCE { signatureAlgorithm, ... }, signature }
    let (_, whole, _) = element(certificate)?;
    let (_, _signed, rest) = element(whole)?;
    let (_, algorithm, _) = element(rest)?;
    let (_, name, _) = element(algorithm)?;
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    match name.split_last()? {
        (5 | 11, RSA) | (2, ECDSA) => Some(Sha256::digest(certificate).to_vec()),
        (12, RSA) | (3, ECDSA) => Some(Sha384::digest(certificate).to_vec()),
        (13, RSA) | (4, ECDSA) => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

// Tag, content and what follows of the first element of DER.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
        (digits.iter().fold(0, |sum, &digit| sum << 8 | usize::from(digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A certificate of nothing but its algorithm's name.
    fn signed_with(name: &[u8]) -> Vec<u8> {
        let of = |tag, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        of(0x30, &[of(0x30, b"content"), of(0x30, &of(6, name)), of(3, b"signature")].concat())
    }

    #[test]
    fn the_digest_is_by_the_function_of_the_signature() {
        let of = |name: &[u8]| end_point(&signed_with(name)).map(|digest| digest.len());
        assert_eq!(of(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 11]), Some(32));
        assert_eq!(of(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 12]), Some(48));
        assert_eq!(of(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 4]), Some(64));
        assert_eq!(of(&[0x2b, 0x65, 0x70]), None);
    }

    #[test]
    fn what_is_no_certificate_is_not_bound() {
        let whole = signed_with(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 2]);
        assert!(end_point(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(end_point(&whole[..end]), None);
        }
        assert_eq!(end_point(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(end_point(&[0x30, 0xff]), None);
    }
}
