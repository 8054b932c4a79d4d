//! Searches: on networks whose accuracy is a formula, and on the bundled one from the command line.

mod commands;
mod logs;
mod machines;
mod processes;
mod spaces;
mod strategies;
mod synthetic;
mod timesteps;
