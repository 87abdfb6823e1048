//! The hub a command talks to: a running one over its API, or this process with the database open, through the same routes.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::place::{Found, Place};
use super::{CONFIGURATION, Stop};
use crate::api;
use crate::app::{App, Options};
use crate::config::{Config, Database};
use crate::egress;

/// The key that a running hub leaves for commands of the same user.
const KEY_FILE: &str = "hub.key";
/// Where it listens, which its own command line may have said.
const URL_FILE: &str = "hub.url";
pub const LOCK_FILE: &str = "hub.lock";
const KNOCK: Duration = Duration::from_millis(800);
const PATIENCE: Duration = Duration::from_secs(120);

pub enum Hub {
    Running { url: String, key: Option<String> },
    Here { app: Box<App>, router: api::Router, _lock: Option<File> },
}

impl Hub {
    pub async fn find(place: &Place) -> Result<Self, Stop> {
        let Found { config, key, hub } = place.load(&[])?;
        if let Some(url) = hub {
            return Ok(Self::Running { url, key });
        }
        if let Some(url) = running(&config).await {
            return Ok(Self::Running { url, key: key.or_else(|| left(&config, KEY_FILE)) });
        }
        let lock = lock(&config)?;
        let app = App::open(Options::of(&config)?).await?;
        let router = api::router(&app);
        Ok(Self::Here { app: Box::new(app), router, _lock: lock })
    }

    /// The hub if there is one: it answers, it has a database, or its address was given. `wanted`: it must be there.
    pub async fn existing(place: &Place, wanted: bool) -> Result<Option<Self>, Stop> {
        let Found { config, hub, .. } = place.load(&[])?;
        let lies_there = match &config.database {
            Database::File(path) => path.exists(),
            Database::Postgres(_) => true,
        };
        if hub.is_none() && !lies_there && !wanted && running(&config).await.is_none() {
            return Ok(None);
        }
        Self::find(place).await.map(Some)
    }

    pub async fn get(&self, target: &str) -> Result<Value, Stop> {
        self.send("GET", target, "application/json", Vec::new()).await
    }

    pub async fn ask(&self, method: &str, target: &str, body: &Value) -> Result<Value, Stop> {
        self.send(method, target, "application/json", body.to_string().into_bytes()).await
    }

    pub async fn send(&self, method: &str, target: &str, kind: &str, body: Vec<u8>) -> Result<Value, Stop> {
        let bytes = self.bytes(method, target, kind, body).await?;
        serde_json::from_slice(&bytes).map_err(|error| Stop::failed(format!("the hub's answer is not JSON: {error}")))
    }

    pub async fn bytes(&self, method: &str, target: &str, kind: &str, body: Vec<u8>) -> Result<Vec<u8>, Stop> {
        let target = format!("/api/v1{target}");
        let (status, bytes) = match self {
            Self::Running { url, key } => egress::hub::ask(url, key.as_deref(), method, &target, kind, body, PATIENCE)
                .await
                .map_err(|error| Stop::failed(format!("the hub at {url} did not answer: {error}; hint: start it with `entrepot serve`")))?,
            Self::Here { router, .. } => api::ask(router, method, &target, kind, body).await.map_err(Stop::failed)?,
        };
        if (200..300).contains(&status) {
            return Ok(bytes);
        }
        let refusal: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let (code, message) = (refusal["code"].as_str().unwrap_or("unreadable"), refusal["message"].as_str().unwrap_or("the hub refused"));
        Err(Stop { code: 1, message: format!("{message} [{code}]"), refusal: Some(refusal) })
    }

    /// Works off what was made due, unless a running hub does.
    pub async fn work(&self) -> Result<(), Stop> {
        match self {
            Self::Running { .. } => Ok(()),
            Self::Here { app, .. } => app.runner().run_until_idle().await.map_err(|error| Stop::failed(crate::store::chain(&error))),
        }
    }

    pub async fn close(&self) {
        if let Self::Here { app, .. } = self {
            app.store.close().await;
        }
    }
}

/// What a running hub left in its data folder.
fn left(config: &Config, name: &str) -> Option<String> {
    std::fs::read_to_string(config.data_folder.join(name)).ok().map(|text| text.trim().to_owned())
}

/// The address of a hub that answers: the one it left, or the configured one.
async fn running(config: &Config) -> Option<String> {
    let configured = format!("http://{}", config.server.listen);
    for url in left(config, URL_FILE).into_iter().chain([configured]) {
        let answers = egress::hub::ask(&url, None, "GET", "/healthz", "text/plain", Vec::new(), KNOCK).await;
        if answers.is_ok_and(|(status, body)| status == 200 && body == b"ok") {
            return Some(url);
        }
    }
    None
}

/// One process per data folder while the database is a file; a server's database has locks of its own.
pub fn lock(config: &Config) -> Result<Option<File>, Stop> {
    if !matches!(config.database, Database::File(_)) {
        return Ok(None);
    }
    let failed = |error: std::io::Error| Stop {
        code: CONFIGURATION,
        ..Stop::failed(format!("the folder {} cannot be used: {error}; hint: choose another with --data", config.data_folder.display()))
    };
    std::fs::create_dir_all(&config.data_folder).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(config.data_folder.join(LOCK_FILE)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Stop::failed(format!(
            "another process uses the folder {}; hint: if it is a hub on another address, name it with --hub URL, or stop it",
            config.data_folder.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Leaves address and key for commands of the same user on the same machine. A key that still works is kept.
pub async fn leave_key(app: &App, folder: &Path, address: std::net::SocketAddr) -> Result<(), Stop> {
    let url = folder.join(URL_FILE);
    std::fs::write(&url, format!("http://{address}\n"))
        .map_err(|error| Stop::failed(format!("{} cannot be written: {error}", url.display())))?;
    let path = folder.join(KEY_FILE);
    if let Ok(old) = std::fs::read_to_string(&path) {
        let mut conn = app.store.read().await.map_err(|error| Stop::failed(crate::store::chain(&error)))?;
        if crate::access::authenticate(&mut conn, app.ctx.now_ms(), old.trim()).await.is_ok() {
            return Ok(());
        }
    }
    let ctx = app.ctx.clone();
    let made = app.store.write(move |tx| {
        Box::pin(
            async move { crate::access::create_key(tx, &ctx, "commands on the hub's machine", crate::access::Scope::Admin, None).await },
        )
    });
    let (_, secret) = made.await.map_err(|error| Stop::failed(crate::store::chain(&error)))?;
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&path).and_then(|mut file| file.write_all(secret.expose()));
    written.map_err(|error| Stop::failed(format!("{} cannot be written: {error}", path.display())))
}
