//! A network that is a formula: every layer loses accuracy by itself, so the best setting is known.

use spiq::error::Result;
use spiq::load;
use spiq::model::Network;
use spiq::quant::{FixedPoint, Precision, Setting, WeightScheme};
use spiq::search::{
    Batch, Budgets, DriftMetric, Figures, Granularity, LayerDrift, Measured, Objective, Oracle, Problem,
    Quantizer, Space, Widths,
};

/// Images of the validation set.
const IMAGES: usize = 4000;
/// Images of a batch.
const BATCH: usize = 250;
/// Accuracy of the float network.
const ACCURACY: f64 = 0.9;

pub struct Synthetic {
    space: Space,
    /// Per unit, how many images it loses at one bit of weights; the stem most.
    fragility: Vec<f64>,
    /// Part of its energy that a network with the narrowest membranes saves, because it fires less.
    silence: f64,
    /// Machines, by the bytes that their weight memory holds; one that holds all where there is none.
    memories: Vec<f64>,
}

impl Synthetic {
    pub fn new() -> Self {
        let space = Quantizer::PerChannel.space(&network(), &widths());
        let fragility = (0..space.units.len()).map(|i| 4000.0 / (1.0 + i as f64).powf(1.3)).collect();
        Self { space, fragility, silence: 0.0, memories: Vec::new() }
    }

    /// An oracle of which every unit loses `times` as many images.
    pub fn more_fragile(times: f64) -> Self {
        let mut oracle = Self::new();
        oracle.fragility.iter_mut().for_each(|lost| *lost *= times);
        oracle
    }

    /// With narrow membranes that save up to `silence` of the energy.
    pub fn firing_less(silence: f64) -> Self {
        Self { silence, ..Self::new() }
    }

    /// On machines whose weight memories hold these bytes each.
    pub fn on_machines(memories: &[f64]) -> Self {
        Self { memories: memories.to_vec(), ..Self::new() }
    }

    /// Figures of a candidate on machine number `machine`, whatever its activity is.
    pub fn figures_on(&self, setting: &Setting, machine: usize) -> Figures {
        self.moved(self.figures(fixed(setting)), machine)
    }

    /// What a memory leaves out of the model is loaded for ten times the energy; its area and its energy grow with it.
    fn moved(&self, figures: Figures, machine: usize) -> Figures {
        let Some(&bytes) = self.memories.get(machine) else { return figures };
        let left_out = (figures.model_bytes - bytes).max(0.0);
        let energy_j = figures.energy_j * (1.0 + bytes / 2e5) + 8e-11 * left_out;
        Figures { energy_j, area_mm2: Some(0.1 + bytes / 2e5), ..figures }
    }

    /// Bytes of all membranes at 16 bits, which the one memory of this machine holds.
    pub fn peak_of_wide_membranes(&self) -> f64 {
        self.space.units.iter().map(|unit| unit.membranes as f64 * 2.0).sum()
    }

    /// Images lost by the unit `i`; powers of two lose half as much again.
    pub fn lost(&self, fixed: &FixedPoint, i: usize) -> f64 {
        let unit = &self.space.units[i];
        let scheme = fixed.weights_of(&unit.layer);
        let factor = if scheme.family().refines() { 1.0 } else { 1.5 };
        let weights = factor * self.fragility[i] * (-2.0 * f64::from(scheme.bits())).exp2();
        let membranes = unit.neurons.first().map_or(0.0, |neuron| {
            0.3 * self.fragility[i] * (-1.5 * f64::from(fixed.membrane_bits_of(neuron))).exp2()
        });
        weights + membranes
    }

    fn all_lost(&self, fixed: &FixedPoint) -> f64 {
        (0..self.space.units.len()).map(|i| self.lost(fixed, i)).sum()
    }

    /// Costs at the activity that the membranes lead to.
    fn own_figures(&self, fixed: &FixedPoint) -> Figures {
        let neurons: Vec<&String> = self.space.units.iter().flat_map(|unit| &unit.neurons).collect();
        let narrower = |neuron: &&String| f64::from(16 - fixed.membrane_bits_of(neuron)) / 12.0;
        let narrowed = neurons.iter().map(narrower).sum::<f64>() / neurons.len() as f64;
        let figures = self.figures(fixed);
        Figures { energy_j: figures.energy_j * (1.0 - self.silence * narrowed), ..figures }
    }

    fn figures(&self, fixed: &FixedPoint) -> Figures {
        let mut bits = 0.0;
        let mut weights = 0.0;
        for unit in &self.space.units {
            let width = f64::from(fixed.weights_of(&unit.layer).bits());
            bits += width * unit.weights as f64;
            weights += unit.weights as f64;
        }
        let membrane = |neuron: &String| f64::from(fixed.membrane_bits_of(neuron));
        let membranes: f64 = self
            .space
            .units
            .iter()
            .filter_map(|unit| Some(unit.membranes as f64 * membrane(unit.neurons.first()?)))
            .sum();
        Figures {
            model_bytes: bits / 8.0,
            footprint_bytes: (bits + membranes) / 8.0,
            peak_bytes: [("state SRAM".to_owned(), membranes / 8.0)].into(),
            energy_j: 1e-12 * bits,
            latency_s: 1e-4,
            power_w: 1e-8 * bits,
            area_mm2: Some(1.0),
            average_weight_bits: bits / weights,
        }
    }
}

pub fn network() -> Network {
    load::model("sdtv1_2-64_fashion").unwrap().network
}

pub fn widths() -> Widths {
    Widths {
        uniform: vec![8, 6, 5, 4, 3, 2],
        power_of_two: vec![4, 3],
        schemes: Vec::new(),
        membranes: vec![16, 8, 6, 4],
        calibrated: false,
    }
}

pub fn problem() -> Problem {
    Problem {
        budgets: Budgets { accuracy_drop: 0.015, ..Budgets::default() },
        objective: Objective::Footprint,
        max_evaluations: 60.0,
        max_seconds: None,
        granularity: Granularity::Tensor,
        metric: DriftMetric::Relative,
        slack: 1.25,
        audit: false,
    }
}

pub fn fixed(setting: &Setting) -> &FixedPoint {
    match &setting.precision {
        Precision::Fixed(fixed) => fixed,
        Precision::Float32 => panic!("a search has fixed-point settings"),
    }
}

impl Oracle for Synthetic {
    fn images(&self) -> usize {
        IMAGES
    }

    fn reference_accuracy(&self) -> Result<f64> {
        Ok(ACCURACY)
    }

    fn batches(&self) -> usize {
        IMAGES / BATCH
    }

    fn batch_images(&self, _number: usize) -> usize {
        BATCH
    }

    fn charge(&self, setting: &Setting, machine: usize) -> Result<Figures> {
        Ok(self.figures_on(setting, machine))
    }

    fn charged_images(&self) -> usize {
        8
    }

    /// Uniform weights that use all of their range have four times as much per bit less.
    fn rounding_noise(&self, scheme: WeightScheme) -> Result<Vec<f64>> {
        Ok(vec![4f64.powi(-(scheme.bits() as i32)); self.fragility.len()])
    }

    fn charge_own(&self, setting: &Setting, machine: usize) -> Result<Figures> {
        Ok(self.moved(self.own_figures(fixed(setting)), machine))
    }

    /// What is lost is spread over the batches as evenly as whole images allow.
    fn run(&self, setting: &Setting, first: usize, more: &mut dyn FnMut(Batch) -> bool) -> Result<()> {
        let lost = self.all_lost(fixed(setting)).round().min(ACCURACY * IMAGES as f64) as usize;
        let until = |batch: usize| lost * batch / self.batches();
        for batch in first..self.batches() {
            let here = (until(batch + 1) - until(batch)) as u32;
            let divergence = self.all_lost(fixed(setting)) / self.batches() as f64;
            if !more(Batch { images: BATCH as u32, lost: here, gained: 0, divergence }) {
                break;
            }
        }
        Ok(())
    }

    fn drift(&self, setting: &Setting) -> Result<(Vec<LayerDrift>, usize)> {
        let layer = |i: usize| {
            let drift = self.lost(fixed(setting), i) / IMAGES as f64;
            let layer = self.space.units[i].layer.clone();
            LayerDrift { layer, relative: drift, threshold: drift, flips: drift, rates: drift }
        };
        Ok(((0..self.space.units.len()).map(layer).collect(), 8))
    }

    fn measure(&self, setting: &Setting, machine: usize) -> Result<Measured> {
        let lost = self.all_lost(fixed(setting)).round().min(ACCURACY * IMAGES as f64);
        let accuracy = ACCURACY - lost / IMAGES as f64;
        Ok(Measured { accuracy, figures: self.moved(self.own_figures(fixed(setting)), machine) })
    }
}
