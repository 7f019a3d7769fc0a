//! The aggregates of `stats`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;

use super::ast::Expression;
use super::evaluate::Scope;
use super::period::Period;
use super::value::Value;
use crate::time::Timestamp;

/// One aggregate of a stats command: what it does and over which expression.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub(super) kind: Kind,
    pub(super) argument: Option<Expression>,
}

/// What an aggregate does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Count,
    CountDistinct,
    Sum,
    Average,
    Minimum,
    Maximum,
    Percentile(f64),
    Deviation,
    Variance,
    Earliest,
    Latest,
    SortsFirst,
    SortsLast,
    Values,
    TopK(usize),
    Rate(Period),
    CountOverTime(Period),
    SumOverTime(Period),
    Histogram(usize),
}

/// The running state of one aggregate in one group.
#[derive(Clone, Debug)]
pub(super) enum State {
    Count(f64),
    Sum { sum: f64, count: f64 },
    Moments { count: f64, mean: f64, squares: f64 },
    Best(Value),
    At(Option<(Timestamp, Value)>),
    Numbers(Vec<f64>),
    Distinct(HashMap<String, u64>),
    List(Vec<String>),
    OverTime(BTreeMap<Timestamp, f64>),
}

/// How many values a percentile, a distinct count or a list keeps of one group.
pub(super) const KEPT_MAX: usize = 1_000_000;

impl Aggregate {
    pub(super) fn start(&self) -> State {
        match self.kind {
            Kind::Count => State::Count(0.0),
            Kind::Sum | Kind::Average | Kind::Rate(_) => State::Sum { sum: 0.0, count: 0.0 },
            Kind::Deviation | Kind::Variance => {
                State::Moments { count: 0.0, mean: 0.0, squares: 0.0 }
            }
            Kind::Minimum | Kind::Maximum | Kind::SortsFirst | Kind::SortsLast => {
                State::Best(Value::Null)
            }
            Kind::Earliest | Kind::Latest => State::At(None),
            Kind::Percentile(_) | Kind::Histogram(_) => State::Numbers(Vec::new()),
            Kind::CountDistinct | Kind::TopK(_) => State::Distinct(HashMap::new()),
            Kind::Values => State::List(Vec::new()),
            Kind::CountOverTime(_) | Kind::SumOverTime(_) => State::OverTime(BTreeMap::new()),
        }
    }

    /// Takes one row in; the number of values newly kept, for the caller's budget.
    pub(super) fn add(&self, state: &mut State, scope: &Scope<'_, '_>) -> usize {
        match state {
            State::Sum { sum, count } => {
                if let Some(number) = self.number(scope) {
                    *sum += number;
                    *count += 1.0;
                }
                return 0;
            }
            State::Moments { count, mean, squares } => {
                if let Some(number) = self.number(scope) {
                    spread((count, mean, squares), number);
                }
                return 0;
            }
            State::Numbers(numbers) => {
                let before = numbers.len();
                numbers.extend(self.number(scope));
                return numbers.len() - before;
            }
            State::Count(count) if self.argument.is_none() => {
                *count += 1.0;
                return 0;
            }
            _ => {}
        }
        let value = self.argument.as_ref().map_or(Value::Boolean(true), |e| scope.value(e));
        if value.is_null() {
            return 0;
        }
        let timestamp = match scope.row.get("@timestamp") {
            Value::Timestamp(at) => at,
            _ => Timestamp::EPOCH,
        };
        match state {
            State::Count(count) => *count += 1.0,
            State::Sum { .. } | State::Moments { .. } | State::Numbers(_) => {}
            State::Best(best) => {
                if best.is_null() || self.is_better(&value, best) {
                    *best = value;
                }
            }
            State::At(at) => {
                let better = at.as_ref().is_none_or(|(held, _)| match self.kind {
                    Kind::Earliest => timestamp < *held,
                    _ => timestamp >= *held,
                });
                if better {
                    *at = Some((timestamp, value));
                }
            }
            State::Distinct(seen) => {
                let before = seen.len();
                *seen.entry(value.shown()).or_default() += 1;
                return seen.len() - before;
            }
            State::List(list) => {
                list.push(value.shown());
                return 1;
            }
            State::OverTime(buckets) => {
                let (period, number) = match self.kind {
                    Kind::SumOverTime(period) => (period, value.number().unwrap_or(0.0)),
                    Kind::CountOverTime(period) => (period, 1.0),
                    _ => return 0,
                };
                *buckets.entry(period.floor(timestamp, None)).or_default() += number;
            }
        }
        0
    }

    fn number(&self, scope: &Scope<'_, '_>) -> Option<f64> {
        self.argument.as_ref().map_or(Some(1.0), |expression| scope.number(expression))
    }

    fn is_better(&self, value: &Value, best: &Value) -> bool {
        match self.kind {
            Kind::Minimum | Kind::Maximum => match value.compare(best) {
                // Of `5` and `5.0` the same one wins in whatever order records come.
                Some(Ordering::Equal) => value != best && value.as_text() < best.as_text(),
                Some(order) => order.is_lt() == (self.kind == Kind::Minimum),
                None => false,
            },
            Kind::SortsFirst => value.natural(best) == Ordering::Less,
            _ => value.natural(best) == Ordering::Greater,
        }
    }

    /// The result over all rows taken in. `range_millis` is the length of the query's window.
    pub(super) fn finish(&self, state: State, range_millis: f64) -> Value {
        match (self.kind, state) {
            (_, State::Count(count)) => Value::Number(count),
            (_, State::Sum { count: 0.0, .. }) => Value::Null,
            (Kind::Average, State::Sum { sum, count }) => Value::Number(sum / count),
            #[expect(clippy::cast_precision_loss, reason = "a period is far below 2^52 ms")]
            (Kind::Rate(period), State::Sum { sum, .. }) => {
                let periods = range_millis / period.millis() as f64;
                if periods > 0.0 { Value::Number(sum / periods) } else { Value::Null }
            }
            (_, State::Sum { sum, .. }) => Value::Number(sum),
            (_, State::Moments { count: 0.0, .. }) => Value::Null,
            (Kind::Variance, State::Moments { count, squares, .. }) => {
                Value::Number(squares / count)
            }
            (_, State::Moments { count, squares, .. }) => Value::Number((squares / count).sqrt()),
            (_, State::Best(value)) => value,
            (_, State::At(at)) => at.map_or(Value::Null, |(_, value)| value),
            (Kind::Percentile(percent), State::Numbers(numbers)) => percentile(numbers, percent),
            (Kind::Histogram(buckets), State::Numbers(numbers)) => histogram(&numbers, buckets),
            (_, State::Numbers(_)) => Value::Null,
            (Kind::TopK(k), State::Distinct(seen)) => {
                let mut counted: Vec<(String, u64)> = seen.into_iter().collect();
                counted.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
                list(counted.into_iter().take(k).map(|(value, _)| value))
            }
            #[expect(clippy::cast_precision_loss, reason = "at most KEPT_MAX")]
            (_, State::Distinct(seen)) => Value::Number(seen.len() as f64),
            (_, State::List(values)) => list(values.into_iter()),
            (_, State::OverTime(buckets)) => {
                let pair = |(at, number): (Timestamp, f64)| {
                    (Value::Timestamp(at).shown(), Json::from(number))
                };
                Value::Json(Arc::new(Json::Object(buckets.into_iter().map(pair).collect())))
            }
        }
    }
}

fn list(values: impl Iterator<Item = String>) -> Value {
    Value::Json(Arc::new(Json::Array(values.map(Json::from).collect())))
}

/// Linear interpolation between the two nearest ranks, `p / 100 * (n - 1)`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rank lies between 0 and the number of values"
)]
fn percentile(mut numbers: Vec<f64>, percent: f64) -> Value {
    numbers.sort_unstable_by(f64::total_cmp);
    let Some(last) = numbers.len().checked_sub(1) else { return Value::Null };
    let rank = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
    let at = |index: f64| numbers.get(index as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(rank.floor()), at(rank.ceil()));
    Value::Number(low + (high - low) * rank.fract())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bucket's index lies below their number"
)]
fn histogram(numbers: &[f64], buckets: usize) -> Value {
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if numbers.is_empty() {
        return Value::Null;
    }
    let width = (high - low) / buckets as f64;
    let mut counts = vec![0_u64; buckets];
    for number in numbers {
        let index = if width > 0.0 { ((number - low) / width) as usize } else { 0 };
        if let Some(count) = counts.get_mut(index.min(buckets - 1)) {
            *count += 1;
        }
    }
    let pair = |(index, count): (usize, u64)| {
        (Value::Number(low + width * index as f64).shown(), Json::from(count))
    };
    Value::Json(Arc::new(Json::Object(counts.into_iter().enumerate().map(pair).collect())))
}

/// Welford's step: no large squares are subtracted from each other.
fn spread((count, mean, squares): (&mut f64, &mut f64, &mut f64), number: f64) {
    *count += 1.0;
    let before = number - *mean;
    *mean += before / *count;
    *squares += before * (number - *mean);
}
