//! Machines that are changed by paths, and explored.

mod changes;
mod function;
mod processes;
pub mod spaces;
