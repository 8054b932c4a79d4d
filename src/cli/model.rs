use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, Result};
use crate::load;
use crate::model::{Model, Selection};

/// Flags that say which model runs, and with which weights.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// A built-in model, or the path of a model description.
    #[arg(long = "model", value_name = "M", default_value = "sdtv1_2-64_fashion")]
    pub name: String,
    /// A checkpoint in the place of the weights that the model description names.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Which dictionary of a nested checkpoint is read, keys joined by dots: model_ema, ema.state_dict; or what
    /// the names of its tensors begin with [default: the first of model, state_dict, model_state_dict, module, net
    /// and the top level that holds tensors].
    #[arg(long, value_name = "PATH")]
    checkpoint_key: Option<String>,
    /// Leave out tensors of the checkpoint that no layer reads; the report lists them. Parameters of neurons are
    /// never left out.
    #[arg(long)]
    ignore_extra: bool,
    /// Run so many timesteps instead of those that the description says; a search goes on comparing with these, and
    /// chooses among several, separated by commas.
    #[arg(long, value_name = "T", value_delimiter = ',')]
    pub timesteps: Vec<usize>,
}

impl ModelArguments {
    /// Which tensors of the checkpoint are read.
    pub fn selection(&self) -> Selection {
        Selection { key: self.checkpoint_key.clone(), ignore_extra: self.ignore_extra }
    }

    /// The model with the weights that its description names.
    ///
    /// # Errors
    /// If a file does not load.
    pub fn load_untrained(&self) -> Result<Model> {
        load::model_with(&self.name, None, &Selection::default(), self.one_timesteps()?)
    }

    /// The model with these weights.
    ///
    /// # Errors
    /// If a file does not load, or the weights do not fit the model.
    pub fn load(&self) -> Result<Model> {
        load::model_with(&self.name, self.weights.as_deref(), &self.selection(), self.one_timesteps()?)
    }

    fn one_timesteps(&self) -> Result<Option<usize>> {
        match self.timesteps[..] {
            [] => Ok(None),
            [timesteps] => Ok(Some(timesteps)),
            _ => Err(Error::mismatch("--timesteps: only a search chooses among several")),
        }
    }
}
