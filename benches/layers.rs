//! Where the time of one image goes: seconds by kind of layer, and the slowest layers.
//!
//!     cargo bench --bench layers -- sdtv2_15M w4 [THREADS [RUNS [ISA]]]
//!
//! Of each layer the fastest of RUNS runs (ten); many of them make a profile of the runs alone. Neurons that run
//! together with the layer before them are part of its time; of `fp32`, counting a layer is part of the next one.
//! GMAC/s count inputs that are zero, as the peaks of data sheets do.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use spiq::exec::{FastExecutor, FloatExecutor, Isa, Workspace};
use spiq::load;
use spiq::model::{DataSet, Kind, Network, Node, Op, Sample};
use spiq::quant::{Precision, QuantizedModel, Setting, quantize};

/// Counts what is allocated.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one or more layers took.
#[derive(Default, Clone, Copy)]
struct Spent {
    layers: usize,
    seconds: f64,
    macs: f64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [name, spec, numbers @ ..] = &words[..] else {
        return println!("cargo bench --bench layers -- NETWORK SETTING [THREADS [RUNS [ISA]]]");
    };
    let number = |i: usize| numbers.get(i).and_then(|number| number.parse().ok());
    if let Some(threads) = number(0) {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().unwrap();
    }
    let model = load::model(name).unwrap_or_else(|error| panic!("{error}"));
    let sample = DataSet::load_for("noise", &model.description).unwrap().test.sample(0).unwrap();
    let (float, runs) = (FloatExecutor::new(&model), number(1).unwrap_or(10));
    match Setting::load(spec).unwrap().precision {
        Precision::Float32 => print(&model.network, &float_times(&model.network, &float, &sample, runs)),
        Precision::Fixed(setting) => {
            let network = quantize(&model, &setting, &float.calibrate(&sample)).unwrap();
            let isa = numbers.get(2).and_then(|name| Isa::named(name)).unwrap_or_else(Isa::best);
            integers(&FastExecutor::new(&network, isa), &network, &sample, runs);
        }
    }
}

/// The fastest of `runs` of each layer of the reference.
fn float_times(network: &Network, float: &FloatExecutor, sample: &Sample, runs: usize) -> Vec<Duration> {
    let mut fastest = vec![Duration::MAX; network.nodes.len()];
    for _ in 0..runs {
        let mut start = Instant::now();
        float.run_observed(sample, |id, _| {
            fastest[id.index()] = fastest[id.index()].min(start.elapsed());
            start = Instant::now();
        });
    }
    fastest
}

/// Layers of the fast executor, and what it allocates.
fn integers(executor: &FastExecutor, network: &QuantizedModel, sample: &Sample, runs: usize) {
    let mut fastest = vec![Duration::MAX; network.network().nodes.len()];
    let mut workspace = Workspace::default();
    for _ in 0..runs {
        executor.run_timed(sample, &mut workspace, |id, time| {
            fastest[id.index()] = fastest[id.index()].min(time);
        });
    }
    print(network.network(), &fastest);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    drop(executor.run(sample, &mut workspace));
    println!(
        "{} allocations in a run of {} nodes",
        ALLOCATIONS.load(Ordering::Relaxed) - before,
        fastest.len()
    );
}

fn print(network: &Network, fastest: &[Duration]) {
    let mut kinds: BTreeMap<String, Spent> = BTreeMap::new();
    let mut layers = Vec::new();
    for ((_, node), time) in network.iter().zip(fastest).filter(|(_, time)| **time < Duration::MAX) {
        let spent = Spent { layers: 1, seconds: time.as_secs_f64(), macs: macs(network, node) };
        let kind = kinds.entry(kind(network, node)).or_default();
        kind.layers += 1;
        kind.seconds += spent.seconds;
        kind.macs += spent.macs;
        layers.push((format!("{} [{}]", node.name, node.shape), spent));
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    for rows in [&mut kinds, &mut layers] {
        rows.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    }
    let total: f64 = kinds.iter().map(|(_, spent)| spent.seconds).sum();
    println!("{:44} {:>6} {:>9} {:>6} {:>8}", "", "layers", "ms", "%", "GMAC/s");
    for (name, spent) in kinds.iter().chain(layers.iter().take(12)) {
        let Spent { layers, seconds, macs } = spent;
        let (share, rate) = (100.0 * seconds / total, macs / seconds / 1e9);
        println!("{name:44} {layers:6} {:9.3} {share:6.1} {rate:8.1}", seconds * 1e3);
    }
    println!("{:44} {:6} {:9.3}", "all", "", total * 1e3);
}

/// Multiply-accumulates of a layer, over all timesteps that it runs.
fn macs(network: &Network, node: &Node) -> f64 {
    match &node.op {
        Op::Weighted(layer) => {
            let frames = if node.constant { 1 } else { network.timesteps };
            let per_output = layer.geometry.fan_in();
            (frames * node.shape.values() * per_output) as f64
        }
        _ => 0.0,
    }
}

fn kind(network: &Network, node: &Node) -> String {
    match &node.op {
        Op::Weighted(layer) => {
            let g = &layer.geometry;
            let reads = match network.input_of(node, 0).kind {
                Kind::Spikes => "spikes",
                _ => "integers",
            };
            let groups = if g.groups == g.in_channels { ", depthwise" } else { "" };
            format!("{} x {} on {reads}{groups}", g.kernel[0], g.kernel[1])
        }
        op => format!("{op:?}").split([' ', '(', '{']).next().unwrap_or_default().to_string(),
    }
}
