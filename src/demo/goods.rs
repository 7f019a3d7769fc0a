use std::fmt;

use serde::{Serialize, Serializer};

/// One thing that the shop sells.
#[derive(Debug, Serialize)]
pub(super) struct Product {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) price: Price,
    /// An SVG drawing in a box of 120 by 90.
    #[serde(skip)]
    pub(super) drawing: &'static str,
}

/// An amount of money in euro cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Price(pub(super) u32);

impl Price {
    pub(super) const fn times(self, quantity: u32) -> Self {
        Self(self.0.saturating_mul(quantity))
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "€ {}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

/// Everything on the shelves, in shelf order.
pub(super) const GOODS: [Product; 6] = [
    Product {
        id: "desk-lamp",
        name: "Desk lamp",
        about: "Folds flat, points anywhere.",
        price: Price(3_900),
        drawing: "<path d='M34 78h40M54 78V58L38 36l22-16' fill='none' stroke='#334155' \
                  stroke-width='4'/><path d='M52 12l26 14-14 18-22-22z' fill='#f59e0b'/>",
    },
    Product {
        id: "floor-lamp",
        name: "Floor lamp",
        about: "Two metres of calm.",
        price: Price(12_900),
        drawing: "<path d='M60 82V32M44 82h32' fill='none' stroke='#334155' stroke-width='4'/>\
                  <path d='M46 10h28l12 24H34z' fill='#f59e0b'/>",
    },
    Product {
        id: "reading-lamp",
        name: "Reading lamp",
        about: "Clips on, lights one page.",
        price: Price(5_900),
        drawing: "<path d='M36 80h24M48 80V30q0-14 16-14h8' fill='none' stroke='#334155' \
                  stroke-width='4'/><path d='M72 8h20l8 24H64z' fill='#f59e0b'/>",
    },
    Product {
        id: "storm-lantern",
        name: "Storm lantern",
        about: "Burns on through the night.",
        price: Price(2_450),
        drawing: "<rect x='42' y='30' width='36' height='42' rx='6' fill='#fde68a' \
                  stroke='#334155' stroke-width='4'/><path d='M48 30q12-24 24 0M38 78h44' \
                  fill='none' stroke='#334155' stroke-width='4'/>",
    },
    Product {
        id: "edison-bulb",
        name: "Edison bulb",
        about: "Warm white, 2,200 K.",
        price: Price(890),
        drawing: "<circle cx='60' cy='36' r='24' fill='#fde68a' stroke='#334155' \
                  stroke-width='4'/><path d='M50 64h20M52 72h16M55 80h10' fill='none' \
                  stroke='#334155' stroke-width='4'/>",
    },
    Product {
        id: "pocket-torch",
        name: "Pocket torch",
        about: "For who was paged.",
        price: Price(1_200),
        drawing: "<rect x='18' y='38' width='48' height='16' rx='4' fill='#334155'/>\
                  <path d='M66 34l16-6v36l-16-6z' fill='#64748b'/>\
                  <path d='M86 30l22-10v52L86 62z' fill='#fde68a'/>",
    },
];

/// The product with this id.
pub(super) fn product(id: &str) -> Option<&'static Product> {
    GOODS.iter().find(|product| product.id == id)
}

/// Products whose name contains `word`, whatever its case; all of them for an empty word.
pub(super) fn search(word: &str) -> Vec<&'static Product> {
    let word = word.trim().to_lowercase();
    GOODS.iter().filter(|product| product.name.to_lowercase().contains(&word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_every_lamp_whatever_the_case() {
        let ids = |word: &str| search(word).iter().map(|p| p.id).collect::<Vec<_>>();
        assert_eq!(ids(" LAMP "), ["desk-lamp", "floor-lamp", "reading-lamp"]);
        assert_eq!(ids("").len(), GOODS.len());
        assert!(ids("sofa").is_empty());
    }

    #[test]
    fn prices_are_shown_in_euro_and_sent_as_numbers() {
        assert_eq!(Price(2_450).to_string(), "€ 24.50");
        assert_eq!(serde_json::to_value(Price(2_450)).unwrap(), 24.5);
        assert_eq!(Price(u32::MAX).times(2).plus(Price(1)), Price(u32::MAX));
    }
}
