//! HTTPS by a certificate that is given as two PEM files.

use std::path::Path;
use std::sync::Arc;

use millstream_core::{Error, Result};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, InconsistentKeys, ServerConfig};

/// Speaks TLS by the chain in the file `certificate`, the server's own first, and its private `key`.
///
/// # Errors
/// If a file cannot be read, holds no PEM, or the two are not of one pair.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read("certificate", certificate)?)
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| no_pem("certificate", certificate).caused_by(error))?;
    if chain.is_empty() {
        return Err(no_pem("certificate", certificate));
    }
    let secret = PrivateKeyDer::from_pem_slice(&read("key", key)?).map_err(|_| no_pem("key", key))?;
    // By name: with two providers in a program, rustls would panic rather than choose.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::fatal("TLS cannot be set up").caused_by(error))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| unfit(error, certificate, key))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let message = format!("cannot read {}; give {option} = … the path of a PEM file", path.display());
        Error::config(message).caused_by(error)
    })
}

fn no_pem(option: &str, path: &Path) -> Error {
    let (what, line) = match option {
        "key" => ("private key", "PRIVATE KEY"),
        _ => ("certificate", "CERTIFICATE"),
    };
    let (path, advice) = (path.display(), "convert a DER or PKCS #12 file with `openssl`");
    Error::config(format!("{path} holds no {what} in PEM (`-----BEGIN {line}-----`); {advice}"))
}

fn unfit(error: rustls::Error, certificate: &Path, key: &Path) -> Error {
    let (certificate, key) = (certificate.display(), key.display());
    let message = match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
            "the key in {key} is not that of the certificate in {certificate}; give the pair that was made together, \
             the server's certificate before those that signed it"
        ),
        _ => format!("the certificate in {certificate} with the key in {key} cannot be used"),
    };
    Error::config(message).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files in it, gone when dropped.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said_with_what_to_do() {
        let folder = Folder(std::env::temp_dir().join(format!("millstream-tls-{}", crate::random::name())));
        std::fs::create_dir(&folder.0).unwrap();
        let (one, other) = (
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap(),
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap(),
        );
        let certificate = folder.file("certificate.pem", &one.cert.pem());
        let key = folder.file("key.pem", &one.signing_key.serialize_pem());
        let foreign = folder.file("foreign.pem", &other.signing_key.serialize_pem());
        let text = folder.file("text.pem", "hello");
        let broken = folder.file("broken.pem", "-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----\n");
        let missing = folder.0.join("missing.pem");
        assert!(acceptor(&certificate, &key).is_ok());
        for (certificate, key, words) in [
            (&missing, &key, "missing.pem; give certificate = …"),
            (&certificate, &missing, "missing.pem; give key = …"),
            (&text, &key, "text.pem holds no certificate in PEM"),
            (&key, &key, "key.pem holds no certificate in PEM"),
            (&broken, &key, "broken.pem holds no certificate in PEM"),
            (&certificate, &text, "text.pem holds no private key in PEM"),
            (&certificate, &certificate, "certificate.pem holds no private key in PEM"),
            (&certificate, &foreign, "is not that of the certificate"),
        ] {
            let error = acceptor(certificate, key).err().expect("they will not do").to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
