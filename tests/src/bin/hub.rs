//! The product's own program, built beside the tests: they start it, kill it, and let it compile their connectors.

fn main() -> std::process::ExitCode {
    entrepot::cli::main()
}
