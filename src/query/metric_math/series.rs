use crate::time::{Period, TimeRange, Timestamp};

/// One time series: points oldest first, each at the start of its period.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// How it is told apart from others of the same result.
    pub label: String,
    /// The width of its points.
    pub period: Period,
    /// Its points, strictly ascending by time.
    pub points: Vec<(Timestamp, f64)>,
}

/// What an expression or a part of one yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// One series.
    Series(Series),
    /// Several series.
    List(Vec<Series>),
    /// A text or a keyword, for the functions that take one.
    Text(String),
}

impl Series {
    /// A series without points.
    pub fn new(label: impl Into<String>, period: Period) -> Self {
        Self { label: label.into(), period, points: Vec::new() }
    }

    /// The value at `time`.
    pub fn at(&self, time: Timestamp) -> Option<f64> {
        let found = self.points.binary_search_by_key(&time, |(at, _)| *at).ok()?;
        self.points.get(found).map(|(_, value)| *value)
    }

    /// The same points with each value changed; a value that becomes no number is dropped.
    #[must_use]
    pub(super) fn map(&self, change: impl Fn(Timestamp, f64) -> f64) -> Self {
        let point = |(at, value): &(Timestamp, f64)| (*at, change(*at, *value));
        let finite = |(_, value): &(Timestamp, f64)| value.is_finite();
        let points = self.points.iter().map(point).filter(finite).collect();
        Self { points, ..self.clone() }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        self.points.iter().map(|(_, value)| *value)
    }

    /// Points of both, side by side, at every time that either has.
    pub(super) fn union<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (Timestamp, Option<f64>, Option<f64>)> + 'a {
        let (mut left, mut right) = (self.points.iter().peekable(), other.points.iter().peekable());
        std::iter::from_fn(move || {
            let time = match (left.peek(), right.peek()) {
                (Some((a, _)), Some((b, _))) => *a.min(b),
                (Some((a, _)), None) => *a,
                (None, Some((b, _))) => *b,
                (None, None) => return None,
            };
            let a = left.next_if(|(at, _)| *at == time).map(|(_, value)| *value);
            let b = right.next_if(|(at, _)| *at == time).map(|(_, value)| *value);
            Some((time, a, b))
        })
    }
}

/// The start of every period that lies in `range`.
pub(super) fn slots(range: TimeRange, period: Period) -> impl Iterator<Item = Timestamp> {
    // BOUND: CloudWatch returns at most 100,800 points a call.
    const SLOTS_MAX: usize = 100_800;
    let first = range.start.floor(period);
    let next = move |at: &Timestamp| Some(at.plus_millis(period.as_millis()));
    std::iter::successors(Some(first), next).take_while(move |at| *at < range.end).take(SLOTS_MAX)
}
