//! The master key: one file of one line, made at first start, outside the data folder and so outside its backups.
//!
//! Nothing is encrypted with it but other keys; what else needs a key derives its own from it by purpose.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Secret;
use super::seal::{KEY_BYTES, Key};
use crate::hex::hex;
use crate::id::Entropy;

const HEADER: &str = "entrepot-master-key-1:";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the master key file {path} cannot be {verb}; hint: check that the folder exists and that this user may use it")]
    Io { path: PathBuf, verb: &'static str, source: std::io::Error },
    #[error(
        "the master key file {path} does not exist; hint: put the key this database was made with there, or name its place with --master-key-file"
    )]
    Absent { path: PathBuf },
    #[error("{place} does not hold a master key; hint: it is one line, `{HEADER}` and 44 characters of base64")]
    Malformed { place: String },
    #[error("the master key file {path} can be read by everybody (mode {mode:o}); hint: chmod 600 {path}")]
    Open { path: PathBuf, mode: u32 },
}

/// The key that wraps all others.
#[derive(Clone)]
pub struct MasterKey {
    key: Key,
    fingerprint: String,
}

impl MasterKey {
    pub fn random(entropy: &Entropy) -> Self {
        Self::with(Key::random(entropy))
    }

    /// Reads the line a key file holds; `place` names its source in an error.
    pub fn from_text(text: &str, place: &str) -> Result<Self, Error> {
        let malformed = || Error::Malformed { place: place.to_owned() };
        let body = text.trim().strip_prefix(HEADER).ok_or_else(malformed)?;
        let bytes = Zeroizing::new(STANDARD.decode(body.trim()).map_err(|_| malformed())?);
        Key::from_bytes(&bytes).map(Self::with).ok_or_else(malformed)
    }

    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::Absent { path: path.to_owned() },
            _ => Error::Io { path: path.to_owned(), verb: "read", source },
        })?);
        refuse_open_mode(path)?;
        Self::from_text(&text, &path.display().to_string())
    }

    /// Makes a new key file that only its owner can read; an existing file is never replaced.
    pub fn create(path: &Path, entropy: &Entropy) -> Result<Self, Error> {
        let failed = |verb| move |source| Error::Io { path: path.to_owned(), verb, source };
        let made = Self::random(entropy);
        let line = Zeroizing::new(format!("{HEADER}{}\n", Zeroizing::new(STANDARD.encode(made.key.expose())).as_str()));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed("created"))?;
        }
        // Written aside and linked into place, so that a crash leaves a whole key or none.
        let mut tail = [0u8; 8];
        entropy.fill(&mut tail);
        let aside = path.with_extension(format!("{:016x}.new", u64::from_be_bytes(tail)));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&aside).and_then(|mut file| {
            file.write_all(line.as_bytes())?;
            file.sync_all()
        });
        let linked = written.and_then(|()| std::fs::hard_link(&aside, path));
        let _ = std::fs::remove_file(&aside);
        linked.map_err(failed("created"))?;
        crate::store::sync_folder(path);
        Ok(made)
    }

    /// Loads the key, or makes one where there is none; the flag says whether it was made.
    pub fn load_or_create(path: &Path, entropy: &Entropy) -> Result<(Self, bool), Error> {
        match Self::load(path) {
            Err(Error::Absent { .. }) => match Self::create(path, entropy) {
                // Another process was faster: its key is the key.
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => Ok((Self::load(path)?, false)),
                made => Ok((made?, true)),
            },
            loaded => Ok((loaded?, false)),
        }
    }

    /// Names the key without telling anything about it: `mk_` and 16 hex digits. Kept in every row as its key id.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// An independent 256-bit key for another purpose, the same one each time.
    pub fn derive(&self, purpose: &str) -> Secret {
        Secret::new(expand(&self.key, purpose).to_vec())
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    fn with(key: Key) -> Self {
        let digest = Sha256::digest(expand(&key, "fingerprint").as_slice());
        let fingerprint = format!("mk_{}", hex(&digest[..8]));
        Self { key, fingerprint }
    }
}

fn expand(key: &Key, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut out = Zeroizing::new([0u8; KEY_BYTES]);
    // Expanding can only fail for outputs over 8160 bytes.
    let _ = Hkdf::<Sha256>::new(Some(b"entrepot"), key.expose()).expand(purpose.as_bytes(), &mut *out);
    out
}

#[cfg(unix)]
fn refuse_open_mode(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let meta = std::fs::metadata(path).map_err(|source| Error::Io { path: path.to_owned(), verb: "read", source })?;
    match meta.permissions().mode() & 0o777 {
        mode if mode & 0o007 != 0 => Err(Error::Open { path: path.to_owned(), mode }),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn refuse_open_mode(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_start_makes_a_private_key_and_the_second_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/master.key");
        let (made, fresh) = MasterKey::load_or_create(&path, &Entropy::seeded(1)).unwrap();
        let (found, again) = MasterKey::load_or_create(&path, &Entropy::seeded(2)).unwrap();
        assert!(fresh && !again);
        assert_eq!(made.fingerprint(), found.fingerprint());
        assert_eq!(made.derive("plugins").expose(), found.derive("plugins").expose());
        assert_ne!(made.derive("plugins").expose(), made.derive("sessions").expose());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_key_file_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = MasterKey::create(&path, &Entropy::seeded(1)).unwrap();
        assert!(MasterKey::create(&path, &Entropy::seeded(2)).is_err());
        assert_eq!(MasterKey::load(&path).unwrap().fingerprint(), first.fingerprint());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_everybody_can_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::create(&path, &Entropy::seeded(1)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = MasterKey::load(&path).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn what_is_no_key_is_refused_by_the_name_of_its_place() {
        for text in ["", "hello", "entrepot-master-key-1:", "entrepot-master-key-1:AAAA", "entrepot-master-key-1:!!!!"] {
            let error = MasterKey::from_text(text, "ENTREPOT_MASTER_KEY").err().unwrap().to_string();
            assert!(error.contains("ENTREPOT_MASTER_KEY"), "{error}");
        }
    }
}
