//! Quantities as named parts that add up to a total.

/// Declares a struct of `f64` parts with their total, their list, sums and means.
macro_rules! parts {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $label:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
        pub struct $name { $($(#[$field_doc])* pub $field: f64),+ }

        impl $name {
            /// (field name, label for people) of every part, in printing order.
            pub const LABELS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), $label)),+];

            /// Every part, in the order of [`Self::LABELS`].
            pub fn parts(&self) -> Vec<f64> {
                vec![$(self.$field),+]
            }

            /// The sum of the parts.
            pub fn total(&self) -> f64 {
                let mut sum = 0.0;
                $(sum += self.$field;)+
                sum
            }

            /// Every part divided by `count`: of a sum, the mean.
            #[must_use]
            pub fn divided_by(&self, count: f64) -> Self {
                Self { $($field: self.$field / count),+ }
            }

            /// Every part times `factor`.
            #[must_use]
            pub fn times(&self, factor: f64) -> Self {
                Self { $($field: self.$field * factor),+ }
            }

            /// Adds `other` times `factor`, part by part.
            pub fn add_scaled(&mut self, other: &Self, factor: f64) {
                $(self.$field += other.$field * factor;)+
            }
        }
    };
}

pub(crate) use parts;
