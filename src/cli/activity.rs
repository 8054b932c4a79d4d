use std::sync::Arc;

use clap::Args;

use super::flags::check_flag;
use super::progress;
use crate::cost::{Machine, patterns};
use crate::error::Result;
use crate::evaluate::{
    ActivitySource, CALIBRATION_IMAGES, DataSummary, Evaluator, RatesSummary, SpikesSummary,
};
use crate::exec::{Rates, SpikeRecording};
use crate::model::{DataSet, Model};

/// Flags that say what is charged.
#[derive(Debug, Args)]
pub struct ActivityArguments {
    /// A built-in data set, the path of a data description, or `noise`: a few synthetic images that fit any model
    /// [default: fashion-mnist]. With --spikes its validation images, for settings that look at such [default:
    /// noise].
    #[arg(long, value_name = "D")]
    data: Option<String>,
    /// Run only the first N test images.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Execute no images, but charge for the activity that these rates lead one to expect: a table
    /// `layer,rate`, built in or the path of a `.csv` file, as a run writes it into rates/.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "limit"])]
    rates: Option<String>,
    /// Execute no images, but charge for the spikes that this .npz file has of them: what weight layers read and
    /// neurons yield, an array per layer (docs/formats.md).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["limit", "rates"])]
    spikes: Option<String>,
}

/// Images that are run where none are named.
const DEFAULT_DATA: &str = "fashion-mnist";

/// What activity is charged.
pub enum Activity {
    /// That of executed images.
    Executed(Box<DataSet>),
    /// What rates lead one to expect.
    Expected(Arc<Rates>),
    /// That of recorded spikes, and the data whose validation images settings look at.
    Recorded(Arc<SpikeRecording>, Option<Box<DataSet>>),
}

impl Activity {
    /// Loads what `arguments` name, for `model` on `machines`.
    pub fn load(arguments: &ActivityArguments, model: &Model, machines: &[Machine]) -> Result<Self> {
        if let Some(rates) = &arguments.rates {
            return Ok(Self::Expected(Arc::new(Rates::load(rates, &model.network)?)));
        }
        let load = |data: &str| DataSet::load_for(data, &model.description);
        if let Some(spikes) = &arguments.spikes {
            let recording =
                SpikeRecording::load(spikes, &model.network, &patterns(machines, &model.network))?;
            let data = arguments.data.as_deref().map(load).transpose()?;
            return Ok(Self::Recorded(Arc::new(recording), data.map(Box::new)));
        }
        let mut data = load(arguments.data.as_deref().unwrap_or(DEFAULT_DATA))?;
        let all = data.test.len();
        arguments.limit.map_or(Ok(()), |limit| check_flag("--limit", limit, 1..=all))?;
        data.test.truncate(arguments.limit.unwrap_or(all));
        Ok(Self::Executed(Box::new(data)))
    }

    /// Images that each setting executes.
    pub fn images(&self) -> usize {
        match self {
            Self::Executed(data) => data.test.len(),
            Self::Expected(_) | Self::Recorded(..) => 0,
        }
    }

    /// Reads the images, if there are any.
    pub fn evaluator(&self, model: &Arc<Model>, quiet: bool) -> Result<Evaluator> {
        let data = match self {
            Self::Executed(data) => data,
            Self::Expected(rates) => return Evaluator::expecting(Arc::clone(model), Arc::clone(rates)),
            Self::Recorded(recording, data) => {
                return Evaluator::recorded(Arc::clone(model), data.as_deref(), Arc::clone(recording));
            }
        };
        let read = data.test.len() + data.validation.len().min(CALIBRATION_IMAGES);
        let bar = progress::bar(read as u64, quiet);
        bar.set_message("reading");
        let evaluator = Evaluator::new(Arc::clone(model), data, &data.test, &|| bar.inc(1))?;
        bar.finish_and_clear();
        Ok(evaluator)
    }

    /// For a report.
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
