//! Finds a place for the label of every point of a scatter plot.

/// Left, top, right, bottom.
pub(super) type Area = [f64; 4];

/// Pixels kept free around points and labels.
const GAP: f64 = 3.0;
/// Pixels from a point's centre to a label right beside it.
const NEAR: f64 = 9.0;
/// Directions that are tried at every distance.
const DIRECTIONS: usize = 16;

/// The places of the labels with these `sizes` (width, height) for the points, inside `area`: no
/// label covers another one or a point, and as many as possible are near their points.
pub(super) fn place(points: &[(f64, f64)], sizes: &[(f64, f64)], area: Area) -> Vec<Area> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    // Crowded points first: they have the fewest places to choose from.
    let crowd = |index: usize| {
        let near = |other: &&(f64, f64)| distance(points[index], **other) < 60.0;
        points.iter().filter(near).count()
    };
    order.sort_by_key(|&index| std::cmp::Reverse(crowd(index)));
    let mut placed: Vec<Option<Area>> = vec![None; points.len()];
    for index in order {
        placed[index] = Some(best(index, points, sizes[index], area, &placed));
    }
    placed.into_iter().flatten().collect()
}

/// The candidate with the lowest cost; a candidate that covers something costs more than any
/// distance.
fn best(index: usize, points: &[(f64, f64)], size: (f64, f64), area: Area, placed: &[Option<Area>]) -> Area {
    let mut best = (f64::INFINITY, beside(points[index], size, 0.0, NEAR));
    for ring in 0..60 {
        let reach = NEAR + 8.0 * f64::from(ring);
        // No farther ring can be cheaper than its distance.
        if reach > best.0 {
            break;
        }
        for direction in 0..DIRECTIONS {
            let angle = std::f64::consts::TAU * direction as f64 / DIRECTIONS as f64;
            let candidate = beside(points[index], size, angle, reach);
            let cost = reach + cost(candidate, index, points, area, placed);
            if cost < best.0 {
                best = (cost, candidate);
            }
        }
    }
    best.1
}

/// An area whose nearest edge or corner is `reach` away from the point in the direction of `angle`.
fn beside(point: (f64, f64), size: (f64, f64), angle: f64, reach: f64) -> Area {
    let (x, y) = (point.0 + reach * angle.cos(), point.1 - reach * angle.sin());
    let side = |along: f64| {
        if along.abs() < 0.3 {
            0.5
        } else if along > 0.0 {
            0.0
        } else {
            1.0
        }
    };
    let left = x - size.0 * side(angle.cos());
    let top = y - size.1 * side(-angle.sin());
    [left, top, left + size.0, top + size.1]
}

fn cost(candidate: Area, index: usize, points: &[(f64, f64)], area: Area, placed: &[Option<Area>]) -> f64 {
    let outside =
        candidate[0] < area[0] || candidate[1] < area[1] || candidate[2] > area[2] || candidate[3] > area[3];
    let around = grown(candidate, GAP);
    let covers = placed.iter().flatten().any(|&other| overlap(around, other))
        || points.iter().any(|&point| overlap(around, grown([point.0, point.1, point.0, point.1], 5.0)));
    if outside || covers {
        return 1e6;
    }
    let end = nearest(candidate, points[index]);
    let reach = distance(points[index], end);
    // A label beside its point has no line: then no other point may be nearer to it.
    let claimed = points
        .iter()
        .any(|&point| point != points[index] && distance(point, nearest(candidate, point)) < reach + 2.0);
    60.0 * f64::from(u8::from(claimed)) + 150.0 * crossings(candidate, index, points, placed) as f64
}

/// How often the lines from points to labels would cross labels and other points.
fn crossings(candidate: Area, index: usize, points: &[(f64, f64)], placed: &[Option<Area>]) -> usize {
    let start = points[index];
    let end = nearest(candidate, start);
    let labels = placed.iter().flatten().filter(|&&other| crosses(start, end, other)).count();
    let lines = placed.iter().zip(points);
    let lines = lines.filter_map(|(other, &from)| other.map(|other| (from, nearest(other, from))));
    let crossed = lines.filter(|&(from, to)| crosses(from, to, candidate)).count();
    let spot = |(x, y): (f64, f64)| grown([x, y, x, y], 4.0);
    let others = points.iter().filter(|&&point| point != start);
    labels + crossed + others.filter(|&&point| crosses(start, end, spot(point))).count()
}

/// The point of `area` that is nearest to `point`.
pub(super) fn nearest(area: Area, point: (f64, f64)) -> (f64, f64) {
    (point.0.clamp(area[0], area[2]), point.1.clamp(area[1], area[3]))
}

pub(super) fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn grown(area: Area, by: f64) -> Area {
    [area[0] - by, area[1] - by, area[2] + by, area[3] + by]
}

fn overlap(a: Area, b: Area) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// Whether the line from `from` to `to` passes through `area`.
fn crosses(from: (f64, f64), to: (f64, f64), area: Area) -> bool {
    let steps = (distance(from, to) / 3.0).ceil().max(1.0);
    (0..=steps as usize).any(|step| {
        let part = step as f64 / steps;
        let (x, y) = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
        x > area[0] && x < area[2] && y > area[1] && y < area[3]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = [0.0, 0.0, 700.0, 400.0];

    fn assert_free(points: &[(f64, f64)], labels: &[Area]) {
        assert_eq!(points.len(), labels.len());
        for (index, &label) in labels.iter().enumerate() {
            assert!(label[0] >= AREA[0] && label[1] >= AREA[1] && label[2] <= AREA[2] && label[3] <= AREA[3]);
            assert!(labels[..index].iter().all(|&other| !overlap(label, other)), "{index}");
            assert!(points.iter().all(|&(x, y)| !overlap(label, [x, y, x, y])), "{index}");
        }
    }

    #[test]
    fn forty_points_on_one_spot_are_all_labelled() {
        let points = vec![(350.0, 200.0); 40];
        assert_free(&points, &place(&points, &[(50.0, 14.0); 40], AREA));
    }

    #[test]
    fn points_in_a_corner_keep_their_labels_inside() {
        let points: Vec<(f64, f64)> = (0..20).map(|i| (5.0 + f64::from(i), 5.0)).collect();
        assert_free(&points, &place(&points, &[(60.0, 14.0); 20], AREA));
    }

    #[test]
    fn a_lone_label_is_right_beside_its_point() {
        let labels = place(&[(350.0, 200.0)], &[(50.0, 14.0)], AREA);
        assert_eq!(labels, [[359.0, 193.0, 409.0, 207.0]]);
    }
}
