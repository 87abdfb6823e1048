//! Compiles a connector for the stories' hubs: the child that `entrepot` itself is in production.

fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).as_deref() == Some(entrepot::plugins::compile::CHILD) {
        return entrepot::plugins::compile::child();
    }
    eprintln!("started by the stories, with `{}`; does nothing else", entrepot::plugins::compile::CHILD);
    std::process::ExitCode::FAILURE
}
