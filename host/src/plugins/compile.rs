//! Machine code of connectors: made once in a child process, kept in a private folder, loaded only when it is our own.
//!
//! Compiling untrusted input can take any time and memory, and the engine's makers do not count that as a fault. So a child
//! (this program again, hidden subcommand [`CHILD`]) does it under limits it sets on itself, without a network. Loading
//! machine code is the one step that must trust its input: each file begins with an authentication code under a key derived
//! from the master key, over the code, the connector's digest and the engine's compatibility hash. A file that fails the
//! check is made again, never loaded.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime::component::Component;

use super::artifact;
use super::engine::{self, Engine};
use crate::id::Entropy;
use crate::secrets::{MasterKey, Secret};

/// The hidden subcommand that [`child`] answers.
pub const CHILD: &str = "plugin-compile-child";

/// The child's own limits.
const CHILD_ADDRESS_SPACE_BYTES: u64 = 2 << 30;
const CHILD_CPU_S: u64 = 120;
/// The parent's patience, above the child's processor time because the machine may be busy.
const CHILD_WALL: Duration = Duration::from_secs(300);
/// Machine code is about three times its component.
const OUTPUT_BYTES: u64 = 256 << 20;

const TAG_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the folder for compiled connectors, {path}: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the compiler could not be started: {0}")]
    Start(std::io::Error),
    #[error("the connector could not be compiled: {0}")]
    Refused(String),
    #[error("the connector could not be compiled within {CHILD_CPU_S} s of processor time and 2 GiB of memory; make it smaller")]
    TooCostly,
    #[error("compiled code could not be loaded: {0}")]
    Unloadable(String),
}

/// Where machine code is kept, and the key that tells ours from anybody else's.
struct Cache {
    folder: PathBuf,
    key: Secret,
}

/// Compiles and caches. One at a time: compiling is rare, and a hub has other work.
pub struct Compiler {
    engine: wasmtime::Engine,
    compatibility: u64,
    cache: Option<Cache>,
    /// The program that understands [`CHILD`]: usually this one.
    program: PathBuf,
    entropy: Entropy,
    turn: tokio::sync::Semaphore,
}

impl Compiler {
    /// `folder` is created for its owner alone.
    pub fn new(engine: &Engine, folder: &Path, master: &MasterKey, program: PathBuf, entropy: Entropy) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        #[cfg(unix)]
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(failed)?;
        let cache = Cache { folder: folder.to_owned(), key: master.derive("plugins: compiled code") };
        Ok(Self { cache: Some(cache), ..Self::uncached(engine, program, entropy) })
    }

    /// Keeps nothing: for looking at one connector.
    pub fn uncached(engine: &Engine, program: PathBuf, entropy: Entropy) -> Self {
        let engine = engine.raw().clone();
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { compatibility: hasher.finish(), engine, cache: None, program, entropy, turn: tokio::sync::Semaphore::new(1) }
    }

    /// The component of these bytes, from the cache when an authentic file is there.
    pub async fn component(&self, wasm: &[u8]) -> Result<Component, Error> {
        let digest = artifact::digest(wasm);
        if let Some(component) = self.cached(&digest).await {
            return Ok(component);
        }
        let _turn = self.turn.acquire().await;
        // Somebody may have made it while this call waited for its turn.
        if let Some(component) = self.cached(&digest).await {
            return Ok(component);
        }
        let code = self.compile(wasm).await?;
        // Without a cache file the connector still runs; it is compiled again at the next start.
        if let Err(error) = self.keep(&digest, &code).await {
            tracing::warn!(%error, "a compiled connector could not be cached");
        }
        load::trusted(&self.engine, &code).map_err(|error| Error::Unloadable(format!("{error:#}")))
    }

    /// Where the code of a connector is kept.
    pub fn path(&self, digest: &str) -> Option<PathBuf> {
        Some(self.cache.as_ref()?.folder.join(format!("{digest}-{:016x}.cwasm", self.compatibility)))
    }

    async fn cached(&self, digest: &str) -> Option<Component> {
        let path = self.path(digest)?;
        let file = tokio::fs::read(&path).await.ok()?;
        let (tag, code) = file.split_at_checked(TAG_BYTES)?;
        if self.authentication(digest, code)?.verify_slice(tag).is_err() {
            tracing::warn!(path = %path.display(), "a compiled connector was changed by somebody else; compiling it again");
            return None;
        }
        // The bytes just checked are the bytes loaded: the file is not read twice.
        load::trusted(&self.engine, code)
            .inspect_err(
                |error| tracing::warn!(path = %path.display(), %error, "a compiled connector does not fit this engine; compiling it again"),
            )
            .ok()
    }

    fn authentication(&self, digest: &str, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.cache.as_ref()?.key.expose()).ok()?;
        mac.update(digest.as_bytes());
        mac.update(&self.compatibility.to_be_bytes());
        mac.update(code);
        Some(mac)
    }

    async fn keep(&self, digest: &str, code: &[u8]) -> std::io::Result<()> {
        let (Some(cache), Some(path), Some(mac)) = (&self.cache, self.path(digest), self.authentication(digest, code)) else {
            return Ok(());
        };
        let mut bytes = mac.finalize().into_bytes().to_vec();
        bytes.extend_from_slice(code);
        let mut tail = [0u8; 8];
        self.entropy.fill(&mut tail);
        let aside = cache.folder.join(format!("{:016x}.new", u64::from_be_bytes(tail)));
        let written = match tokio::fs::write(&aside, bytes).await {
            Ok(()) => tokio::fs::rename(&aside, path).await,
            Err(error) => Err(error),
        };
        if written.is_err() {
            let _ = tokio::fs::remove_file(&aside).await;
        }
        written
    }

    /// Runs the child. Dropping the future kills it.
    async fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, Error> {
        let mut child = tokio::process::Command::new(&self.program)
            .arg(CHILD)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::Start)?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(Error::Start(std::io::Error::other("it has no pipes")));
        };
        let conversation = async {
            let mut code = Vec::new();
            let mut words = Vec::new();
            let feed = async {
                // A child that gives up early closes its end; its words say why.
                let _ = stdin.write_all(wasm).await;
                drop(stdin);
            };
            let mut stdout = stdout.take(OUTPUT_BYTES);
            let mut stderr = stderr.take(4096);
            let (_, read, _) = tokio::join!(feed, stdout.read_to_end(&mut code), stderr.read_to_end(&mut words));
            read.map_err(Error::Start)?;
            let status = child.wait().await.map_err(Error::Start)?;
            Ok((status, code, words))
        };
        let (status, code, words) = tokio::time::timeout(CHILD_WALL, conversation).await.map_err(|_| Error::TooCostly)??;
        if status.success() && !code.is_empty() {
            return Ok(code);
        }
        let words = String::from_utf8_lossy(&words);
        match status.code() {
            // Ended by a signal (processor time) or by the allocator (memory).
            None => Err(Error::TooCostly),
            Some(_) if words.contains("memory allocation") => Err(Error::TooCostly),
            Some(_) => Err(Error::Refused(words.trim().to_owned())),
        }
    }
}

/// The child's whole life: component on standard input, machine code on standard output.
pub fn child() -> ExitCode {
    match compile_input() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn compile_input() -> Result<(), String> {
    confine()?;
    let mut wasm = Vec::new();
    let bound = artifact::MAX_BYTES as u64 + 1;
    std::io::stdin().lock().take(bound).read_to_end(&mut wasm).map_err(|error| format!("its bytes could not be read: {error}"))?;
    if wasm.len() > artifact::MAX_BYTES {
        return Err(format!("it has more than {} bytes", artifact::MAX_BYTES));
    }
    let engine = wasmtime::Engine::new(&engine::config()).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&wasm).map_err(|error| format!("{error:#}"))?;
    std::io::stdout().lock().write_all(&code).map_err(|error| format!("the result could not be written: {error}"))
}

/// Limits that the kernel holds, set before the first untrusted byte is read.
#[cfg(target_os = "linux")]
fn confine() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    for (resource, limit) in [
        (Resource::As, CHILD_ADDRESS_SPACE_BYTES),
        (Resource::Cpu, CHILD_CPU_S),
        // No file is written, no core is dumped.
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, 16),
    ] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })
            .map_err(|error| format!("its limits could not be set: {error}"))?;
    }
    rustix::thread::set_no_new_privs(true).map_err(|error| format!("its privileges could not be dropped: {error}"))?;
    leave_network();
    Ok(())
}

/// An empty network of its own where the system lets an ordinary user have one; elsewhere the process has no address to
/// call and no way to say one.
#[cfg(target_os = "linux")]
fn leave_network() {
    use rustix::thread::UnshareFlags;
    // Deprecated because unsharing *file tables* is unsafe; this unshares namespaces only.
    #[allow(deprecated)]
    let alone = |flags| rustix::thread::unshare(flags);
    if alone(UnshareFlags::NEWNET).is_err() {
        let _ = alone(UnshareFlags::NEWUSER | UnshareFlags::NEWNET);
    }
}

#[cfg(not(target_os = "linux"))]
fn confine() -> Result<(), String> {
    Ok(())
}

/// The one place with `unsafe`.
mod load {
    #![allow(unsafe_code)]

    use wasmtime::component::Component;

    /// Loads machine code.
    ///
    /// `code` must be what our own child wrote for an engine of this configuration: taken from its pipe, or from a file whose
    /// authentication code was checked over these very bytes. Anything else could do whatever it likes with this process.
    pub(super) fn trusted(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: both callers are in the module above and hold what the comment asks for.
        unsafe { Component::deserialize(engine, code) }
    }
}
