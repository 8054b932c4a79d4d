//! Checks that samples fit the input of a model, by reading every one that will be used.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::model::{DataSet, Images, InputSpec, Model};

/// Images that run in parallel before what they yield is looked at, in order.
const CHUNK: usize = 256;

/// 0..`count` in consecutive ranges, each of which runs in parallel.
pub(super) fn chunks(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(CHUNK).map(move |start| start..(start + CHUNK).min(count))
}

/// Reads the samples of `parts`, of the data set `data`, and refuses what does not decode or does not fit
/// `model`; `progress` is told of every sample.
pub(super) fn check_fit(
    model: &Model,
    data: &DataSet,
    parts: &[&Images],
    progress: &(dyn Fn() + Sync),
) -> Result<()> {
    let name = &model.description.name;
    for images in parts {
        check_extents(model, images).map_err(|Difference { field, has, takes }| {
            Error::field(&data.path, field, format!("{has}, and model {name} {takes}"))
        })?;
    }
    let check = |images: &Images, i: usize| {
        let fits = check_values(model, images, i)?.map_err(|Difference { field, has, takes }| {
            Error::field(images.origin(i), field, format!("{has}, and model {name} {takes}"))
        });
        progress();
        fits
    };
    for images in parts {
        // Chunk by chunk, so that the first sample that is wrong is named, whatever the threads do.
        for chunk in chunks(images.len()) {
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

/// What is not the same of data and model.
struct Difference {
    /// Field of the data.
    field: &'static str,
    /// What the data has.
    has: String,
    /// What the model does or takes instead.
    takes: String,
}

fn check_extents(model: &Model, images: &Images) -> Result<(), Difference> {
    let (input, classes) = (&model.description.input, model.network.classes());
    let shape = input.shape();
    if images.shape != shape {
        let (has, takes) = (format!("of {}", images.shape), format!("looks at {shape}"));
        return Err(Difference { field: "images", has, takes });
    }
    let (frames, looks) = match input {
        InputSpec::Events { .. } => (model.description.timesteps, "one per timestep"),
        InputSpec::Image { .. } | InputSpec::Integers { .. } => (1, "the same at every timestep"),
    };
    if images.frames != frames {
        let (has, takes) = (format!("{} of a sample", images.frames), format!("looks at {frames}, {looks}"));
        return Err(Difference { field: "frames", has, takes });
    }
    match images.labels.iter().find(|&&label| label as usize >= classes) {
        Some(label) => {
            let (has, takes) = (format!("{label} is one"), format!("tells {classes} classes apart"));
            Err(Difference { field: "labels", has, takes })
        }
        None => Ok(()),
    }
}

fn check_values(model: &Model, images: &Images, i: usize) -> Result<Result<(), Difference>> {
    let input = &model.description.input;
    let (largest, max) = (images.sample(i)?.data.into_iter().max().unwrap_or(0), input.max());
    if largest <= max {
        return Ok(Ok(()));
    }
    let (field, takes) = match input {
        InputSpec::Image { .. } => ("pixels", format!("has {max} for white (input.bits)")),
        InputSpec::Events { .. } => ("counts", format!("takes at most {max} (input.max)")),
        InputSpec::Integers { .. } => ("values", format!("takes at most {max} (input.max)")),
    };
    Ok(Err(Difference { field, has: format!("{largest} is one"), takes }))
}
