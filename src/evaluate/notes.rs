//! What a reader of an evaluation must know of the machine and of where activity came from.

use crate::cost::{Machine, MappedWorkload};
use crate::exec::{Pattern, Rates};
use crate::hw::Operand;
use crate::model::Network;

/// Of `rates` that stand for the activity of `network`.
pub(super) fn of_rates(rates: &Rates, network: &Network) -> Vec<String> {
    let mut notes = vec![format!("activity expected from {}, not executed", rates.path)];
    if let Some(names) = rates.unknown_neurons(network) {
        notes.push(format!("spikes of {names} are not counted: {} has no rate of them", rates.path));
    }
    notes
}

/// Of what `machine` was charged for; its patterns of spikes were those of `counted` images, or of a draw.
pub(super) fn of_machine(machine: &Machine, mapped: &MappedWorkload, counted: Option<usize>) -> Vec<String> {
    let energies = machine.events.iter().map(|table| format!("{}: {}", table.name, table.notes));
    let patterns = machine.pattern().map(|pattern| of_pattern(pattern, counted));
    patterns
        .into_iter()
        .chain(energies)
        .chain(of_slow_memories(machine))
        .chain(of_residents(mapped))
        .collect()
}

/// Of memories that the clock does not wait for.
fn of_slow_memories(machine: &Machine) -> impl Iterator<Item = String> {
    let megahertz = machine.hardware.clock_hz.value * 1e-6;
    machine.hardware.memories.iter().filter_map(move |memory| {
        let cycles = machine.access_cycles(memory);
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
    }
}

/// Of weights that stay on chip.
fn of_residents(mapped: &MappedWorkload) -> Option<String> {
    let layers = mapped.workload.layers.iter().zip(&mapped.plans);
    let resident = layers.filter(|(_, plan)| !plan.is_off_chip(Operand::Weights));
    let share = resident.map(|(layer, _)| layer.weight_bits()).sum::<f64>() / mapped.workload.weight_bits();
    let kept = match share {
        0.0 => return None,
        1.0 => "all weights fit on chip and stay there".to_owned(),
        _ if share < 0.005 => "less than 1 % of the weights stays on chip".to_owned(),
        _ => format!("{:.0} % of the weights stay on chip", 100.0 * share),
    };
    Some(format!("{kept}: loading them once is not charged"))
}
