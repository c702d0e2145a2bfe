//! The `kladka` binary.

fn main() -> std::process::ExitCode {
    kladka::cli::main()
}
