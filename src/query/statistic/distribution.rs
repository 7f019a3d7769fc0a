use super::histogram::ExponentialHistogram;

/// How the samples of a bucket are spread: exact while few values differ, a histogram after.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// `(value, count)`, by value, each value once.
    Exact(Vec<(f64, f64)>),
    Histogram(ExponentialHistogram),
}

impl Distribution {
    /// Up to this many distinct values are kept exactly.
    pub const EXACT_VALUES_MAX: usize = 64;

    /// The distribution of `(value, count)` pairs, in any order.
    ///
    /// Returns `None` when a value is negative or not finite, or a count is not above zero:
    /// extended statistics do not exist for such samples.
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let mut pairs: Vec<(f64, f64)> = pairs.into_iter().collect();
        let valid = |&(v, n): &(f64, f64)| v.is_finite() && v >= 0.0 && n.is_finite() && n > 0.0;
        if !pairs.iter().all(valid) {
            return None;
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(Self(Form::Exact(pairs)).normalized())
    }

    /// The distribution that a histogram shows.
    pub const fn of_histogram(histogram: ExponentialHistogram) -> Self {
        Self(Form::Histogram(histogram))
    }

    /// `(value, count)` by value, while the distribution is exact.
    pub fn exact(&self) -> Option<&[(f64, f64)]> {
        match &self.0 {
            Form::Exact(pairs) => Some(pairs),
            Form::Histogram(_) => None,
        }
    }

    /// The histogram, once the distribution is one.
    pub const fn histogram(&self) -> Option<&ExponentialHistogram> {
        match &self.0 {
            Form::Exact(_) => None,
            Form::Histogram(histogram) => Some(histogram),
        }
    }

    /// Adds every sample of `other`.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (Form::Exact(mine), Form::Exact(theirs)) => {
                // The usual case is one sample more; a search beats sorting the lot again.
                for &(value, count) in theirs {
                    insert(mine, value, count);
                }
            }
            (Form::Histogram(mine), Form::Exact(theirs)) => {
                theirs.iter().for_each(|(value, count)| mine.add(*value, *count));
            }
            (Form::Histogram(mine), Form::Histogram(theirs)) => mine.merge(theirs),
            (Form::Exact(mine), Form::Histogram(theirs)) => {
                let mut histogram = theirs.clone();
                mine.iter().for_each(|(value, count)| histogram.add(*value, *count));
                self.0 = Form::Histogram(histogram);
            }
        }
        if let Form::Exact(pairs) = &self.0
            && pairs.len() > Self::EXACT_VALUES_MAX
        {
            self.0 = Form::Histogram(to_histogram(pairs));
        }
    }

    /// `(value, count)` by value; histogram buckets stand at their middle.
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        match &self.0 {
            Form::Exact(pairs) => pairs.clone(),
            Form::Histogram(histogram) => histogram.points().collect(),
        }
    }

    fn normalized(self) -> Self {
        let Form::Exact(mut pairs) = self.0 else { return self };
        pairs.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        if pairs.len() > Self::EXACT_VALUES_MAX {
            return Self(Form::Histogram(to_histogram(&pairs)));
        }
        Self(Form::Exact(pairs))
    }
}

fn insert(pairs: &mut Vec<(f64, f64)>, value: f64, count: f64) {
    match pairs.binary_search_by(|(v, _)| v.total_cmp(&value)) {
        Ok(at) => {
            if let Some((_, n)) = pairs.get_mut(at) {
                *n += count;
            }
        }
        Err(at) => pairs.insert(at, (value, count)),
    }
}

fn to_histogram(pairs: &[(f64, f64)]) -> ExponentialHistogram {
    let mut histogram = ExponentialHistogram::new();
    pairs.iter().for_each(|(value, count)| histogram.add(*value, *count));
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_values_are_exact_and_one_more_is_a_histogram() {
        let pairs = |n: i32| (0..n).map(|v| (f64::from(v), 1.0));
        assert!(Distribution::of(pairs(64)).unwrap().exact().is_some());
        let mut grown = Distribution::of(pairs(64)).unwrap();
        grown.merge(&Distribution::of([(64.0, 1.0)]).unwrap());
        assert_eq!(grown, Distribution::of(pairs(65)).unwrap());
        assert!(grown.histogram().is_some());
    }

    #[test]
    fn equal_values_are_counted_together() {
        let seen = Distribution::of([(2.0, 1.0), (1.0, 3.0), (2.0, 0.5)]).unwrap();
        assert_eq!(seen.exact(), Some(&[(1.0, 3.0), (2.0, 1.5)][..]));
    }

    #[test]
    fn a_negative_value_has_no_distribution() {
        assert_eq!(Distribution::of([(1.0, 1.0), (-0.5, 1.0)]), None);
    }
}
