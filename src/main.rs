//! The `devrun` program: everything is in the library.

fn main() -> std::process::ExitCode {
    devrun::cli::main()
}
