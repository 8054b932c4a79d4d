//! A hand-made simulation for the tests of this module.

use crate::cost::{
    AreaMm2, Cycles, EnergyJ, ExecutedBits, FootprintBytes, OnChipBytes, TrafficBits, WorkCycles,
};
use crate::evaluate::{
    ActivitySource, AsPublished, Bottleneck, Cause, Comparison, DataSummary, Effect, Evaluation,
    HardwareSummary, LayerEvaluation, LayerRate, MachineEvaluation, MemoryEvaluation, MemorySummary,
    ModelSummary, Presentation, RatesSummary, Remedy, Simulation, StallEvaluation, UnitEvaluation,
    UnitSummary,
};

const SETTINGS: [(&str, f64, f64, f64); 8] = [
    ("fp32", 0.915, 32.0, 200.0),
    ("w8", 0.914, 8.0, 74.0),
    ("w6", 0.913, 6.0, 61.0),
    ("w4", 0.905, 4.0, 48.0),
    ("w3", 0.87, 3.0, 40.0),
    ("pot3", 0.89, 3.0, 20.0),
    ("w4u8", 0.904, 4.0, 45.0),
    ("mixed", 0.908, 4.6, 52.0),
];

/// `settings` settings that repeat after eight, each with `layers` layers.
pub(crate) fn simulation(settings: usize, layers: usize) -> Simulation {
    Simulation {
        model: ModelSummary {
            name: "spikformer-tiny".into(),
            family: "spikformer".into(),
            parameters: 171_146,
            notes: vec!["weights converted from F16 to F32".into()],
            sha256: "aa".repeat(32),
        },
        hardware: hardware("edge-128"),
        source: ActivitySource::Data(DataSummary {
            name: "fashion-mnist".into(),
            images: 1000,
            sha256: "cc".repeat(32),
        }),
        settings: (0..settings).map(|index| setting(index, layers)).collect(),
        tables: Vec::new(),
        presentation: Presentation::default(),
    }
}

/// A machine of lanes and a vector unit with two memories.
fn hardware(name: &str) -> HardwareSummary {
    let unit = |name: &str, lanes, takes_products| UnitSummary { name: name.into(), lanes, takes_products };
    let memory = |name: &str, feeds_units: &[&'static str], bits_per_cycle| MemorySummary {
        name: name.into(),
        feeds_units: feeds_units.to_vec(),
        bits_per_cycle,
    };
    HardwareSummary {
        name: name.into(),
        sha256: "bb".repeat(32),
        energies: "sata-28".into(),
        clock_hz: 200e6,
        units: vec![unit("lanes", Some(128.0), true), unit("vector unit", Some(64.0), false)],
        memories: vec![
            memory("weight SRAM", &["weights"], 512.0),
            memory("state SRAM", &["activations", "partial_sums", "membranes", "residual"], 512.0),
            memory("DRAM", &["dram"], 32.0),
        ],
        constants: Vec::new(),
    }
}

/// A simulation of rates, without images.
pub(crate) fn expected(settings: usize, layers: usize) -> Simulation {
    let mut simulation = simulation(settings, layers);
    simulation.source =
        ActivitySource::Rates(RatesSummary { file: "rates.csv".into(), sha256: "dd".repeat(32) });
    for setting in &mut simulation.settings {
        (setting.accuracy, setting.accuracy_drop, setting.notes) = (None, None, Vec::new());
    }
    simulation.model.notes.clear();
    simulation
}

/// Two machines, the first of them in a published evaluation.
pub(crate) fn comparison() -> Comparison {
    let simulation = simulation(2, 3);
    let machine = |(name, mut evaluation): (&str, Evaluation)| {
        evaluation.traffic_bits.dram_read = 8e6;
        MachineEvaluation { hardware: hardware(name), evaluation, published: None, agreement: Vec::new() }
    };
    let mut machines: Vec<_> =
        ["edge-a", "edge-b"].into_iter().zip(simulation.settings).map(machine).collect();
    machines[0].published = Some(AsPublished {
        latency_s: 2e-3,
        energy_j: Some(3e-3),
        dram_bits: Some(1e8),
        printed_latency_s: Some(1.6e-3),
        printed_energy_j: Some(4e-3),
    });
    Comparison {
        model: simulation.model,
        setting: "w8".into(),
        source: simulation.source,
        machines,
        published: Some("a paper".into()),
        command: String::new(),
    }
}

fn setting(index: usize, layers: usize) -> Evaluation {
    let (name, accuracy, bits, microjoules) = SETTINGS[index % SETTINGS.len()];
    let round = index / SETTINGS.len();
    let name = if round == 0 { name.to_owned() } else { format!("{name}-{round}") };
    let mut rows: Vec<LayerEvaluation> = (0..layers).map(|l| layer(l, layers, bits, microjoules)).collect();
    let mut cycles = Cycles::default();
    let mut energy_j = EnergyJ::default();
    for row in &mut rows {
        row.start_cycles = cycles.total();
        cycles.add_scaled(&row.cycles, 1.0);
        energy_j.add_scaled(&row.energy_j, 1.0);
    }
    let leakage_j: f64 = rows.iter().map(|row| row.leakage_j).sum();
    let latency_s = cycles.total() / 200e6;
    let energy = energy_j.total() + leakage_j;
    Evaluation {
        name,
        notes: notes(index),
        accuracy: Some(accuracy),
        accuracy_drop: Some(SETTINGS[0].1 - accuracy),
        average_weight_bits: bits,
        footprint_bytes: FootprintBytes {
            weights: 21_393.25 * bits,
            parameters: 1024.0,
            membrane: 768.0 * bits.min(16.0),
            residual: 8192.0,
            activations: 4096.0,
        },
        memories: memories(bits),
        stalls: stalls(layers as f64),
        units: units(&rows, cycles.total()),
        cycles,
        batch: 1,
        latency_s,
        period_s: latency_s,
        worst_latency_s: latency_s * 1.2,
        energy_j,
        traffic_bits: TrafficBits::default(),
        leakage_j,
        worst_energy_j: energy * 1.25,
        power_w: if latency_s > 0.0 { energy / latency_s } else { 0.0 },
        synaptic_operations: rows.iter().map(|row| row.synaptic_operations).sum(),
        spikes: rows.iter().map(|row| row.spikes).sum(),
        saturations: 12.0,
        area_mm2: Some(AreaMm2 { arithmetic: 0.5, weight_memory: 1.25, ..AreaMm2::default() }),
        rates: rows.iter().map(|row| LayerRate { layer: row.name.clone(), rate: row.input_rate }).collect(),
        timeline: Vec::new(),
        bottlenecks: rows.iter().take(2).map(bottleneck).collect(),
        layers: rows,
    }
}

/// What is said of the first layers: the first one has a remedy.
fn bottleneck(row: &LayerEvaluation) -> Bottleneck {
    let cause = |part, words: &str| Cause { part, share: 0.5, words: words.to_owned() };
    let remedy = Remedy {
        change: "lanes twice as wide".to_owned(),
        layer: Effect { energy_ratio: 0.9, cycles_ratio: 0.25 },
        network: Effect { energy_ratio: 0.99, cycles_ratio: 0.8 },
        area_mm2: Some(0.125),
    };
    Bottleneck {
        layer: row.name.clone(),
        energy_share: 0.2,
        cycles_share: 0.1,
        energy_cause: cause("dram", "DRAM for weights, 2.0 KiB"),
        cycles_cause: cause("imbalance", "lanes that wait for the slowest beside them"),
        tried: vec!["lanes twice as wide".to_owned()],
        remedy: row.name.ends_with("proj_conv").then_some(remedy),
    }
}

/// What every layer waits for, `layers` times.
fn stalls(layers: f64) -> Vec<StallEvaluation> {
    let stall = |memory: &str, direction, part, cycles: f64| {
        let memory = memory.to_owned();
        StallEvaluation { memory, direction, part, cycles: cycles * layers }
    };
    vec![
        stall("weight SRAM", "read", "port_stall", 120.0),
        stall("DRAM", "read", "load", 40.0),
        stall("DRAM", "write", "store", 32.0),
    ]
}

/// What lanes and a vector unit do in `rows`.
fn units(rows: &[LayerEvaluation], total: f64) -> Vec<UnitEvaluation> {
    let unit = |unit: &str, work, ideal: f64, busy_cycles: f64| UnitEvaluation {
        unit: unit.to_owned(),
        work,
        ideal_cycles: ideal * busy_cycles,
        busy_cycles,
        utilisation: ideal * busy_cycles / total,
        busy_share: busy_cycles / total,
    };
    let sum = |part: fn(&WorkCycles) -> f64| rows.iter().map(|row| part(&row.busy_cycles)).sum();
    vec![
        unit("lanes", "spike_products", 0.75, sum(|busy| busy.spike_products)),
        unit("vector unit", "neurons", 1.0, sum(|busy| busy.neurons)),
        unit("vector unit", "attention", 0.5, sum(|busy| busy.attention)),
    ]
}

/// Weights up to what fits, and state that fills a quarter.
fn memories(bits: f64) -> Vec<MemoryEvaluation> {
    let memory = |name: &str, capacity_bytes: f64, peak_bytes: OnChipBytes| {
        let (name, layer) = (name.to_owned(), "patch_embed.proj_conv1".to_owned());
        let held_bytes = vec![peak_bytes.total(), 0.5 * peak_bytes.total()];
        MemoryEvaluation { name, capacity_bytes, peak_bytes, layer, held_bytes }
    };
    let weights = (21_393.25 * bits).min(98_304.0);
    let state = OnChipBytes { partial_sums: 4096.0, membranes: 12_288.0, ..OnChipBytes::default() };
    vec![
        memory("weight SRAM", 98_304.0, OnChipBytes { weights, ..OnChipBytes::default() }),
        memory("state SRAM", 65_536.0, state),
    ]
}

fn notes(index: usize) -> Vec<String> {
    let mut notes = vec!["energies are those of the described 28 nm process".to_owned()];
    if index == 0 {
        notes.push("charged as 32-bit integers".to_owned());
    }
    notes
}

/// Six layers per block after the patch embedding, a head at the end.
fn layer_name(index: usize, layers: usize) -> String {
    const PARTS: [&str; 6] =
        ["attn.q_conv", "attn.k_conv", "attn.v_conv", "attn", "mlp.fc1_conv", "mlp.fc2_conv"];
    match index {
        0 => "patch_embed.proj_conv".to_owned(),
        1 => "patch_embed.proj_conv1".to_owned(),
        last if last + 1 == layers && layers > 3 => "head".to_owned(),
        _ => format!("block.{}.{}", (index - 2) / 6, PARTS[(index - 2) % 6]),
    }
}

fn layer(index: usize, layers: usize, bits: f64, microjoules: f64) -> LayerEvaluation {
    let name = layer_name(index, layers);
    let weight = 1.0 + ((index * 7) % 5) as f64;
    let energy = microjoules * 1e-6 * weight / (3.0 * layers as f64);
    let attention = f64::from(u8::from(name.ends_with("attn")));
    LayerEvaluation {
        kind: if attention > 0.0 { "attention" } else { "conv 1x1" }.to_owned(),
        block: name.rsplit_once('.').map_or(name.as_str(), |(block, _)| block).to_owned(),
        name,
        weight_bits: bits as u32,
        membrane_bits: 16,
        mapping: "output stationary, 16 x 16".to_owned(),
        loops: vec!["sram        | keeps inputs".to_owned()],
        synaptic_operations: 4e5 * weight,
        accumulations: 4e5 * weight,
        multiplications: 0.0,
        dense_operations: 2e6 * weight,
        neuron_updates: 8192.0,
        input_rate: 0.2,
        spike_rate: 0.15,
        step_spike_rates: vec![0.1, 0.2],
        spikes: 1228.8,
        saturations: 0.5,
        start_cycles: 0.0,
        tiles: 4.0,
        cycles: cycles(weight, attention),
        stalls: stalls(1.0),
        busy_cycles: WorkCycles {
            spike_products: 2094.0 * weight * (1.0 - attention),
            neurons: 256.0,
            attention: 900.0 * attention,
            ..WorkCycles::default()
        },
        energy_j: energies(energy, attention),
        executed_bits: ExecutedBits { weights_read: 4e5 * weight * bits, ..ExecutedBits::default() },
        traffic_bits: TrafficBits { weights_read: 8e5, ..TrafficBits::default() },
        leakage_j: energy * 0.09,
        weight_bytes: 1024.0 * bits,
        on_chip_bytes: OnChipBytes { weights: 2048.0 * bits, ..OnChipBytes::default() },
    }
}

fn cycles(weight: f64, attention: f64) -> Cycles {
    Cycles {
        ideal: 1500.0 * weight * (1.0 - attention),
        under_utilisation: 220.0 * weight * (1.0 - attention),
        fill_drain: 64.0 * (1.0 - attention),
        imbalance: 310.0 * weight * (1.0 - attention),
        epilogue: 256.0 + 900.0 * attention,
        port_stall: 120.0,
        dram_stall: 0.0,
        load: 40.0,
        store: 32.0,
    }
}

fn energies(total: f64, attention: f64) -> EnergyJ {
    EnergyJ {
        synapse: total * 0.22 * (1.0 - attention),
        neuron: total * 0.06,
        elementwise: total * 0.03,
        attention: total * 0.3 * attention,
        weight_memory: total * 0.2 * (1.0 - attention),
        activation_memory: total * 0.08,
        partial_sum_memory: total * 0.05,
        membrane_memory: total * 0.07,
        residual_memory: total * 0.04,
        control: total * 0.05,
        dram: total * 0.11,
    }
}
