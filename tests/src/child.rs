//! Processes that are measured or killed: the hub's own program, and the baseline servers.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::site::Site;
use crate::{chance, connectors};

/// Killed when dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

/// The product's own program. What tells tests how to play is no option of it, and it would say so.
pub fn program() -> Command {
    let mut command = Command::new(connectors::program());
    for name in [chance::HOW_OFTEN, chance::ONE_SEED] {
        command.env_remove(name);
    }
    command
}

/// How long a process may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

impl Process {
    /// `measure baseline ID FOLDER`: it prints its address.
    pub fn baseline(id: &str, folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["baseline", id]).arg(folder);
        Self::start(command, |line| line.trim().parse().ok())
    }

    /// `serve` on a furnished site. `address`: port 0 takes any.
    pub fn hub(site: &Site, address: SocketAddr) -> Self {
        Self::hub_with(site, address, &[])
    }

    pub fn hub_with(site: &Site, address: SocketAddr, more: &[&str]) -> Self {
        let mut command = program();
        command.arg("serve").arg("--listen").arg(address.to_string());
        command.arg("--data").arg(site.data()).arg("--database").arg(site.database()).arg("--master-key-file").arg(site.key_file());
        command.args(["--set", "log.filter=error"]).args(more);
        Self::start(command, |line| line.trim().strip_prefix("hub listening on http://")?.parse().ok())
    }

    fn start(mut command: Command, address: impl Fn(&str) -> Option<SocketAddr>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| address(&line));
        let Some(address) = address else {
            let _ = child.kill();
            panic!("{command:?} ended before it listened: {:?}", child.wait());
        };
        // Whatever it still says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// As the kernel does it: nothing is said, nothing is written.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// `None` while it runs.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the process to end by itself.
    pub fn wait_for_end(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process did not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal by its name: STOP, CONT, TERM.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(sent.success(), "no process {} to signal", self.id());
    }

    /// Bytes in memory now.
    pub fn resident_bytes(&self) -> u64 {
        memory(self.id(), "VmRSS:")
    }

    /// The most it ever had in memory.
    pub fn peak_bytes(&self) -> u64 {
        memory(self.id(), "VmHWM:")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A line of `/proc/PID/status`, in bytes.
pub fn memory(process: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|text| text.strip_prefix(line)?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}
