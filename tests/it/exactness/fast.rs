//! The fast executor against the scalar specification: every value, logit and counter, with every
//! instruction set of this processor.

use super::support::*;
use super::zoo::{any_scheme, any_setting, zoo_model};

/// The instruction sets that can be run; the others are named.
pub fn isas() -> Vec<Isa> {
    let (available, missing): (Vec<_>, Vec<_>) = Isa::all().partition(|isa| isa.is_available());
    missing.iter().for_each(|isa| println!("skipped: this processor lacks {}", isa.name()));
    available
}

/// What the fast executor yields, in the form of [`run`].
pub fn run_fast(quantized: &QuantizedModel, isa: Isa, sample: &Sample, workspace: &mut Workspace) -> Run {
    let mut values = Vec::new();
    let execution = FastExecutor::new(quantized, isa)
        .run_observed(sample, workspace, |_, frames| values.push(frames.clone()));
    Run { values, execution }
}

/// Asserts that both executors agree on every integer; yields how many values were compared.
pub fn assert_fast(quantized: &QuantizedModel, sample: &Sample, workspace: &mut Workspace) -> usize {
    let scalar = match quantized.fits_32_bits() {
        true => run::<i32>(quantized, sample),
        false => run::<i64>(quantized, sample),
    };
    for isa in isas() {
        let fast = run_fast(quantized, isa, sample, workspace);
        for (i, node) in quantized.network().nodes.iter().enumerate() {
            let (ours, theirs) = (&fast.values[i], &scalar.values[i]);
            assert_eq!(
                (ours.frames, ours.shape),
                (theirs.frames, theirs.shape),
                "{}: {}",
                isa.name(),
                node.name
            );
            let wrong = ours.data.iter().zip(&theirs.data).position(|(a, b)| a != b);
            let place = wrong.map(|at| (at, ours.data[at], theirs.data[at]));
            assert_eq!(place, None, "{}: {}: (place, fast, scalar)", isa.name(), node.name);
            let (ours, theirs) = (&fast.execution.activity.nodes[i], &scalar.execution.activity.nodes[i]);
            assert_eq!(ours, theirs, "{}: {}", isa.name(), node.name);
        }
        assert_eq!(fast.execution, scalar.execution, "{}", isa.name());
        // Unobserved, layers run together with the neurons behind them.
        let unobserved = FastExecutor::new(quantized, isa).run(sample, workspace);
        assert_eq!(unobserved, scalar.execution, "{}", isa.name());
    }
    scalar.values.iter().map(|frames| frames.data.len()).sum()
}

#[test]
fn random_networks_of_every_operation() {
    let mut dice = Dice::new(79);
    // One for all, as a thread has it: nothing that a run leaves behind reaches the next.
    let mut workspace = Workspace::default();
    let mut compared = 0;
    for _ in 0..80 {
        let timesteps = dice.int(1, 5) as usize;
        let (model, _, images) = zoo_model(&mut dice, timesteps, false);
        let scheme = any_scheme(&mut dice);
        let (membrane, residual) = (dice.int(2, 20) as u32, dice.int(4, 16) as u32);
        let setting = any_setting(&mut dice, &model.network, &scheme, membrane, residual);
        let quantized = quantize(&model, &setting, &calibrate(&model, &images)).unwrap();
        compared += assert_fast(&quantized, &dice.image(&model.network), &mut workspace);
    }
    println!("{compared} values");
    assert!(compared > 500_000);
}

/// Wide weights, grids and fractions: some layers need 64 bits, and those around them do not.
#[test]
fn random_networks_beyond_32_bits() {
    let mut dice = Dice::new(97);
    let mut workspace = Workspace::default();
    let (mut compared, mut wide, mut narrow) = (0, 0, 0);
    for _ in 0..40 {
        let timesteps = dice.int(1, 4) as usize;
        let (model, _, images) = zoo_model(&mut dice, timesteps, false);
        let scheme =
            format!("Uniform(bits: {}, scale: Free, granularity: Channel, clip: Max)", dice.int(8, 14));
        let layers = model.network.nodes.iter().filter(|node| matches!(node.op, Op::Weighted(_)));
        let fractions: Vec<String> = layers
            .map(|node| format!("(\"{}\", Layer(fraction_bits: Some({})))", node.name, dice.int(0, 8)))
            .collect();
        let (membrane, residual) = (dice.int(2, 32) as u32, dice.int(8, 24) as u32);
        let setting = setting(&scheme, membrane, residual, &fractions.join(", "));
        let quantized = quantize(&model, &setting, &calibrate(&model, &images)).unwrap();
        let beyond = |&bound: &i64| bound >= 1 << 30;
        wide += quantized.bounds().iter().filter(|bound| beyond(bound)).count();
        narrow += quantized.bounds().iter().filter(|bound| !beyond(bound)).count();
        compared += assert_fast(&quantized, &dice.image(&model.network), &mut workspace);
    }
    println!("{compared} values; {wide} nodes beyond 32 bits, {narrow} within");
    assert!(compared > 100_000 && wide > 40 && narrow > 1_000);
}
