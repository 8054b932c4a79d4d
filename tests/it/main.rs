//! Integration tests, one binary.

mod bad_input;
mod calibrated;
mod checkpoints;
mod compare;
mod comparison;
mod cost_laws;
mod data_sets;
mod dead_channels;
mod describe;
mod exactness;
mod exchange;
mod families;
mod gemm;
mod integer_network;
mod nests;
mod operation_energy;
mod oracle_logits;
mod rates;
mod reference;
mod reports;
mod rtl;
mod search;
mod sensitivity;
mod tables;
mod tidy;
mod torch_save;
