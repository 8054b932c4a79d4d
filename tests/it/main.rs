//! Integration tests, one binary.

mod bad_input;
mod checkpoints;
mod cost_laws;
mod data_sets;
mod exactness;
mod exchange;
mod families;
mod integer_network;
mod oracle_logits;
mod rates;
mod reference;
mod reports;
mod rtl;
mod search;
mod tidy;
