//! The operation counts that papers call energy, against the figures that they print
//! (`tests/data/published/operation_energy.json`).
//!
//! From shapes and rates follow: everything of Spikingformer 8-512, whose rates are published, and the
//! multiply-accumulates of networks whose stem is known. The accumulations of Spikformer follow from its own
//! rates, which are not published for ImageNet (four blocks' query, key and value are for CIFAR10); there the
//! rule is checked on the published counts. Spike-driven Transformers publish energies without counts or rates.

use serde_json::Value;
use spiq::cost::{LayerCost, Machine, MappedWorkload};
use spiq::exec::Rates;
use spiq::hw::{Energies, Hardware};
use spiq::map::{Input, Layer, Workload};
use spiq::model::{ModelDescription, Network};

fn published() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/published/operation_energy.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {pointer}"))
}

fn assert_within(found: f64, wanted: f64, tolerance: f64, what: &str) {
    assert!((found / wanted - 1.0).abs() <= tolerance, "{what}: {found} for {wanted}");
}

fn network(model: &str) -> Network {
    ModelDescription::load(model).unwrap().1
}

/// Costs of the layers of `network` at `rates`, charged by `table`.
fn costs(network: &Network, rates: &Rates, table: &str) -> Vec<LayerCost> {
    let machine = Machine::new(Hardware::load("edge-28").unwrap().0).unwrap();
    let machine = machine.charged_by(Energies::load(table).unwrap()).unwrap();
    let activity = rates.activity(network);
    let workload = Workload::float32(network);
    MappedWorkload::best(workload, &machine, std::slice::from_ref(&activity))
        .unwrap()
        .costs(&machine, &activity)
}

/// Multiply-accumulates that `sop-45` charges the layers that read pixels or means for, with no input zero.
fn multiply_accumulates(network: &Network) -> f64 {
    let Energies::Events(table) = Energies::load("sop-45").unwrap() else { panic!("a table of events") };
    let multiply_j = table.multi_bit.pj(8, 0.0) * 1e-12;
    let multiplies =
        |layer: &Layer| layer.product.as_ref().is_some_and(|p| p.input != Input::Spikes && !p.sums_of_spikes);
    let layers = Workload::float32(network).layers;
    let costs = costs(network, &all_ones(network), "sop-45");
    let charged = layers.iter().zip(&costs).filter(|(layer, _)| multiplies(layer));
    charged.map(|(_, cost)| cost.energy_j.synapse / multiply_j).sum()
}

/// Rates at which no input of any layer is zero.
fn all_ones(network: &Network) -> Rates {
    let layers = Workload::float32(network).layers;
    let lines = layers.iter().filter(|layer| layer.product.is_some()).map(|l| format!("{},1\n", l.name));
    let text: String = lines.collect();
    Rates::parse(&format!("layer,rate\n{text}"), "all.csv", network).unwrap()
}

#[test]
fn spikingformer_8_512_from_shapes_and_rates() {
    let network = network("spikingformer_8-512_imagenet");
    let rates = Rates::load("spikingformer_8-512_imagenet", &network).unwrap();
    let published = published();
    let wanted = number(&published, "/spikingformer_imagenet_224_T4/0/energy_mj");
    // Residual streams of the Spikingformer are membranes, not integers: both readings are equal.
    for table in ["sop-45", "sop-45-mac"] {
        let costs = costs(&network, &rates, table);
        let energy_mj: f64 = costs.iter().map(|cost| cost.energy_j.total() * 1e3).sum();
        assert_within(energy_mj, wanted, 0.005, table);
        let synapses_mj: f64 = costs.iter().map(|cost| cost.energy_j.synapse * 1e3).sum();
        assert_eq!(energy_mj, synapses_mj, "nothing else is charged");
    }
    let macs = number(&published, "/spikingformer_imagenet_224_T4/0/mac_g") * 1e9;
    assert_within(multiply_accumulates(&network), macs, 1e-4, "multiply-accumulates");
}

/// The head's biases, 10 and 1,000 of them, are counted there and not here.
#[test]
fn multiply_accumulates_of_spikformer_from_shapes() {
    let published = published();
    let cifar = number(&published, "/spikformer_4_384_cifar10_T4/mac_g") * 1e9;
    let found = multiply_accumulates(&network("spikformer_4-384_cifar10")) + 10.0;
    assert_within(found, cifar, 1e-12, "4-384");
    // One figure is printed for all widths; it is that of a stem of 64 channels, which 8-512 has.
    let one_for_all = number(&published, "/spikformer_imagenet_224_T4/1/mac_g") * 1e9;
    assert_within(multiply_accumulates(&network("spikformer_8-512_imagenet")), one_for_all, 1e-3, "8-512");
    let narrow = multiply_accumulates(&network("spikformer_8-384_imagenet"));
    assert_within(narrow / one_for_all, 48.0 / 64.0, 1e-3, "8-384 has 48 channels");
}

/// 0.9 pJ and 4.6 pJ on the printed counts give the printed energies.
#[test]
fn the_rule_on_published_counts() {
    let published = published();
    let rows = published["spikformer_imagenet_224_T4"].as_array().unwrap();
    let cifar = &published["spikformer_4_384_cifar10_T4"];
    let counts =
        rows.iter().map(|row| (number(row, "/sop_g"), number(row, "/mac_g"), number(row, "/energy_mj")));
    let counts =
        counts.chain([(number(cifar, "/ac_g"), number(cifar, "/mac_g"), number(cifar, "/energy_mj"))]);
    let Energies::Events(table) = Energies::load("sop-45").unwrap() else { panic!("a table of events") };
    for (accumulations_g, macs_g, energy_mj) in counts {
        let multiply_pj = table.multi_bit.pj(8, 0.0);
        let found = table.accumulation_pj.value * accumulations_g + multiply_pj * macs_g;
        assert_within(found, energy_mj, 0.001, &format!("{accumulations_g} G"));
    }
}

/// Spikformer's residual stream counts spikes: what reads it adds for 0.9 pJ or multiplies for 4.6 pJ. Each
/// such weight is 3.7 pJ apart, so at rate 1 the two readings differ by 3.7 pJ times the dense operations of
/// query, key, value and the first layer of each MLP, which read the stream.
#[test]
fn both_readings_of_integer_residuals() {
    let network = network("spikformer_4-384_cifar10");
    let rates = all_ones(&network);
    let total = |table: &str| costs(&network, &rates, table).iter().map(|c| c.energy_j.total()).sum::<f64>();
    let difference_pj = (total("sop-45-mac") - total("sop-45")) * 1e12;
    // Four blocks of 64 tokens, 4 timesteps: 3 x 384 x 384 and 384 x 1536 weights; the first block reads the
    // position embedding's sum of spikes, which counts them, too.
    let integers = 4.0 * 4.0 * 64.0 * (3.0 * 384.0 * 384.0 + 384.0 * 1536.0);
    assert_within(difference_pj, 3.7 * integers, 1e-9, "readings");
}
