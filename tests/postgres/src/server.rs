//! A private PostgreSQL server: created, started, crashed, and removed with the process that asked for it.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::database::Database;
use crate::programs;

/// What a commit of this server survives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The end of the server's processes, as in [`Cluster::stop_immediate`], but not of the machine: nothing is synced.
    SurvivesProcessCrash,
    /// Everything; as in production, and as slow.
    Full,
}

/// A running server. Dropping it stops the server and removes its files.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    user: Option<User>,
    port: u16,
    options: String,
    watchdog: Child,
}

/// Whom the server runs as when the tests run as root, which PostgreSQL refuses.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Cluster {
    pub fn start_new(durability: Durability) -> Result<Self, String> {
        let programs = programs::find()?;
        let user = step_down()?;
        let folder = make_folder(user)?;
        let watchdog = watchdog(&folder, &programs, user)?;
        let mut cluster = Self { folder, programs, user, port: 0, options: options(durability), watchdog };
        cluster
            .run("initdb", &["--no-sync", "--no-instructions", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"])?;
        // A port that was free a moment ago may be taken by the time the server wants it.
        let mut refused = String::new();
        for _ in 0..5 {
            cluster.port = free_port()?;
            match cluster.try_start() {
                Ok(()) => return Ok(cluster),
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    /// The server's own database; its user may create others.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Where it keeps everything, its log included.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub async fn fresh_database(&self) -> Database {
        Database::create(&self.url()).await
    }

    /// What a crash of the server does: no checkpoint, no goodbye; the next start recovers from the log.
    pub fn stop_immediate(&self) {
        self.run("pg_ctl", &["stop", "--mode=immediate", "--wait", "--silent"]).unwrap();
    }

    /// Starts the server again after [`Self::stop_immediate`], on the same port.
    pub fn start(&self) {
        self.try_start().unwrap();
    }

    fn try_start(&self) -> Result<(), String> {
        let log = self.folder.join("log");
        let options = format!("{} -p {} -k {}", self.options, self.port, self.folder.display());
        let log_option = format!("--log={}", log.display());
        self.run("pg_ctl", &["start", "--wait", "--silent", "--timeout=60", &log_option, "--options", &options]).map_err(|why| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!("{why}\n{said}")
        })
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--pgdata").arg(self.folder.join("data")).args(arguments);
        command.current_dir(&self.folder).stdin(Stdio::null());
        become_user(&mut command, self.user);
        let output = command.output().map_err(|error| format!("{program} cannot be run: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{program} failed: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Commits are always written before they are acknowledged; only the sync to the disk is left out.
fn options(durability: Durability) -> String {
    let sync = match durability {
        Durability::SurvivesProcessCrash => "-c fsync=off -c full_page_writes=off",
        Durability::Full => "-c fsync=on",
    };
    format!("-c listen_addresses=127.0.0.1 -c max_connections=200 -c shared_buffers=64MB -c wal_level=minimal -c max_wal_senders=0 {sync}")
}

/// A shell that waits for the end of this process (the pipe to it closes, even on `kill -9`), then stops the server and
/// removes its files. In a process group of its own, so that Ctrl-C does not end it first.
fn watchdog(folder: &Path, programs: &Path, user: Option<User>) -> Result<Child, String> {
    let script = r#"trap '' INT TERM HUP; read -r _; "$1/pg_ctl" stop -D "$2/data" -m immediate -w; rm -rf "$2""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "watchdog"]).arg(programs).arg(folder).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    become_user(&mut command, user);
    command.spawn().map_err(|error| format!("/bin/sh cannot be run: {error}"))
}

fn become_user(command: &mut Command, user: Option<User>) {
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
}

fn step_down() -> Result<Option<User>, String> {
    // The owner of a file just made is the user that this process acts as.
    let probe = tempfile::tempfile().and_then(|file| file.metadata()).map_err(|error| format!("no temporary file can be made: {error}"))?;
    if probe.uid() != 0 {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = |name: &str| {
        let fields: Vec<&str> = accounts.lines().find(|line| line.split(':').next() == Some(name))?.split(':').collect();
        Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    };
    let user = account("postgres").or_else(|| account("nobody"));
    user.map(Some).ok_or_else(|| "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as".into())
}

fn make_folder(user: Option<User>) -> Result<PathBuf, String> {
    let parents = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
    let parent = parents.iter().find(|parent| user.is_none() || open_to_all(parent)).ok_or("no temporary folder is open to other users")?;
    let made =
        tempfile::Builder::new().prefix("entrepot-pg-").tempdir_in(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    if let Some(user) = user {
        std::os::unix::fs::chown(made.path(), Some(user.uid), Some(user.gid))
            .map_err(|error| format!("{}: {error}", made.path().display()))?;
    }
    // The watchdog removes it.
    Ok(made.keep())
}

fn open_to_all(folder: &Path) -> bool {
    folder.ancestors().all(|step| step.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no loopback port is free: {error}"))
}
