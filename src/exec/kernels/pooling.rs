//! Windows over maps, folded into one value each.

/// Windows over maps whose frames lie one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Pooling {
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Distance of windows along rows and columns.
    pub stride: [usize; 2],
    /// Rows above, and columns before, a map.
    pub pad: [usize; 2],
    /// Rows and columns of a map that is read.
    pub input: [usize; 2],
    /// Rows and columns of a map that is written.
    pub output: [usize; 2],
}

impl Pooling {
    /// Values of the room that [`Pooling::fold`] needs: for each row of windows a row of the map, and what makes pairs
    /// of an odd one.
    pub fn room(&self) -> usize {
        self.output[0] * (self.input[1] + 1)
    }

    /// What `fold` makes of every window of the frames of `x`, from `nothing` on: first of its rows, over the whole
    /// width of the map, then of its columns.
    #[inline(always)]
    pub(super) fn fold<T: Copy>(
        self,
        x: &[T],
        room: &mut [T],
        out: &mut [T],
        nothing: T,
        fold: impl Fn(T, T) -> T + Copy,
    ) {
        let (width, outputs) = (self.input[1], self.output.iter().product());
        room.fill(nothing);
        for (frame, out) in x.chunks_exact(self.input[0] * width).zip(out.chunks_exact_mut(outputs)) {
            // All rows first: vectors that were just written can not be read at other distances at once.
            for (y, folded) in room.chunks_exact_mut(width + 1).enumerate() {
                // Padding never takes part.
                let first = (y * self.stride[0]).saturating_sub(self.pad[0]);
                let end =
                    (y * self.stride[0] + self.kernel[0]).saturating_sub(self.pad[0]).min(self.input[0]);
                fold_rows(&frame[first.min(end) * width..end * width], &mut folded[..width], nothing, fold);
            }
            for (row, out) in room.chunks_exact(width + 1).zip(out.chunks_exact_mut(self.output[1])) {
                self.fold_columns(row, out, nothing, fold);
            }
        }
    }

    /// A row of windows, folded of a `row` of the map with `nothing` behind it.
    #[inline(always)]
    fn fold_columns<T: Copy>(&self, row: &[T], out: &mut [T], nothing: T, fold: impl Fn(T, T) -> T + Copy) {
        let (stride, pad) = (self.stride[1], self.pad[1]);
        if (self.kernel[1], stride, pad) == (3, 2, 1) {
            return fold_threes(row, out, nothing, fold);
        }
        out.fill(nothing);
        for tap in 0..self.kernel[1] {
            // Windows whose tap is in front of the map.
            let before = pad.saturating_sub(tap).div_ceil(stride);
            let Some(row) = row.get(before * stride + tap - pad..) else { continue };
            let out = out.iter_mut().skip(before);
            match stride {
                1 => out.zip(row).for_each(|(all, &x)| *all = fold(*all, x)),
                2 => out.zip(row.as_chunks::<2>().0).for_each(|(all, &[x, _])| *all = fold(*all, x)),
                _ => out.zip(row.iter().step_by(stride)).for_each(|(all, &x)| *all = fold(*all, x)),
            }
        }
    }
}

/// All `rows`, as wide as `out`, folded into one; `nothing` of none.
#[inline(always)]
fn fold_rows<T: Copy>(rows: &[T], out: &mut [T], nothing: T, fold: impl Fn(T, T) -> T) {
    let mut rows = rows.chunks_exact(out.len());
    match (rows.next(), rows.next(), rows.next()) {
        (Some(a), Some(b), Some(c)) => {
            let columns = out.iter_mut().zip(a).zip(b).zip(c);
            columns.for_each(|(((all, &a), &b), &c)| *all = fold(fold(a, b), c));
        }
        (Some(a), Some(b), None) => {
            out.iter_mut().zip(a).zip(b).for_each(|((all, &a), &b)| *all = fold(a, b));
        }
        (Some(a), _, _) => out.copy_from_slice(a),
        _ => out.fill(nothing),
    }
    for row in rows {
        out.iter_mut().zip(row).for_each(|(all, &x)| *all = fold(*all, x));
    }
}

/// Windows of three columns around every other one, each of which begins with the last column of the one before it.
#[inline(always)]
fn fold_threes<T: Copy>(row: &[T], out: &mut [T], nothing: T, fold: impl Fn(T, T) -> T) {
    let mut left = nothing;
    for (out, &[middle, right]) in out.iter_mut().zip(row.as_chunks::<2>().0) {
        *out = fold(fold(left, middle), right);
        left = right;
    }
}
