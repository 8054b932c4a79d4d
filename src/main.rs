//! The `spiq` command; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(spiq::cli::main(std::env::args_os().collect()))
}
