//! The loop nest of a plan, and where its operands live.

use super::room::partial_sum_bits;
use super::{
    Dataflow, Dim, EpilogueKind, Gemm, Home, Layer, Loop, Matrix, Nest, Order, Plan, Product, Workload,
};
use crate::hw::{Hardware, Operand, Placement};

/// A product as an array sees it.
struct OnUnits {
    /// Sizes of one group.
    gemm: Gemm,
    /// Rows and columns of the array that a plan uses.
    units: [u64; 2],
}

impl Plan {
    /// The loops of one group of `layer`'s product, and its sizes; `None` where there is no product, or no
    /// array.
    ///
    /// On a systolic array with timesteps innermost, those of a position are further positions. The level
    /// off chip keeps what comes from there.
    pub fn nest(&self, layer: &Layer, hardware: &Hardware, timesteps: usize) -> Option<(Nest, Gemm)> {
        let product = layer.product.as_ref()?;
        let OnUnits { gemm, units } = self.on_units(product, hardware, timesteps)?;
        let once = Gemm { t: 1, ..gemm };
        let [m, n, k] = Nest::steps(self.dataflow, units, &once);
        // Weights that stream through the array come in pieces of a tile's channels.
        let streams = self.dataflow == Dataflow::InputStationary;
        let channels = if streams { n.min(self.channels as u64) } else { 1 };
        let comes = product.from_outside || self.is_off_chip(Operand::Weights) || self.input_is_off_chip();
        let (chip_m, chip_n, outer) = match self.order {
            Order::ChannelsOutermost if comes || streams => (m, channels, vec![Dim::N]),
            Order::ChannelsOutermost => (m, n, Vec::new()),
            Order::PositionsOutermost { tiles, weights_stay } => {
                let chip_m = m.div_ceil(tiles as u64);
                if weights_stay && !streams {
                    (chip_m, n, vec![Dim::M])
                } else {
                    (chip_m, channels, vec![Dim::M, Dim::N])
                }
            }
        };
        let mut nest = Nest::tiled(self.dataflow, units, &once, &[chip_m, chip_n, k], &outer);
        let level = if self.placement == Placement::Outermost { 0 } else { nest.levels.len() - 1 };
        if gemm.t > 1 {
            nest.levels[level].loops.insert(0, Loop::For(Dim::T, gemm.t));
        }
        nest.levels[0].keeps.retain(|&matrix| self.comes_from_outside(matrix, product));
        Some((nest, gemm))
    }

    /// The level that holds `operand` while `layer` of `workload` runs; `None` where the layer has none.
    pub fn home(
        &self,
        operand: Operand,
        layer: &Layer,
        workload: &Workload,
        hardware: &Hardware,
    ) -> Option<String> {
        let product = layer.product.as_ref();
        let joins = |kind| {
            matches!(
                kind,
                EpilogueKind::Join { .. }
                    | EpilogueKind::ClassToken { .. }
                    | EpilogueKind::Requantize { residual: true, .. }
            )
        };
        let (has, in_array) = match operand {
            Operand::Weights => (product.is_some(), false),
            Operand::Activations => (true, false),
            Operand::PartialSums => {
                let stay = !self.dataflow.sums_leave_the_array()
                    && partial_sum_bits(self, layer, workload, hardware) == 0.0;
                (product.is_some(), stay)
            }
            Operand::Membranes => (layer.membrane_bits() > 0.0, self.keeps_membranes(layer, hardware)),
            Operand::Residual => (layer.epilogue.iter().any(|e| joins(e.kind)), false),
        };
        let image = operand == Operand::Activations && product.is_some_and(|p| p.from_outside);
        if !has {
            return None;
        }
        if in_array {
            let sequential = self.dataflow == Dataflow::Sequential;
            return Some(if sequential { "registers" } else { "the array" }.to_owned());
        }
        let home = if image { Home::OffChip } else { self.home[operand] };
        let mut names: Vec<&str> =
            hardware.levels(operand).map(|m| hardware.memories[m].name.as_str()).collect();
        let home = match home {
            Home::OnChip(level) => {
                names.truncate(usize::from(level) + 1);
                names.pop()?
            }
            Home::OffChip => "off-chip memory",
        };
        names.reverse();
        let passing = if names.is_empty() {
            String::new()
        } else {
            format!(", passing through {}", names.join(" and "))
        };
        Some(format!("{home}{passing}"))
    }

    /// Steps of the array along the positions of `product`; `None` without an array.
    pub(crate) fn position_steps(
        &self,
        product: &Product,
        hardware: &Hardware,
        timesteps: usize,
    ) -> Option<usize> {
        let OnUnits { gemm, units } = self.on_units(product, hardware, timesteps)?;
        Some(Nest::steps(self.dataflow, units, &gemm)[Dim::M as usize] as usize)
    }

    fn on_units(&self, product: &Product, hardware: &Hardware, timesteps: usize) -> Option<OnUnits> {
        let frames = self.frames(product, timesteps as u64);
        let (m, n) = (product.positions as u64, (product.outputs / product.groups) as u64);
        let mut gemm = Gemm { m, n, k: product.fan_in as u64, t: frames };
        if self.dataflow == Dataflow::Sequential {
            return None;
        }
        if hardware.unit(self.unit).timesteps_are_positions() && self.placement == Placement::Innermost {
            gemm = Gemm { m: m * frames, t: 1, ..gemm };
        }
        let rows = match self.dataflow {
            Dataflow::OutputStationary => self.lanes.positions(),
            _ => self.lanes.summed(),
        };
        let columns = match self.dataflow {
            Dataflow::InputStationary => u64::from(self.lanes.positions()),
            _ => self.channels as u64,
        };
        Some(OnUnits { gemm, units: [u64::from(rows), columns] })
    }

    fn input_is_off_chip(&self) -> bool {
        self.activations.map_or(self.is_off_chip(Operand::Activations), |maps| maps.input.off_chip > 0.0)
    }

    fn comes_from_outside(&self, matrix: Matrix, product: &Product) -> bool {
        match matrix {
            Matrix::Inputs => product.from_outside || self.input_is_off_chip(),
            Matrix::Weights => self.is_off_chip(Operand::Weights),
            Matrix::Outputs => self.is_off_chip(Operand::PartialSums),
        }
    }
}
