//! The `spiq` command; see the library.

fn main() -> std::process::ExitCode {
    spiq::cli::main()
}
