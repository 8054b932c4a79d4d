//! What windows of a map amount to, in any number system.

use crate::model::Window;
use crate::tensor::{Frames, Shape};

/// Each window folded into one value, from `nothing` on; `shape` is that of what comes out.
pub fn fold_windows<T: Copy + Default>(
    window: &Window,
    input: &Frames<T>,
    shape: Shape,
    nothing: T,
    fold: impl Fn(T, T) -> T,
) -> Frames<T> {
    let geometry = window.geometry(shape.channels);
    let mut output = Frames::zeros(input.frames, shape);
    for t in 0..input.frames {
        let source = input.at(t);
        for (position, out) in output.frame_mut(t).chunks_exact_mut(shape.channels).enumerate() {
            out.fill(nothing);
            let taps = geometry.taps_of(input.shape, position / shape.width, position % shape.width);
            for at in taps.filter_map(|(_, at)| at) {
                out.iter_mut().zip(&source[at * shape.channels..]).for_each(|(x, &y)| *x = fold(*x, y));
            }
        }
    }
    output
}
