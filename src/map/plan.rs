//! Where loops stand and operands live: the choices that a mapper makes before anything runs.

use super::{Dataflow, Home, Layer, Order, Parts, Passage, Product};
use crate::hw::{Hardware, LaneTile, Operand, PerOperand, Placement, SpatialDim, Stationary, Unrolling};

/// How one layer runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Number of the unit that takes the product.
    pub unit: usize,
    /// What stays in the array.
    pub dataflow: Dataflow,
    /// What its lanes stand for.
    pub lanes: Unrolling,
    /// Where the loop over timesteps stands, for the whole network.
    pub placement: Placement,
    /// True if a product that is the same at every timestep is computed at each of them.
    pub recompute: bool,
    /// Output channels of one tile: as many as the array has, or fewer where two tiles of weights
    /// would not fit their memory or smaller ones overlap better.
    pub channels: usize,
    /// Which tiles come from off chip one after the other.
    pub order: Order,
    /// Where weights are off chip, output channels whose weights stay on chip from image to image nevertheless.
    pub resident_channels: usize,
    /// Per operand, where it lives.
    pub home: PerOperand<Home>,
    /// Where some maps of activations stay on chip and others do not; `None` where all are at home.
    pub activations: Option<Passage>,
    /// Where some residual streams stay on chip and others do not.
    pub residual: Option<Passage>,
    /// The layers that it takes turns with, tile of positions by tile of positions.
    pub group: Option<Group>,
}

/// A layer among those that run in turns, each a tile of positions at a time: what they leave for each other stays on chip
/// one tile long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// Number of the first layer.
    pub first: usize,
    /// How many layers there are.
    pub layers: usize,
    /// Weights of the others that pass through, which are on chip meanwhile, bits.
    pub beside_bits: f64,
}

impl Plan {
    /// The plan that stores the least: sums stay in the array, in the first layout that keeps them, and nothing is off
    /// chip.
    pub(crate) fn least(hardware: &Hardware, placement: Placement) -> Self {
        let (unit, datapath) = hardware.product_units().next().expect("checked when parsed");
        let layouts = datapath.layouts();
        let keeps_sums = layouts.iter().find(|layout| layout.keeps == Stationary::Outputs);
        let lanes = keeps_sums.or(layouts.first()).map_or_else(Unrolling::default, |layout| layout.lanes);
        Self {
            unit,
            dataflow: if layouts.is_empty() { Dataflow::Sequential } else { Dataflow::OutputStationary },
            lanes,
            placement,
            recompute: false,
            channels: 0,
            order: Order::ChannelsOutermost,
            resident_channels: 0,
            home: PerOperand::default(),
            activations: None,
            residual: None,
            group: None,
        }
    }

    /// Where maps of `operand` are, if they are not all in one place.
    pub fn passage(&self, operand: Operand) -> Option<Passage> {
        match operand {
            Operand::Activations => self.activations,
            Operand::Residual => self.residual,
            _ => None,
        }
    }

    /// True if what the product reads comes to the memory that feeds units tile by tile.
    pub(crate) fn input_passes(&self) -> bool {
        self.passes(Operand::Activations) && self.activations.is_none_or(|passage| passage.input.any())
    }

    /// True if `operand` is read from and written to off-chip memory.
    pub fn is_off_chip(&self, operand: Operand) -> bool {
        self.home[operand] == Home::OffChip
    }

    /// True if `operand` comes to the memory that feeds units, and leaves it, tile by tile.
    pub fn passes(&self, operand: Operand) -> bool {
        self.home[operand] != Home::default()
    }

    /// True if the membranes of an output never leave the array: its timesteps run one after the other in its own
    /// accumulator, or all of them side by side.
    pub(crate) fn keeps_membranes(&self, layer: &Layer, hardware: &Hardware) -> bool {
        hardware.unit(self.unit).keeps_state()
            && layer.product.is_some()
            && self.dataflow == Dataflow::OutputStationary
            && self.placement == Placement::Innermost
    }

    /// True if partial sums go to a memory before the neurons take them.
    pub(crate) fn stores_sums(&self, hardware: &Hardware) -> bool {
        self.dataflow.sums_leave_the_array() || hardware.unit(self.unit).sums_in_memory()
    }

    /// The tile of rows and inputs that the unit takes `product` through, if it has more inputs and its weights do not
    /// stay on chip all together.
    pub fn tile<'a>(&self, hardware: &'a Hardware, product: &Product) -> Option<&'a LaneTile> {
        let tile = hardware.unit(self.unit).tile()?;
        let stay = matches!(self.order, Order::PositionsOutermost { weights_stay: true, .. });
        let sliced =
            self.dataflow == Dataflow::OutputStationary && product.fan_in > tile.inputs.value as usize;
        (sliced && !stay).then_some(tile)
    }

    /// Output channels of a tile: as many as the array has, or all where they stream through it.
    pub(super) fn widest_tile(&self, layer: &Layer) -> usize {
        match (&layer.product, self.dataflow) {
            (None, _) => 0,
            (Some(product), Dataflow::Sequential | Dataflow::InputStationary) => product.group_outputs(),
            _ => self.lanes.extent(SpatialDim::OutputChannels) as usize,
        }
    }

    /// Parts of the bits of its inputs that `product` is taken in.
    pub fn parts(&self, product: &Product, hardware: &Hardware) -> Parts {
        let whole = Parts { count: 1, bits: product.input.bits() };
        hardware.unit(self.unit).takes().and_then(|takes| product.parts(&takes)).unwrap_or(whole)
    }

    /// Groups that run side by side.
    pub fn groups(&self, product: &Product) -> usize {
        product.groups.min(self.lanes.extent(SpatialDim::Groups) as usize)
    }

    /// True if one frame of `product` serves all timesteps.
    pub(crate) fn runs_once(&self, product: &Product) -> bool {
        product.is_constant() && !self.recompute
    }

    /// How often `product` runs in `timesteps`.
    pub fn frames<T: From<u8>>(&self, product: &Product, timesteps: T) -> T {
        if self.runs_once(product) { T::from(1) } else { timesteps }
    }

    /// Groups, timesteps and images that run side by side, in words.
    fn side_by_side(&self, layer: &Layer) -> String {
        let Some(product) = &layer.product else { return String::new() };
        let lanes = |dim: SpatialDim| self.lanes.extent(dim) as usize;
        let several = |count: usize, what: &str| match count {
            1 => String::new(),
            _ => format!(", {count} {what} side by side"),
        };
        several(self.groups(product), "groups")
            + &several(lanes(SpatialDim::Timesteps), "timesteps")
            + &several(lanes(SpatialDim::Batch), "images")
    }

    /// Share of the weights of `layer` that come from off chip for every image.
    pub fn streamed_share(&self, layer: &Layer) -> f64 {
        if self.is_off_chip(Operand::Weights) {
            1.0 - self.resident_channels as f64 / layer.outputs().max(1) as f64
        } else {
            0.0
        }
    }

    /// Operands that live in memories behind those that feed units, in words.
    fn behind(&self) -> String {
        let level = |operand: Operand| match self.home[operand] {
            Home::OnChip(level @ 1..) => format!(", {} at level {}", operand.describe(), level + 1),
            _ => String::new(),
        };
        Operand::ALL.map(level).concat()
    }

    /// In words.
    pub fn describe(&self, layer: &Layer) -> String {
        let dataflow = if layer.product.is_none() { "vector unit" } else { self.dataflow.name() };
        let placement = match self.placement {
            Placement::Innermost => "timesteps innermost",
            Placement::Outermost => "timesteps outermost",
        };
        let once = match layer.product.as_ref().filter(|product| product.is_constant()) {
            None => "",
            Some(product) if self.runs_once(product) => ", computed once",
            Some(_) => ", recomputed",
        };
        let off_chip = |operand: Operand| match (operand, self.resident_channels) {
            (Operand::Weights, 1..) => {
                format!(
                    "weights of {} of {} channels",
                    layer.outputs() - self.resident_channels,
                    layer.outputs()
                )
            }
            _ if self.passage(operand).is_some() => format!("part of the {}", operand.describe()),
            _ => operand.describe().to_owned(),
        };
        let spilled: Vec<_> =
            Operand::ALL.into_iter().filter(|&o| self.is_off_chip(o)).map(off_chip).collect();
        let spilled =
            if spilled.is_empty() { String::new() } else { format!(", {} off chip", spilled.join(" and ")) };
        let behind = self.behind();
        let tiles = match self.order {
            Order::PositionsOutermost { tiles, .. } => format!(", positions in {tiles} tiles"),
            Order::ChannelsOutermost => String::new(),
        };
        let fused =
            self.group.map_or_else(String::new, |group| format!(" of {} layers in turns", group.layers));
        let side_by_side = self.side_by_side(layer);
        format!("{dataflow}{side_by_side}, {placement}{once}{tiles}{fused}{behind}{spilled}")
    }
}
