use crate::time::{Period, Timestamp};

/// The expected range of a value, from an anomaly model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
}

/// One value of the watched statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// The value.
    pub value: f64,
    /// Of how many samples; unknown for expressions.
    pub sample_count: Option<f64>,
    /// What was expected, for band alarms.
    pub band: Option<Band>,
}

impl Datapoint {
    /// A value of `sample_count` samples.
    pub const fn new(value: f64, sample_count: f64) -> Self {
        Self { value, sample_count: Some(sample_count), band: None }
    }
}

/// The datapoints of an evaluation range: one slot a period, `None` where one is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationWindow {
    end: Timestamp,
    period: Period,
    slots: Vec<Option<Datapoint>>,
}

impl EvaluationWindow {
    /// A window that ends at `end`; `slots` are oldest first, each `period` wide.
    pub const fn new(end: Timestamp, period: Period, slots: Vec<Option<Datapoint>>) -> Self {
        Self { end, period, slots }
    }

    /// First instant after the newest slot.
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it has no slot at all.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The slots with the instants they start at, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (Timestamp, Option<&Datapoint>)> {
        let width = self.period.as_millis();
        let starts = (1_i64..).map(move |age| self.end.plus_millis(-width.saturating_mul(age)));
        starts.zip(self.slots.iter().rev().map(Option::as_ref))
    }
}

#[cfg(test)]
impl EvaluationWindow {
    /// Reads the user guide's notation, newest rightmost: `0` good, `X` breaching, `-` missing.
    pub(crate) fn parse(points: &str) -> Self {
        let slot = |word| match word {
            "0" => Some(Datapoint::new(0.0, 1.0)),
            "X" => Some(Datapoint::new(1.0, 1.0)),
            "-" => None,
            other => panic!("{other:?} is no datapoint"),
        };
        let end = Timestamp::from_secs(600);
        Self::new(end, Period::MINUTE, points.split_whitespace().map(slot).collect())
    }
}
