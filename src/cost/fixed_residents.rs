//! Weights that stay on chip as a file fixes it.

use rayon::prelude::*;

use super::mapper::{Mapper, Tried};
use crate::error::{Error, Result};
use crate::hw::{Hardware, MemorySpec, Operand};
use crate::map::{Home, Layer, Plan, Residents, Wishes, resident_candidates, streaming_candidates};

/// The level where a file wants the weights of all layers.
///
/// # Errors
/// If they have no room there.
pub fn home_of_all(mapper: &Mapper) -> Result<Option<Home>> {
    let Mapper { workload, machine, fixed, .. } = *mapper;
    let Some((fixed, home)) = fixed.and_then(|fixed| Some((fixed, fixed.weights_home(workload)?))) else {
        return Ok(None);
    };
    let Home::OnChip(level) = home else { return Ok(Some(home)) };
    let memory = memory_of(&machine.hardware, level);
    let bits = Residents::all(workload, level).bits;
    if bits > memory.capacity_bits() {
        let message = format!(
            "weights of all layers take {:.0} bytes, and {} holds {} (capacity_bytes)",
            (bits / 8.0).ceil(),
            memory.name,
            memory.capacity_bytes.value
        );
        return Err(fixed.fault("layers: weights", message));
    }
    Ok(Some(home))
}

fn memory_of(hardware: &Hardware, level: u8) -> &MemorySpec {
    let memory = hardware.levels(Operand::Weights).nth(usize::from(level)).expect("a level of it");
    &hardware.memories[memory]
}

/// Per layer, every plan of weights that come from off chip, or stay where a file wants that.
///
/// # Errors
/// If a layer has none, or its weights are to stay elsewhere than those of others.
pub fn streaming(mapper: &Mapper) -> Result<Vec<Vec<Plan>>> {
    let Mapper { workload, machine, placement, fixed, .. } = *mapper;
    let hardware = &machine.hardware;
    let of = |layer: usize| {
        let outputs = workload.layers[layer].outputs();
        if outputs == 0 || mapper.resident_channels(layer) != Some(outputs) {
            return streaming_candidates(layer, workload, hardware, placement, fixed);
        }
        let level = hardware.level_of_residents();
        let home = fixed.and_then(|fixed| fixed.home(layer, Operand::Weights));
        if let Some((fixed, _)) = fixed.zip(home).filter(|&(_, home)| home != Home::OnChip(level)) {
            let name = &memory_of(hardware, level).name;
            let message = format!("weights that stay while others do not are in {name}");
            return Err(fixed.fault(format!("layers: {}: weights", workload.layers[layer].name), message));
        }
        resident_candidates(layer, workload, hardware, placement, fixed)
    };
    let all: Vec<Result<Vec<Plan>>> = (0..workload.layers.len()).into_par_iter().map(of).collect();
    // The first of several refusals is told, whichever thread met one first.
    all.into_iter().collect()
}

/// Room for all weights that a file wants to stay; `None` if it says nothing of that.
pub fn bits(mapper: &Mapper) -> Option<f64> {
    mapper.fixed.filter(|fixed| Wishes::fix_residents(fixed))?;
    let bits = |(layer, described): (usize, &Layer)| {
        mapper.resident_channels(layer).unwrap_or(0) as f64 * described.channel_bits()
    };
    Some(mapper.workload.layers.iter().enumerate().map(bits).sum())
}

/// Why weights that a file wants to stay have no room, of which there is `room`, beside the others, which `tried` are the
/// plans of.
pub fn refusal(mapper: &Mapper, tried: &[Tried], room: f64) -> Error {
    let Mapper { workload, machine, fixed, .. } = *mapper;
    let fixed = fixed.expect("nothing need stay otherwise");
    let stay = bits(mapper).unwrap_or(0.0);
    let least = |t: &Tried| t.buffer_bits.iter().copied().fold(f64::INFINITY, f64::min);
    let (layer, buffer) = tried
        .iter()
        .map(least)
        .enumerate()
        .fold((0, 0.0), |most, next| if next.1 > most.1 { next } else { most });
    let memory = memory_of(&machine.hardware, machine.hardware.level_of_residents());
    let bytes = |bits: f64| (bits / 8.0).ceil();
    let message = format!(
        "weights that are to stay take {:.0} bytes, tiles of {}, which pass through, {:.0} more, and {} has {:.0} for them",
        bytes(stay),
        workload.layers[layer].name,
        bytes(buffer),
        memory.name,
        (room / 8.0).floor()
    );
    fixed.fault("layers: resident_channels", message)
}
