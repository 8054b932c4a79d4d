//! Whether samples are what a model looks at, found out by reading every one that will be used.

use rayon::prelude::*;

use super::CHUNK;
use crate::error::{Error, Result};
use crate::model::{DataSet, Images, InputSpec, Model};

/// Reads the samples of `parts`, of the data set `data`, and refuses what does not decode or does not fit
/// `model`; `progress` is told of every sample.
pub(super) fn check_fit(
    model: &Model,
    data: &DataSet,
    parts: [&Images; 2],
    progress: &(dyn Fn() + Sync),
) -> Result<()> {
    let names = format!("model {}", model.description.name);
    for images in parts {
        check_extents(model, images).map_err(|(has, looks)| {
            Error::mismatch(format!("data {} has {has}, and {names} {looks}", data.name))
        })?;
    }
    let check = |images: &Images, i: usize| {
        let fits = check_values(model, images, i)?.map_err(|(has, limit)| {
            Error::mismatch(format!(
                "data {} has a {has} ({}), and {names} {limit}",
                data.name,
                images.origin(i)
            ))
        });
        progress();
        fits
    };
    for images in parts {
        // Chunk by chunk, so that the first sample that is wrong is named, whatever the threads do.
        for start in (0..images.len()).step_by(CHUNK) {
            let chunk = start..(start + CHUNK).min(images.len());
            let checked: Vec<Result<()>> = chunk.into_par_iter().map(|i| check(images, i)).collect();
            checked.into_iter().collect::<Result<()>>()?;
        }
    }
    Ok(())
}

/// True if `images` have the shape, frames and classes that `model` looks at; their values are not read.
pub fn fits(model: &Model, images: &Images) -> bool {
    check_extents(model, images).is_ok()
}

/// What the data has, and what the model does or takes instead.
type Difference = (String, String);

fn check_extents(model: &Model, images: &Images) -> Result<(), Difference> {
    let (input, classes) = (&model.description.input, model.network.classes());
    let shape = input.shape();
    if images.shape != shape {
        return Err((format!("images of {}", images.shape), format!("looks at {shape}")));
    }
    let (frames, looks) = match input {
        InputSpec::Events { .. } => (model.description.timesteps, "one per timestep"),
        InputSpec::Image { .. } | InputSpec::Integers { .. } => (1, "the same at every timestep"),
    };
    if images.frames != frames {
        return Err((format!("samples of {} frames", images.frames), format!("looks at {frames}, {looks}")));
    }
    match images.labels.iter().find(|&&label| label as usize >= classes) {
        Some(label) => Err((format!("a label {label}"), format!("tells {classes} classes apart"))),
        None => Ok(()),
    }
}

fn check_values(model: &Model, images: &Images, i: usize) -> Result<Result<(), Difference>> {
    let input = &model.description.input;
    let (largest, max) = (images.sample(i)?.data.into_iter().max().unwrap_or(0), input.max());
    if largest <= max {
        return Ok(Ok(()));
    }
    let (name, limit) = match input {
        InputSpec::Image { .. } => ("pixel", format!("has {max} for white (input.bits)")),
        InputSpec::Events { .. } => ("count", format!("takes at most {max} (input.max)")),
        InputSpec::Integers { .. } => ("value", format!("takes at most {max} (input.max)")),
    };
    Ok(Err((format!("{name} {largest}"), limit)))
}
