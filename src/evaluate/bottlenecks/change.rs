//! Changes of a machine, or of the bits of a layer, that a network can be charged for once more.

use crate::cost::Machine;
use crate::hw::{Hardware, Layout, LayoutSpec, Operand, SpatialDim, Stationary, Unit, Unrolling};
use crate::map::{Plan, Workload};

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A layout that lanes lack, with as many lanes as they have.
    Layout {
        /// Number of the unit.
        unit: usize,
        /// The layout.
        layout: Layout,
    },
    /// Twice the lanes of a unit that takes products.
    Lanes {
        /// Number of the unit.
        unit: usize,
    },
    /// Twice the lanes of a vector unit.
    Vector {
        /// Number of the unit.
        unit: usize,
    },
    /// Twice what a memory holds.
    Capacity {
        /// Number of the memory.
        memory: usize,
    },
    /// A memory that has room for all weights beside what it holds.
    AllWeights {
        /// Number of the memory.
        memory: usize,
        /// Bytes that it would hold.
        bytes: u64,
    },
    /// Twice the banks of a memory, and what they move.
    Bandwidth {
        /// Number of the memory.
        memory: usize,
    },
    /// A bus to off-chip memory that is twice as wide.
    Bus,
    /// Fewer bits per weight of one layer.
    WeightBits {
        /// Number of the layer.
        layer: usize,
        /// Bits of a weight.
        bits: u32,
    },
}

impl Change {
    /// In words, as what a machine would have.
    pub fn describe(&self, hardware: &Hardware, workload: &Workload) -> String {
        let unit = |number: usize| hardware.unit(number).name();
        let memory = |number: usize| &hardware.memories[number];
        match *self {
            Self::Layout { unit: number, layout } => {
                format!("a layout {} of {} that keeps {:?}", layout.lanes, unit(number), layout.keeps)
            }
            Self::Lanes { unit: number } | Self::Vector { unit: number } => {
                format!("{} twice as wide", unit(number))
            }
            Self::Capacity { memory: number } => {
                let memory = memory(number);
                let bytes = memory.capacity_bytes.value as f64;
                format!("{} of {} instead of {}", memory.name, kib(2.0 * bytes), kib(bytes))
            }
            Self::AllWeights { memory: number, bytes } => {
                format!("{} of {}, which keeps all weights", memory(number).name, kib(bytes as f64))
            }
            Self::Bandwidth { memory: number } => format!("twice the banks of {}", memory(number).name),
            Self::Bus => "a bus to DRAM that is twice as wide".to_owned(),
            Self::WeightBits { layer, bits } => {
                let before =
                    workload.layers[layer].product.as_ref().map_or(0, |product| product.weight.code_bits);
                format!("{bits} instead of {before} bits per weight of it, accuracy not measured")
            }
        }
    }

    /// `machine` and `workload` with the change; `None` if no such machine can be described.
    pub fn apply(&self, machine: &Machine, workload: &Workload) -> Option<(Machine, Workload)> {
        let mut workload = workload.clone();
        if let Self::WeightBits { layer, bits } = *self {
            let product = workload.layers[layer].product.as_mut()?;
            product.weight = product.weight.with_code_bits(bits)?;
            return Some((machine.clone(), workload));
        }
        let hardware = machine.hardware.changed(|hardware| self.change(hardware)).ok()?;
        Some((machine.with_hardware(hardware).ok()?, workload))
    }

    fn change(&self, hardware: &mut Hardware) {
        match *self {
            Self::Layout { unit, layout: Layout { keeps, lanes } } => {
                if let Unit::SpikeLanes(unit) = &mut hardware.units[unit] {
                    let source = "tried beside the layouts that are described".to_owned();
                    unit.layouts.push(LayoutSpec { keeps, lanes, source });
                }
            }
            Self::Lanes { unit } => match &mut hardware.units[unit] {
                Unit::SpikeLanes(unit) => {
                    unit.layouts.iter_mut().for_each(|layout| layout.lanes = doubled(layout.lanes));
                }
                Unit::Systolic(unit) => unit.columns.value *= 2,
                _ => {}
            },
            Self::Vector { unit } => {
                if let Unit::Vector(unit) = &mut hardware.units[unit] {
                    unit.values_per_cycle.value *= 2;
                    unit.spike_bits_per_cycle.value *= 2;
                }
            }
            Self::Capacity { memory } => hardware.memories[memory].capacity_bytes.value *= 2,
            Self::AllWeights { memory, bytes } => hardware.memories[memory].capacity_bytes.value = bytes,
            Self::Bandwidth { memory } => {
                let memory = &mut hardware.memories[memory];
                memory.bandwidth_bits_per_cycle.value *= 2;
                match &mut memory.banks {
                    Some(banks) => banks.value *= 2,
                    None => memory.word_bits.value *= 2,
                }
            }
            Self::Bus => hardware.dram.iter_mut().for_each(|dram| dram.bus_width_bits.value *= 2),
            Self::WeightBits { .. } => {}
        }
    }
}

/// Twice the lanes for output channels, or for positions where there is one channel; as many where lanes are for groups,
/// whose waits for each other would be others.
fn doubled(lanes: Unrolling) -> Unrolling {
    let several = |dim: SpatialDim| lanes.extent(dim) > 1;
    let wide = [SpatialDim::OutputChannels, SpatialDim::Positions].into_iter().find(|&dim| several(dim));
    let factor = |dim| if Some(dim) == wide && !several(SpatialDim::Groups) { 2 } else { 1 };
    let dims: Vec<_> =
        SpatialDim::ALL.into_iter().map(|dim| (dim, lanes.extent(dim) * factor(dim))).collect();
    Unrolling::of(&dims)
}

fn kib(bytes: f64) -> String {
    format!("{:.0} KiB", bytes / 1024.0)
}

/// Layouts for a layer whose lanes lack work or wait for each other, or whose operands are read too often: those with
/// `lanes` that unit number `unit` of `hardware` lacks.
pub(super) fn layouts(
    hardware: &Hardware,
    unit: usize,
    lanes: u32,
    grouped: bool,
    timesteps: u32,
) -> Vec<Change> {
    use SpatialDim::{Groups, Inputs, OutputChannels, Positions, Timesteps};
    let Unit::SpikeLanes(described) = &hardware.units[unit] else { return Vec::new() };
    let of_groups: &[(Stationary, &[(SpatialDim, u32)])] = &[
        (Stationary::Outputs, &[(Groups, lanes)]),
        (Stationary::Outputs, &[(Groups, lanes / 4), (Positions, 4)]),
    ];
    let of_channels: &[(Stationary, &[(SpatialDim, u32)])] = &[
        (Stationary::Outputs, &[(OutputChannels, lanes)]),
        (Stationary::Outputs, &[(Positions, 16), (OutputChannels, lanes / 16)]),
        (Stationary::Outputs, &[(Timesteps, timesteps), (OutputChannels, lanes / timesteps)]),
        (Stationary::Weights, &[(Inputs, 16), (OutputChannels, lanes / 16)]),
    ];
    let known: Vec<Layout> = described.layouts.iter().map(LayoutSpec::layout).collect();
    let layouts = if grouped { of_groups } else { of_channels }
        .iter()
        .map(|&(keeps, dims)| Layout { keeps, lanes: Unrolling::of(dims) });
    let is_new = |layout: &Layout| f64::from(lanes) == layout.lanes.lanes() && !known.contains(layout);
    layouts.filter(is_new).map(|layout| Change::Layout { unit, layout }).collect()
}

/// Fewer bits for the weights of layer number `layer`: the next width below that settings have.
pub(super) fn fewer_bits(workload: &Workload, layer: usize) -> Option<Change> {
    let weight = workload.layers[layer].product.as_ref()?.weight;
    let bits = match weight.code_bits {
        5..=8 => 4,
        4 => 3,
        3 => 2,
        _ => return None,
    };
    weight.with_code_bits(bits).map(|_| Change::WeightBits { layer, bits })
}

/// Room for what `plan` has off chip: twice the memory in front of it.
pub(super) fn room(hardware: &Hardware, workload: &Workload, plans: &[Plan], layer: usize) -> Vec<Change> {
    let plan = &plans[layer];
    let is_off_chip = |operand: &Operand| plan.is_off_chip(*operand) || plan.passage(*operand).is_some();
    let outermost = |operand| {
        let level = hardware.levels(operand).last()?;
        Some((operand, level))
    };
    let mut changes = Vec::new();
    for (operand, memory) in Operand::ALL.into_iter().filter(is_off_chip).filter_map(outermost) {
        changes.push(Change::Capacity { memory });
        if operand == Operand::Weights {
            changes.push(Change::AllWeights {
                memory,
                bytes: with_all_weights(hardware, workload, plans, memory),
            });
        }
    }
    changes
}

/// Bytes of memory number `memory` that would keep all weights beside what it keeps, in whole KiB for each bank.
fn with_all_weights(hardware: &Hardware, workload: &Workload, plans: &[Plan], memory: usize) -> u64 {
    let described = &hardware.memories[memory];
    let missing = |(layer, plan): (&crate::map::Layer, &Plan)| {
        plan.streamed_share(layer) * (layer.weight_bits() + layer.parameter_bits())
    };
    let missing_bits: f64 = workload.layers.iter().zip(plans).map(missing).sum();
    let unit = 1024 * u64::from(described.banks());
    (described.capacity_bytes.value + (missing_bits / 8.0).ceil() as u64).next_multiple_of(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge() -> Hardware {
        Hardware::load("edge-28").unwrap().0
    }

    #[test]
    fn lanes_double_for_channels_and_groups_stay() {
        use SpatialDim::{Groups, Inputs, OutputChannels, Positions};
        let cases = [
            (vec![(Positions, 4), (OutputChannels, 64)], vec![(Positions, 4), (OutputChannels, 128)]),
            (vec![(Positions, 16)], vec![(Positions, 32)]),
            (vec![(Inputs, 4), (OutputChannels, 64)], vec![(Inputs, 4), (OutputChannels, 128)]),
            (vec![(Groups, 64), (Positions, 4)], vec![(Groups, 64), (Positions, 4)]),
        ];
        for (before, after) in cases {
            assert_eq!(doubled(Unrolling::of(&before)), Unrolling::of(&after), "{before:?}");
        }
    }

    #[test]
    fn layouts_have_as_many_lanes_and_are_none_of_the_described() {
        let hardware = edge();
        for (grouped, wanted) in [(true, 1), (false, 4)] {
            let found = layouts(&hardware, 0, 256, grouped, 4);
            assert_eq!(found.len(), wanted, "{found:?}");
            for change in found {
                let Change::Layout { unit: 0, layout } = change else { panic!("{change:?}") };
                assert_eq!(layout.lanes.lanes(), 256.0);
                assert!(!hardware.unit(0).layouts().contains(&layout));
            }
        }
    }

    #[test]
    fn a_changed_machine_is_described_like_any_other() {
        let hardware = edge();
        let memory = |hardware: &Hardware| hardware.memories[0].clone();
        let after = |change: Change| hardware.changed(|hardware| change.change(hardware)).unwrap();
        assert_eq!(memory(&after(Change::Capacity { memory: 0 })).capacity_bytes.value, 196_608);
        let wide = memory(&after(Change::Bandwidth { memory: 0 }));
        assert_eq!((wide.banks(), wide.bandwidth_bits_per_cycle.value), (32, 2048));
        assert_eq!(after(Change::Bus).dram.unwrap().bus_width_bits.value, 32);
        // A word of every bank is all that a memory moves.
        assert!(
            hardware.changed(|hardware| hardware.memories[0].bandwidth_bits_per_cycle.value *= 2).is_err()
        );
    }
}
