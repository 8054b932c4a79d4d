//! Fuzz targets of every parser of spiq, and a mutator that needs no other tool.

pub mod child;
pub mod mutator;
pub mod parent;
#[path = "../../tests/fuzz/targets/mod.rs"]
pub mod targets;

/// The target `name`.
pub fn find(name: &str) -> Option<&'static targets::Target> {
    targets::TARGETS.iter().find(|target| target.name == name)
}
