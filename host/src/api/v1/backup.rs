//! A copy of the database while the hub works.

use std::path::PathBuf;

use axum::extract::State;
use serde::Deserialize;

use crate::api::answer::{Answer, told};
use crate::api::request::{Admin, Body};
use crate::api::routes::Routes;
use crate::app::{App, backup};

pub fn add(routes: Routes) -> Routes {
    routes.post("/backup", "Begin a copy of the database into a file on the hub's machine; the master key is not in it", start).get(
        "/backup",
        "How the last copy goes",
        state,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    /// From the root, on the hub's machine.
    file: PathBuf,
}

async fn start(State(app): State<App>, Admin(_): Admin, Body(into): Body<Target>) -> Answer {
    told(backup::start(&app, into.file)?)
}

async fn state(State(app): State<App>, Admin(_): Admin) -> Answer {
    told(app.backup.state())
}
