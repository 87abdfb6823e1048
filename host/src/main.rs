fn main() -> std::process::ExitCode {
    entrepot::cli::main()
}
