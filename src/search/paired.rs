//! Whether a setting loses more accuracy than allowed, decided from as few images as possible.
//!
//! Float network and setting see the same images, so only those that exactly one of them classifies
//! correctly say anything (McNemar, 1947). The mean of the differences over the images seen so far is a
//! sample without replacement of a finite set; it is compared with the allowed drop after every batch,
//! with a normal interval and the correction for a finite population (Cochran, Sampling Techniques, 1977,
//! section 2.6).

use super::Batch;

/// Half-width of the interval in standard errors: an error of 5 % in all for 20 looks at one candidate,
/// both sides, by Bonferroni (2 x 20 x 0.00125 = 0.05).
const STANDARD_ERRORS: f64 = 3.02;

/// Where a test stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The drop is allowed.
    Within,
    /// The drop is too large.
    Beyond,
    /// More images are needed.
    Open,
}

/// Decides on `seen`, the sum of the batches so far, out of `all` images.
pub fn decide(seen: &Batch, all: usize, allowed: f64) -> Decision {
    let (n, all) = (f64::from(seen.images), all as f64);
    if n >= all {
        return if seen.drop() <= allowed { Decision::Within } else { Decision::Beyond };
    }
    // One disagreement more than seen: none at all does not prove that there is none.
    let disagreements = (f64::from(seen.lost + seen.gained) + 1.0) / (n + 1.0);
    let variance = (disagreements - seen.drop().powi(2)).max(0.0);
    let error = STANDARD_ERRORS * (variance / n * (all - n) / (all - 1.0)).sqrt();
    match seen.drop() {
        drop if drop + error <= allowed => Decision::Within,
        drop if drop - error > allowed => Decision::Beyond,
        _ => Decision::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(images: u32, lost: u32, gained: u32) -> Batch {
        Batch { images, lost, gained, divergence: 0.0 }
    }

    /// 4 of 100 lost: p = 5/101, variance 0.0495 - 0.0016, error 3.02 sqrt(0.0479/100 x 900/999) = 0.0627.
    #[test]
    fn a_hundred_images_by_hand() {
        assert_eq!(decide(&batch(100, 4, 0), 1000, 0.1028), Decision::Within);
        assert_eq!(decide(&batch(100, 4, 0), 1000, 0.1026), Decision::Open);
        assert_eq!(decide(&batch(100, 40, 0), 1000, 0.2), Decision::Beyond);
    }

    #[test]
    fn the_whole_set_is_exact() {
        assert_eq!(decide(&batch(1000, 20, 5), 1000, 0.015), Decision::Within);
        assert_eq!(decide(&batch(1000, 21, 5), 1000, 0.015), Decision::Beyond);
    }

    #[test]
    fn no_disagreement_does_not_prove_much() {
        assert_eq!(decide(&batch(50, 0, 0), 5000, 0.01), Decision::Open);
        assert_eq!(decide(&batch(2000, 0, 0), 5000, 0.01), Decision::Within);
    }
}
