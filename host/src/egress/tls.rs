//! Which certificates are believed: the machine's own, else the ones this program was built with, and those an operator adds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the certificates in {path} cannot be read; hint: the file holds one or more blocks that begin with BEGIN CERTIFICATE")]
    File { path: PathBuf },
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// `extra` is a PEM file of authorities believed besides the usual ones.
pub fn config(extra: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(path) = extra {
        let refused = || Error::File { path: path.to_owned() };
        let found: Vec<_> = CertificateDer::pem_file_iter(path).map_err(|_| refused())?.collect::<Result<_, _>>().map_err(|_| refused())?;
        if found.is_empty() || roots.add_parsable_certificates(found).0 == 0 {
            return Err(refused());
        }
    }
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
