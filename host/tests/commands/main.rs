//! The program itself, on a folder of its own: what people type and what comes back.

#![allow(clippy::unwrap_used)]

mod operate;
mod shelves;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, words: &[&str]) -> Output {
        let folder = self.path().to_str().unwrap();
        Command::new(env!("CARGO_BIN_EXE_entrepot"))
            .current_dir(self.path())
            .args(words)
            .args(["--json", "--data", folder])
            .output()
            .unwrap()
    }

    /// What a command that works prints.
    fn ok(&self, words: &str) -> Value {
        let output = self.run(&words.split(' ').collect::<Vec<_>>());
        assert!(
            output.status.success(),
            "{words}: {} {}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{words}: {error}: {}", String::from_utf8_lossy(&output.stdout)))
    }

    /// Exit code and everything that a command that does not work prints.
    fn refused(&self, words: &str) -> (i32, String) {
        let output = self.run(&words.split(' ').collect::<Vec<_>>());
        assert!(!output.status.success(), "{words} should be refused");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
    }
}
