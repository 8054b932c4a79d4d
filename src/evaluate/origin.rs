use std::sync::Arc;

use super::{ActivitySource, CALIBRATION_IMAGES, DataSummary, Evaluator, RatesSummary, SpikesSummary};
use crate::error::Result;
use crate::exec::{Rates, SpikeRecording};
use crate::model::{DataSet, Model};
use crate::watch::Watcher;

/// Where the activity comes from that machines are charged for.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The test images of the data are executed.
    Executed(Box<DataSet>),
    /// Activity that rates lead one to expect.
    Expected(Arc<Rates>),
    /// Activity of recorded spikes; settings look at the validation images of the data.
    Recorded(Arc<SpikeRecording>, Option<Box<DataSet>>),
}

impl Origin {
    /// Images that each setting executes.
    pub fn images(&self) -> usize {
        match self {
            Self::Executed(data) => data.test.len(),
            Self::Expected(_) | Self::Recorded(..) => 0,
        }
    }

    /// Reads the images, if there are any; `watcher` hears of each.
    ///
    /// # Errors
    /// Those of [`Evaluator::new`] or [`Evaluator::recorded`].
    pub fn evaluator(&self, model: &Arc<Model>, watcher: &dyn Watcher) -> Result<Evaluator> {
        let data = match self {
            Self::Executed(data) => data,
            Self::Expected(rates) => return Ok(Evaluator::expecting(Arc::clone(model), Arc::clone(rates))),
            Self::Recorded(recording, data) => {
                return Evaluator::recorded(Arc::clone(model), data.as_deref(), Arc::clone(recording));
            }
        };
        watcher.begin(data.test.len() + data.validation.len().min(CALIBRATION_IMAGES));
        let evaluator = Evaluator::new(Arc::clone(model), data, &data.test, &|| watcher.step("reading"))?;
        watcher.end();
        Ok(evaluator)
    }

    /// For a report.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn source(&self) -> Result<ActivitySource> {
        Ok(match self {
            Self::Executed(data) => ActivitySource::Data(DataSummary {
                name: data.name.clone(),
                images: data.test.len(),
                sha256: data.test.sha256()?,
            }),
            Self::Expected(rates) => {
                ActivitySource::Rates(RatesSummary { file: rates.path.clone(), sha256: rates.sha256.clone() })
            }
            Self::Recorded(recording, _) => ActivitySource::Spikes(SpikesSummary {
                file: recording.path.clone(),
                images: recording.images(),
                sha256: recording.sha256.clone(),
            }),
        })
    }
}
