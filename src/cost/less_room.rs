//! Small networks, as they would run with less room for their maps: what fits a smaller memory fits a larger one, and the
//! order in which choices are made must not let more memory mislead them.

use super::map_homes::settle;
use super::mapper::{Choice, Mapper};
use super::{Machine, residency};
use crate::error::Result;
use crate::hw::Operand;
use crate::map::Home;

/// Most layers of a network that is tried with less room.
const MAX_LAYERS: usize = 8;

/// What is chosen by `mapper`: where maps leave the chip, the best of that and of what half of the room for them leads to, a
/// quarter of it, and so on.
///
/// # Errors
/// If no plan is legal, or what a file fixes has no room.
pub fn choose(mapper: &Mapper) -> Result<Choice> {
    let mut best = settle(mapper, residency::choose(mapper)?)?;
    if mapper.workload.layers.len() > MAX_LAYERS || !best.maps.contains(&Home::OffChip) {
        return Ok(best);
    }
    let mut machine = mapper.machine.clone();
    while halve_the_room(&mut machine) {
        let less = Mapper { machine: &machine, ..*mapper };
        let Ok(choice) = residency::choose(&less).and_then(|choice| settle(&less, choice)) else { break };
        if choice.score < best.score {
            best = choice;
        }
    }
    Ok(best)
}

/// Leaves half of the room for maps, at equal energies; false where there is none left.
fn halve_the_room(machine: &mut Machine) -> bool {
    let is_for_maps = |holds: &[Operand]| {
        holds.iter().all(|operand| matches!(operand, Operand::Activations | Operand::Residual))
    };
    let memories = &mut machine.hardware.memories;
    let of_maps = memories.iter_mut().filter(|memory| is_for_maps(&memory.holds));
    of_maps.fold(false, |any, memory| {
        memory.capacity_bytes.value /= 2;
        any || memory.capacity_bytes.value > 0
    })
}
