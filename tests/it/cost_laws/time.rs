//! What units wait for, and how long they are busy: by hand, and on random networks and machines.

use proptest::prelude::*;
use spiq::cost::{Cycles, Direction, Place, Stall, StallPart, Stalls, WorkCycles};

use super::occupancy::{any_machine, any_workload};
use super::*;

/// `workload` with a node of its own for each layer, and what was counted of them: about a third of all inputs.
pub fn counted(mut workload: Workload) -> (Workload, Activity) {
    let mut nodes = Vec::new();
    for (i, layer) in workload.layers.iter_mut().enumerate() {
        let product = layer.product.as_mut().unwrap();
        product.node = NodeId(i as u32);
        layer.epilogue.iter_mut().for_each(|epilogue| epilogue.node = NodeId(i as u32));
        let inputs = product.fan_in * product.groups;
        let frames = product.input_frames(workload.timesteps as u8);
        let count = |t: u8, p: usize| ((p * 7 + usize::from(t) * 5 + i) % (inputs + 1)) as u32;
        let events: Vec<Vec<u32>> =
            (0..frames).map(|t| (0..product.positions).map(|p| count(t, p)).collect()).collect();
        nodes.extend(activity(product, &events).nodes);
    }
    (workload, Activity { nodes, ..Activity::default() })
}

fn sum(stalls: &Stalls, part: StallPart) -> f64 {
    stalls.iter().filter(|stall| stall.part == part).map(|stall| stall.cycles).sum()
}

/// Two positions of two inputs each and two outputs on two lanes for channels; memories move two bits a cycle.
#[test]
fn two_by_two_with_narrow_ports() {
    let units =
        lanes_of("(keeps: Outputs, lanes: [(OutputChannels, 2)], source: \"test\")", "Dense", "BitSerial");
    let spec = Spec { bandwidth: 2, dram_bits: None, ..Spec::roomy(units) };
    let machine = spec.unit_machine();
    let layer = layer(product(2, 2, 2, 2), vec![neuron(4, 3)]);
    let activity = activity(layer.product.as_ref().unwrap(), &[vec![1, 1]]);
    let plan = plan(&machine, Dataflow::OutputStationary, Placement::Outermost, 2);
    let cost = layer_cost(&layer, &plan, &machine, &activity, 1);
    // Two inputs for either position: 4 cycles. Each reads 2 rows of 2 weights of 2 bits, 16 bits in all, and bias and
    // threshold of two channels are 128 bits: 72 cycles at the port of the weights, the busiest by far; membranes move
    // 4 x 3 bits each way in 12, neurons take 2.
    let port = (16.0 + 128.0) / 2.0;
    assert_eq!((cost.cycles.ideal, cost.cycles.epilogue), (4.0, 2.0 / 2.0));
    // Two waves, one for each position. All but the first wait for the weights, and so does the array in the first
    // one; the vector unit waits for membranes in the last.
    let first = (port - 4.0) / 2.0;
    let last = (24.0 / 2.0 - 2.0) / 2.0;
    let stall = |memory, direction, cycles| Stall {
        part: StallPart::Port,
        memory: Place::OnChip(memory),
        direction,
        cycles,
    };
    let all: Vec<Stall> = cost.stalls.iter().copied().collect();
    let expected = [
        stall(0, Direction::Read, 2.0 * first),
        stall(3, Direction::Read, last / 2.0),
        stall(3, Direction::Write, last / 2.0),
    ];
    assert_eq!(all, expected);
    assert_eq!(cost.cycles.port_stall, 2.0 * first + last);
    // Lanes work in 4 cycles, the vector unit in 2.
    let busy = WorkCycles { spike_products: 4.0, neurons: 2.0, ..WorkCycles::default() };
    // A spike is one of two inputs, and lanes that do not skip take both.
    assert_eq!((cost.busy, cost.ideal), (busy, busy));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stalls_and_busy_cycles_add_up(workload in any_workload(), spec in any_machine(), log_bandwidth in 0u32..9) {
        let machine = Spec { bandwidth: 1 << log_bandwidth, ..spec }.machine();
        let (workload, activity) = counted(workload);
        let Ok(mapped) = MappedWorkload::best(workload, &machine, std::slice::from_ref(&activity)) else {
            return Ok(());
        };
        for cost in mapped.costs(&machine, &activity) {
            let Cycles { port_stall, dram_stall, load, store, .. } = cost.cycles;
            let parts = [
                (StallPart::Port, port_stall),
                (StallPart::Dram, dram_stall),
                (StallPart::Load, load),
                (StallPart::Store, store),
            ];
            for (part, cycles) in parts {
                prop_assert!((sum(&cost.stalls, part) - cycles).abs() <= 1e-9 * cost.cycles.total(), "{cost:?}");
            }
            let total = cost.cycles.total() * (1.0 + 1e-9);
            let (array, vector) = (cost.busy.spike_products + cost.busy.integer_products, cost.busy.neurons);
            prop_assert!(array <= total && vector <= total, "{cost:?}");
            for (ideal, busy) in cost.ideal.parts().into_iter().zip(cost.busy.parts()) {
                prop_assert!(0.0 <= ideal && ideal <= busy * (1.0 + 1e-9), "{cost:?}");
            }
            prop_assert!(close(cost.ideal.spike_products + cost.ideal.integer_products, cost.cycles.ideal));
        }
    }
}
