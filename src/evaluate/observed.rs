//! What a setting does, before any machine is charged for it.

use crate::exec::Activity;
use crate::map::Workload;
use crate::quant::Setting;

/// What a setting does on the images, rates or recorded spikes of an evaluator: machines that look for the same patterns in
/// spikes can be charged for it, any number of them.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The setting.
    pub(super) setting: Setting,
    /// The network that it makes.
    pub(super) workload: Workload,
    /// Share of the images that it classifies as their labels say; absent where none was executed.
    pub(super) accuracy: Option<f64>,
    /// What the mapper sees.
    pub(super) mapping: Vec<Activity>,
    /// What machines are charged for, image by image.
    pub(super) charged: Vec<Activity>,
}
