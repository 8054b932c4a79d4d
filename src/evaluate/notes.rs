//! Notes on an evaluation: what a reader must know of the machine and of where activity came from.

use crate::cost::{Machine, MappedWorkload};
use crate::exec::{Pattern, Rates};
use crate::hw::SpatialDim;
use crate::map::Dataflow;
use crate::model::Network;

/// Notes on `rates` that stand for the activity of `network`.
pub(super) fn of_rates(rates: &Rates, network: &Network) -> Vec<String> {
    let mut notes = vec![format!("activity expected from {}, not executed", rates.path)];
    if let Some(names) = rates.unknown_neurons(network) {
        notes.push(format!("spikes of {names} are not counted: {} has no rate of them", rates.path));
    }
    notes
}

/// Notes on what `machine` was charged for; its patterns of spikes were those of `counted` images, or of a draw.
pub(super) fn of_machine(machine: &Machine, mapped: &MappedWorkload, counted: Option<usize>) -> Vec<String> {
    let energies = machine.events.iter().map(|table| format!("{}: {}", table.name, table.notes));
    let patterns = patterns(machine, mapped).into_iter().map(|pattern| of_pattern(pattern, counted));
    patterns
        .chain(energies)
        .chain(of_slow_memories(machine))
        .chain(of_residents(mapped))
        .chain(of_batch(mapped.workload.batch))
        .chain(of_images_in_flight(machine.hardware.images_in_flight()))
        .chain(of_idle_lanes(mapped, machine))
        .chain(of_parts(mapped, machine))
        .collect()
}

/// What the plans of `mapped` look for in spikes, each once.
fn patterns(machine: &Machine, mapped: &MappedWorkload) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for (plan, layer) in mapped.plans.iter().zip(&mapped.workload.layers) {
        let looks = matches!(plan.dataflow, Dataflow::OutputStationary | Dataflow::Sequential);
        if layer.product.is_some() && looks {
            let found = machine.cost_model(plan.unit).patterns(machine, &plan.lanes);
            patterns
                .extend(found.into_iter().filter(|pattern| !patterns.contains(pattern)).collect::<Vec<_>>());
        }
    }
    patterns
}

/// Notes on memories that the clock does not wait for.
fn of_slow_memories(machine: &Machine) -> impl Iterator<Item = String> {
    let megahertz = machine.hardware.clock_hz.value * 1e-6;
    machine.hardware.memories.iter().enumerate().filter_map(move |(number, memory)| {
        let cycles = machine.access_cycles(number);
        (cycles > 1.0).then(|| format!("{} takes {cycles} cycles per access at {megahertz} MHz", memory.name))
    })
}

fn of_pattern(pattern: Pattern, counted: Option<usize>) -> String {
    let source = counted.map_or_else(
        || "those of one random draw of independent spikes".to_owned(),
        |images| format!("counted in the spikes of {images} images"),
    );
    match pattern {
        Pattern::Windows { .. } => format!("inputs that spike in a window are {source}"),
        Pattern::Products { .. } => format!("spikes that rows have in common are {source}"),
        Pattern::Chunks { .. } => format!("steps through chunks of inputs are {source}"),
        Pattern::Rows(_) => format!("rows of weights that meet in banks are {source}"),
        Pattern::Maps => format!("spikes of input maps are {source}"),
        Pattern::Positions { .. } => format!("spikes of input positions are {source}"),
        Pattern::Outputs if counted.is_none() => "output spikes follow from rates".to_owned(),
        Pattern::Outputs => format!("output spikes are {source}"),
        Pattern::Waves(_) => format!("waits for the slowest lane are {source}"),
    }
}

/// A note on weights that stay on chip.
fn of_residents(mapped: &MappedWorkload) -> Option<String> {
    let layers = mapped.workload.layers.iter().zip(&mapped.plans);
    let resident = layers.map(|(layer, plan)| layer.weight_bits() * (1.0 - plan.streamed_share(layer)));
    let share = resident.sum::<f64>() / mapped.workload.weight_bits();
    let kept = match share {
        0.0 => return None,
        1.0 => "all weights fit on chip and stay there".to_owned(),
        _ if share < 0.005 => "less than 1 % of the weights stays on chip".to_owned(),
        _ => format!("{:.0} % of the weights stay on chip", 100.0 * share),
    };
    Some(format!("{kept}: loading them once is not charged"))
}

/// A note on images that go through each layer together.
fn of_batch(batch: usize) -> Option<String> {
    let message =
        format!("latency is that of {batch} images together, energy and cycles are those of one of them");
    (batch > 1).then_some(message)
}

/// A note on inputs or sums that are wider than a unit takes.
fn of_parts(mapped: &MappedWorkload, machine: &Machine) -> Option<String> {
    let layers = mapped.workload.layers.iter().zip(&mapped.plans);
    let in_parts = layers.filter_map(|(layer, plan)| {
        let product = layer.product.as_ref()?;
        let parts = plan.parts(product, &machine.hardware).count;
        (parts > 1).then_some((&layer.name, product, parts))
    });
    let in_parts: Vec<_> = in_parts.collect();
    let &(name, product, parts) = in_parts.first()?;
    let others = match in_parts.len() - 1 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    Some(format!(
        "{name}{others}: {}-bit inputs with {}-bit sums come in {parts} parts of their bits, which is as wide as units \
         and accumulators are: more passes, and additions behind them",
        product.input.bits(),
        product.accumulator_bits
    ))
}

/// A note on images that overlap.
fn of_images_in_flight(images: usize) -> Option<String> {
    let message = format!(
        "up to {images} images are in flight: throughput, power and leakage are those of the busiest unit, port or bus, \
         latency and cycles those of an image alone"
    );
    (images > 1).then_some(message)
}

/// A note on groups that run one after the other although output channels have lanes side by side.
fn of_idle_lanes(mapped: &MappedWorkload, machine: &Machine) -> Option<String> {
    let layers = mapped.workload.layers.iter().zip(&mapped.plans);
    let narrow = layers.filter_map(|(layer, plan)| {
        let product = layer.product.as_ref()?;
        let lanes = plan.lanes.extent(SpatialDim::OutputChannels) as usize;
        let used = product.group_outputs() * plan.groups(product);
        (product.groups > 1 && 4 * used <= lanes).then_some((used, lanes, plan.unit))
    });
    let narrow: Vec<(usize, usize, usize)> = narrow.collect();
    let &(used, lanes, unit) = narrow.iter().min()?;
    let unit = machine.hardware.unit(unit).name();
    Some(format!(
        "{} grouped layers have work for as few as {used} of {lanes} channels of {unit} at a time: it has no layout for \
         Groups that suits them",
        narrow.len()
    ))
}
