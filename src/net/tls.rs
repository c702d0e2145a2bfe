//! TLS by rustls with one cryptography provider; certificates are swapped without a restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::base::{Code, Fault};
use crate::tasks::Tasks;

/// How often the files of a certificate are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The TLS side of a listener: handshakes under way keep the certificate they began with.
pub(crate) struct ServerTls {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<ServerConfig>,
    /// The bytes the current configuration was made of; a short section without an await.
    loaded: Mutex<Pem>,
    /// What is wrong with the files since they changed; the last good certificate serves meanwhile.
    refused: Mutex<Option<Refused>>,
}

/// Files that were not taken.
struct Refused {
    /// The files; `None` when they could not be read.
    pem: Option<Pem>,
    fault: Fault,
}

/// What a look at the files found.
#[derive(Debug)]
pub(crate) enum Look {
    /// Nothing new: they are what serves, or what was refused already.
    Same,
    /// They hold what serves again, after others were refused.
    Mended,
    /// A renewed certificate serves.
    Renewed,
    /// They changed and cannot be used; the old certificate stays.
    Refused(Fault),
}

/// The two files as they were read.
#[derive(PartialEq, Eq)]
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl ServerTls {
    /// Loads a certificate chain and its key from PEM files.
    pub(crate) fn load(certificate: &Path, key: &Path) -> Result<Self, Fault> {
        let pem = Pem::read(certificate, key)?;
        let config = pem.config(certificate)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(config),
            loaded: Mutex::new(pem),
            refused: Mutex::default(),
        })
    }

    /// Reads the files again and takes them if they are new and good. Tells what is wrong once for each change.
    pub(crate) fn reload(&self) -> Look {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (pem, fault) = match Pem::read(&self.certificate, &self.key) {
            Ok(pem) if *loaded == pem => {
                let was_refused = refused.take().is_some();
                return if was_refused {
                    Look::Mended
                } else {
                    Look::Same
                };
            }
            Ok(pem) => match pem.config(&self.certificate) {
                Ok(config) => {
                    self.current.store(Arc::new(config));
                    (*loaded, *refused) = (pem, None);
                    return Look::Renewed;
                }
                Err(fault) => (Some(pem), fault),
            },
            Err(fault) => (None, fault),
        };
        let same = |old: &Refused| old.pem == pem && old.fault.message() == fault.message();
        if refused.as_ref().is_some_and(same) {
            return Look::Same;
        }
        let told = fault.clone();
        *refused = Some(Refused { pem, fault });
        Look::Refused(told)
    }

    /// Returns what is wrong with the files, while the last good certificate serves.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().map(|refused| refused.fault.clone())
    }

    /// Returns the acceptor for the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Looks at the files from time to time until the server stops, and swaps a renewed certificate in.
    pub(crate) fn watch(self: &Arc<Self>, tasks: &Tasks) {
        let (own, soft) = (Arc::clone(self), tasks.soft.clone());
        tasks.spawn("certificate", async move {
            while tokio::time::timeout(LOOK, soft.cancelled()).await.is_err() {
                match own.reload() {
                    Look::Same => {}
                    Look::Renewed => tracing::info!("Certificate reloaded."),
                    Look::Mended => tracing::info!("Certificate is as it was before."),
                    Look::Refused(fault) => {
                        let (code, error) = (fault.code_text(), fault.message());
                        tracing::error!(code, error, "Certificate not reloaded.");
                    }
                }
            }
        });
    }
}

impl Pem {
    fn read(certificate: &Path, key: &Path) -> Result<Self, Fault> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| unusable(path, &format!("cannot be read: {error}")))
        };
        Ok(Self {
            certificate: read(certificate)?,
            key: read(key)?,
        })
    }

    fn config(&self, path: &Path) -> Result<ServerConfig, Fault> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(path, &format!("is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(unusable(path, "holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| unusable(path, &format!("has no usable key beside it: {error}")))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(path, &error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| unusable(path, &format!("does not fit its key: {error}")))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Returns a client configuration that trusts nobody, for clients that never speak TLS.
///
/// It spares them reading the certificates of the system.
pub(crate) fn plain_client() -> Result<ClientConfig, Fault> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::new(Code::Certificate, error.to_string()))?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn unusable(path: &Path, why: &str) -> Fault {
    Fault::new(
        Code::Certificate,
        format!("certificate '{}' {why}", path.display()),
    )
    .hint("Give a PEM file with the chain and a PEM file with the key of its first certificate.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_pair(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    fn directory() -> PathBuf {
        let path = std::env::temp_dir().join(format!("kladka-tls-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_renewed_certificate_is_swapped_in_and_a_broken_one_is_not() {
        let dir = directory();
        let (certificate, key) = write_pair(&dir, "one.example");
        let tls = ServerTls::load(&certificate, &key).unwrap();
        assert!(matches!(tls.reload(), Look::Same));
        let before = tls.current.load_full();
        write_pair(&dir, "two.example");
        assert!(matches!(tls.reload(), Look::Renewed));
        let after = tls.current.load_full();
        assert!(!Arc::ptr_eq(&before, &after));
        let good = std::fs::read(&certificate).unwrap();
        // Each change is told once, however often somebody looks.
        for broken in ["nonsense", "other nonsense"] {
            std::fs::write(&certificate, broken).unwrap();
            let Look::Refused(fault) = tls.reload() else {
                panic!("{broken} was taken or not told");
            };
            assert_eq!(fault.code(), Code::Certificate);
            assert!(matches!(tls.reload(), Look::Same), "told already");
            assert_eq!(tls.fault().unwrap().message(), fault.message());
        }
        std::fs::remove_file(&certificate).unwrap();
        assert!(matches!(tls.reload(), Look::Refused(_)));
        assert!(matches!(tls.reload(), Look::Same));
        assert!(Arc::ptr_eq(&after, &tls.current.load_full()));
        std::fs::write(&certificate, good).unwrap();
        assert!(matches!(tls.reload(), Look::Mended));
        assert!(tls.fault().is_none());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (dir, other) = (directory(), directory());
        let (certificate, _) = write_pair(&dir, "one.example");
        let (_, key) = write_pair(&other, "two.example");
        let fault = ServerTls::load(&certificate, &key).err().unwrap();
        assert_eq!(fault.code(), Code::Certificate);
        for path in [dir, other] {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
}
