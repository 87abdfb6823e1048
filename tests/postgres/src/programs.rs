//! Where PostgreSQL's server programs are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Oldest server that the hub supports.
const OLDEST: u32 = 15;

/// The folder that holds `initdb`, `postgres` and `pg_ctl` of the newest version on this machine.
pub fn find() -> Result<PathBuf, String> {
    let mut found: Vec<(u32, PathBuf)> = candidates().into_iter().filter_map(|folder| Some((version(&folder)?, folder))).collect();
    found.sort();
    match found.pop() {
        Some((version, folder)) if version >= OLDEST => Ok(folder),
        Some((version, folder)) => Err(format!("PostgreSQL {version} in {} is older than {OLDEST}", folder.display())),
        None => Err("PostgreSQL's server programs (initdb, postgres, pg_ctl) are not on this machine".into()),
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    for (parent, below) in [("/usr/lib/postgresql", "bin"), ("/usr", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr/local/opt", "bin")] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let versions = entries.map(|entry| entry.path()).filter(|path| parent.ends_with("postgresql") || names_postgres(path));
        folders.extend(versions.map(|path| path.join(below)));
    }
    folders
}

/// Red Hat's `/usr/pgsql-16`, Homebrew's `postgresql@16`.
fn names_postgres(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgsql-") || name.to_string_lossy().starts_with("postgresql"))
}

/// The major version, where all three programs are.
fn version(folder: &Path) -> Option<u32> {
    if !["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}
