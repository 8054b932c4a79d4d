//! Every parser for `cargo fuzz`, chosen by the environment variable `TARGET`: docs/checks.md.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod coverage_guided {
    use std::sync::LazyLock;

    use libfuzzer_sys::fuzz_target;

    use spiq_fuzz::find;
    use spiq_fuzz::targets::Target;

    static TARGET: LazyLock<&Target> = LazyLock::new(|| {
        let name = std::env::var("TARGET").expect("TARGET names a parser, as the folders of fuzz/corpus do");
        find(&name).unwrap_or_else(|| panic!("TARGET: no parser {name}"))
    });

    fuzz_target!(|bytes: &[u8]| drop((TARGET.run)(bytes)));
}

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run it with cargo fuzz (docs/checks.md), or the binary mutate without");
    std::process::exit(2);
}
