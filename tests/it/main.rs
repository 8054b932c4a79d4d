//! Integration tests, one binary.

mod bad_input;
mod cost_laws;
mod data_sets;
mod exactness;
mod oracle_logits;
mod reports;
mod tidy;
