use std::sync::Arc;

use clap::Args;

use super::flags::check_flag;
use crate::cost::{Machine, patterns};
use crate::error::Result;
use crate::evaluate::Origin;
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

/// Loads what `arguments` name, for `model` on `machines`.
pub fn load(arguments: &ActivityArguments, model: &Model, machines: &[Machine]) -> Result<Origin> {
    if let Some(rates) = &arguments.rates {
        return Ok(Origin::Expected(Arc::new(Rates::load(rates, &model.network)?)));
    }
    let load = |data: &str| DataSet::load_for(data, &model.description);
    if let Some(spikes) = &arguments.spikes {
        let recording = SpikeRecording::load(spikes, &model.network, &patterns(machines, &model.network))?;
        let data = arguments.data.as_deref().map(load).transpose()?;
        return Ok(Origin::Recorded(Arc::new(recording), data.map(Box::new)));
    }
    let mut data = load(arguments.data.as_deref().unwrap_or(DEFAULT_DATA))?;
    let all = data.test.len();
    arguments.limit.map_or(Ok(()), |limit| check_flag("--limit", limit, 1..=all))?;
    data.test.truncate(arguments.limit.unwrap_or(all));
    Ok(Origin::Executed(Box::new(data)))
}
