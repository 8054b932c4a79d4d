//! Machines whose RTL is public take as many cycles for stated spikes as their RTL (`tests/data/machines/README.md`).

#[path = "../../examples/published/by_rules.rs"]
mod by_rules;
#[path = "../../examples/published/cases.rs"]
mod cases;
#[path = "../../examples/published/energy.rs"]
mod energy;
mod figures;
#[path = "../../examples/published/latency.rs"]
mod latency;
#[path = "../../examples/published/on_network.rs"]
mod on_network;

use cases::{Network, Recorded, cores, of_positions, predict_single, setting, single, unpack};
use serde_json::Value;
use spiq::hw::{Done, Hardware, SpikeSearch};
use spiq::npz::Npz;
use spiq::tensor::Shape;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/machines");
const NEURON: &str = r#"Neuron(name: "spikes")"#;

fn array(name: &str) -> spiq::npy::Array {
    Npz::open(format!("{DATA}/{name}")).unwrap().read("spikes").unwrap()
}

fn hardware(name: &str) -> Hardware {
    let path = format!("{}/hw_configs/{name}.ron", env!("CARGO_MANIFEST_DIR"));
    Hardware::load(&path).unwrap().0
}

fn layer(timesteps: usize, shape: Shape, values: Vec<u8>) -> Recorded {
    Recorded { layer: "layer".to_owned(), timesteps, shape, values }
}

/// Cycles of a single layer: the parts add up to whole cycles but for their last bits.
fn cycles(network: &Network, hardware: Hardware, setting: &str) -> f64 {
    let cycles = predict_single(network, hardware, setting).unwrap();
    assert!((cycles - cycles.round()).abs() < 1e-6, "{cycles}");
    cycles.round()
}

/// Five spikes of this case come during a sweep and are lost, which its RTL does not count either.
#[test]
fn snn_dse_is_exact() {
    let shape = Shape::new(64, 8, 8);
    let spikes = unpack(&array("snndse_c3_d01.npz"), 64).unwrap();
    assert_eq!(spikes.iter().map(|&s| usize::from(s)).sum::<usize>(), 34 + 50 + 45 + 42);
    let conv = r#"Conv(name: "layer", out_channels: 60, kernel: 3, pad: 1)"#;
    let silent = Recorded::silent("spikes", 4, Shape::new(60, 8, 8));
    let network = single(conv, NEURON, layer(4, shape, spikes), silent);
    for (done, wanted) in [(Done::HandedOver, 6619.0), (Done::Drained, 6687.0)] {
        let mut hardware = hardware("snn-dse");
        cores(&mut hardware, 0).channels.value = 30;
        let Some(SpikeSearch::Lists(lists)) = &mut cores(&mut hardware, 0).search else { panic!("lists") };
        lists.done.value = done;
        assert_eq!(cycles(&network, hardware, &setting(4, 16, None)), wanted, "{done:?}");
    }
}

/// Threshold 20: neurons fire many times in a timestep.
#[test]
fn odin_is_exact() {
    let spikes = array("odin_d20.npz").data;
    let (square, line) = (Shape::new(1, 16, 16), Shape::new(256, 1, 1));
    for (timestep, outputs, wanted) in [(0, 3551_usize, 58454 + 519), (4, 2422, 39580 + 519)] {
        let levels = (0..256).map(|i| ((outputs + 255 - i) / 256) as u8).collect();
        let fired = Recorded { layer: "spikes".to_owned(), timesteps: 1, shape: line, values: levels };
        let network = single(
            r#"Linear(name: "layer", out_features: 256, flatten: true)"#,
            r#"IntegerNeuron(name: "spikes", max: 255, norm: 1)"#,
            layer(1, square, spikes[timestep * 256..][..256].to_vec()),
            fired,
        );
        let mut hardware = hardware("odin");
        // Room and ports for a threshold of every level, which the machine does not have.
        hardware.memories[0].capacity_bytes.value = 1 << 20;
        hardware.memories[0].bandwidth_bits_per_cycle.value = 1 << 20;
        let found = cycles(&network, hardware, &setting(4, 8, Some(8)));
        assert_eq!(found, f64::from(wanted), "timestep {timestep}");
    }
}

/// Cores of SNE in two modes, with weights to load and without.
#[test]
fn sne_is_exact_but_for_stalls_of_outputs() {
    let shape = Shape::new(8, 26, 26);
    let spikes = unpack(&array("sne_d01.npz"), 26 * 26).unwrap();
    for (visits_all, loads, wanted) in [(false, false, 7454.0), (true, false, 34985.0), (true, true, 35310.0)]
    {
        let silent = Recorded::silent("spikes", 10, Shape::new(1, 24, 24));
        let conv = r#"Conv(name: "layer", out_channels: 1, kernel: 3)"#;
        let network = single(conv, NEURON, layer(10, shape, spikes.clone()), silent);
        let mut hardware = hardware("sne");
        if visits_all {
            hardware.units.remove(0);
            cores(&mut hardware, 0).takes = None;
        }
        if !loads {
            cores(&mut hardware, 0).overheads.layer_cycles = None;
        }
        assert_eq!(cycles(&network, hardware, &setting(4, 8, Some(8))), wanted, "{visits_all} {loads}");
    }
}

#[test]
fn exspike_is_exact_where_weights_are_on_chip() {
    let text = std::fs::read_to_string(format!("{DATA}/exspike.json")).unwrap();
    let layers: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(layers.len(), 2);
    for case in layers {
        let size = |field: &str| case[field].as_u64().unwrap() as usize;
        let rows: Vec<&str> =
            case["rows"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
        let (side, outputs) = (size("S"), size("Co"));
        let spikes = of_positions(&rows, size("Ci")).unwrap();
        let silent = Recorded::silent("spikes", 1, Shape::new(outputs, side, side));
        let conv = format!("Conv(name: \"layer\", out_channels: {outputs}, kernel: 3, pad: 1)");
        let network = single(&conv, NEURON, layer(1, Shape::new(size("Ci"), side, side), spikes), silent);
        let mut hardware = hardware("exspike");
        let Some(SpikeSearch::Queue(queue)) = &mut cores(&mut hardware, 0).search else { panic!("a queue") };
        queue.group.value = size("G") as u32;
        cores(&mut hardware, 0).weight_stream = None;
        hardware.memories[0].capacity_bytes.value = 1 << 24;
        hardware.dram = None;
        assert_eq!(cycles(&network, hardware, &setting(8, 16, Some(16))), size("cycles") as f64);
    }
}
