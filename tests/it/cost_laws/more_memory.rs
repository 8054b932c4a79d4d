//! Twice the memory, at equal energies, is never worse: whatever has room in the smaller one has it in the larger one.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::turns::{Chain, any_chain};
use super::*;

/// Bytes for weights, activations, sums and membranes.
fn bytes() -> impl Strategy<Value = [u64; 4]> {
    [1u64..120, 1u64..40, 1u64..200, 1u64..200].prop_map(|bytes| bytes)
}

fn machine(bytes: [u64; 4], objective: &'static str) -> Machine {
    let units = lanes(2, 4, "Skip", "BitSerial");
    let mut spec = Spec { objective, dram_bits: Some(16), ..Spec::roomy(units).innermost() };
    spec.memories.iter_mut().zip(bytes).for_each(|(memory, bytes)| memory.1 = bytes);
    spec.unit_machine()
}

fn score(chain: &Chain, bytes: [u64; 4], objective: &'static str) -> Option<f64> {
    let machine = machine(bytes, objective);
    let activity = chain.activity();
    let mapped = MappedWorkload::best(chain.workload(), &machine, std::slice::from_ref(&activity)).ok()?;
    let costs = mapped.costs(&machine, &activity);
    let sum = |of: fn(&LayerCost) -> f64| costs.iter().map(of).sum::<f64>();
    Some(machine.score(sum(|c| c.cycles.total()), sum(|c| c.energy_j.total())))
}

/// No case of 240 is worse by more than 1 %.
#[test]
fn twice_the_memory_is_no_worse() {
    let mut runner = TestRunner::deterministic();
    for case in 0..240 {
        let ((chain, _), bytes) = (any_chain(), bytes()).new_tree(&mut runner).unwrap().current();
        let objective = ["Energy", "Latency", "EnergyDelay"][case / 4 % 3];
        let mut twice = bytes;
        twice[case % 4] *= 2;
        let Some(small) = score(&chain, bytes, objective) else { continue };
        let large = score(&chain, twice, objective).unwrap();
        assert!(large <= small * 1.01, "case {case}: {large} {small} {objective} {bytes:?} {chain:?}");
    }
}
