//! Rows and columns of a kernel, a stride or a padding.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows and columns; a file says one number where both are equal, else `(rows, columns)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides(pub [usize; 2]);

impl From<usize> for Sides {
    fn from(both: usize) -> Self {
        Self([both; 2])
    }
}

impl From<[usize; 2]> for Sides {
    fn from(sides: [usize; 2]) -> Self {
        Self(sides)
    }
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [rows, columns] if rows == columns => write!(f, "{rows}"),
            [rows, columns] => write!(f, "{rows} x {columns}"),
        }
    }
}

impl Serialize for Sides {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [rows, columns] if rows == columns => rows.serialize(to),
            sides => sides.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Sides {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrTwo;
        impl<'de> Visitor<'de> for OneOrTwo {
            type Value = Sides;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or two: rows and columns")
            }

            fn visit_u64<E: Error>(self, both: u64) -> Result<Sides, E> {
                usize::try_from(both).map(Sides::from).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sides, A::Error> {
                let mut side = |at| items.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self));
                let sides = Sides([side(0)?, side(1)?]);
                match items.next_element::<usize>()? {
                    Some(_) => Err(A::Error::invalid_length(3, &self)),
                    None => Ok(sides),
                }
            }
        }
        from.deserialize_any(OneOrTwo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_or_two() {
        let ron = |text: &str| ron::from_str::<Sides>(text).map_err(|e| e.to_string());
        let json = |text: &str| serde_json::from_str::<Sides>(text).map_err(|e| e.to_string());
        assert_eq!((ron("3"), json("3")), (Ok(Sides([3, 3])), Ok(Sides([3, 3]))));
        assert_eq!((ron("(3, 1)"), json("[3, 1]")), (Ok(Sides([3, 1])), Ok(Sides([3, 1]))));
        for wrong in ["(3)", "(3, 1, 2)", "-3", "\"3\"", "1.5"] {
            assert!(ron(wrong).is_err(), "{wrong}");
        }
        assert!(json("[3, 1, 2]").unwrap_err().contains("a whole number, or two: rows and columns"));
        let written = |sides| serde_json::to_string(&Sides(sides)).unwrap();
        assert_eq!((written([3, 3]), written([3, 1])), ("3".to_owned(), "[3,1]".to_owned()));
    }
}
