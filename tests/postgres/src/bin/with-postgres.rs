//! Runs a command beside a PostgreSQL server that exists only for it: `with-postgres COMMAND…`, where `{}` in an argument
//! becomes the address of an empty database. The command's exit code is ours.

#![allow(clippy::unwrap_used)]

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: with-postgres COMMAND [ARGUMENT | {{}}]…");
        return ExitCode::from(2);
    };
    // Says itself why there is none.
    let Some(database) = entrepot_test_postgres::fresh_database().await else { return ExitCode::FAILURE };
    let mut command = std::process::Command::new(program);
    command.args(rest.iter().map(|argument| argument.replace("{}", database.url())));
    match command.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("{program} cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}
