//! Every kind of bad input ends in exit code 2 and one message that names the file, the position
//! and the field; nothing on standard output, and an earlier result as it was.

mod data;
mod flags;
mod formats;
mod fuzz;
mod hardware;
mod model;
mod pickle_calls;
mod pickles;
mod rates;
mod setting;
mod spikes;
pub mod support;
mod weights;
