//! `backup` and `restore`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::hub::{Hub, LOCK_FILE, lock};
use super::place::Place;
use super::{Stop, print};
use crate::app::{App, Options, backup};
use crate::config::Database;
use crate::id::Entropy;
use crate::secrets::{MasterKey, Vault};

#[derive(Args)]
pub struct Backup {
    #[command(flatten)]
    pub place: Place,
    /// A file that does not exist yet, or a folder that does, on the hub's machine.
    pub file: PathBuf,
}

/// Between two looks at a copy under way.
const LOOK: Duration = Duration::from_millis(200);

pub async fn run(hub: &Hub, file: PathBuf, json: bool) -> Result<(), Stop> {
    let file = std::path::absolute(&file).map_err(|error| Stop::usage(format!("{} is no path: {error}", file.display())))?;
    let mut state = hub.ask("POST", "/backup", &json!({ "file": file })).await?;
    while state["state"] == "running" {
        tokio::time::sleep(LOOK).await;
        state = hub.get("/backup").await?;
    }
    let word = |name: &str| state[name].as_str().unwrap_or_default().to_owned();
    if state["state"] != "done" {
        return Err(Stop::failed(format!("the backup failed: {}; hint: check the disk of {}", word("problem"), file.display())));
    }
    print::answer(json, &state, &[]);
    if !json {
        say!("\nthe master key {} is not in it: keep its file in another place, for without it", word("master_key"));
        say!("no credential and no buyer in this copy can be read; `entrepot restore FILE` asks for it");
    }
    Ok(())
}

#[derive(Args)]
pub struct Restore {
    #[command(flatten)]
    place: Place,
    /// What `backup` made.
    file: PathBuf,
}

pub async fn restore(wish: Restore) -> Result<(), Stop> {
    let config = wish.place.load(&[])?.config;
    let Database::File(database) = &config.database else {
        let hint =
            format!("stop the hub, pg_restore --clean --if-exists --dbname=DATABASE-URL {}, put the master key back", wish.file.display());
        return Err(Stop::usage(format!("the database is on PostgreSQL, whose own tool puts copies back; hint: {hint}")));
    };
    let _lock = lock(&config)?;
    let master = backup::existing_master(&config).map_err(crate::app::Error::from)?;
    let former = config.secrets.former_master_key_files.iter().map(|path| MasterKey::load(path)).collect::<Result<_, _>>();
    let vault = Vault::new(master, former.map_err(crate::app::Error::from)?, Entropy::system());
    let place = backup::Wish { file: &wish.file, database, data_folder: &config.data_folder, may_lie_there: &[LOCK_FILE] };
    backup::restore(&place, &vault).await.map_err(|refused| Stop::failed(refused.to_string()))?;
    // Opening brings an older schema up to date and shows that the hub can work with it.
    let app = App::open(Options::of(&config)?).await?;
    let again = app.erase_again().await;
    app.store.close().await;
    let again = again?;
    if wish.place.json {
        say!(
            "{}",
            json!({ "restored": wish.file, "database": database, "master_key": vault.master().fingerprint(), "erased_again": again })
        );
    } else {
        say!("restored {} into {}; start it with `entrepot serve`, then `entrepot doctor`", wish.file.display(), database.display());
        say!("{again} buyers who were erased after that copy was made are erased again");
        say!("what channels told the hub since that copy was made is read again by the next polls");
    }
    Ok(())
}
