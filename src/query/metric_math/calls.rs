//! The functions of metric math, in the order of the user guide.

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::evaluate::each;
use super::series::slots;
use super::{Inputs, MathError, Series, Value};
use crate::time::{Period, Timestamp};

/// Functions of CloudWatch that need services which do not exist here.
const UNSUPPORTED: [&str; 5] = [
    "ANOMALY_DETECTION_BAND",
    "INSIGHT_RULE_METRIC",
    "SERVICE_QUOTA",
    "DB_PERF_INSIGHTS",
    "LAMBDA",
];

/// Calls `name`.
pub(super) fn call(name: &str, arguments: Vec<Value>, inputs: &Inputs) -> Result<Value, MathError> {
    let call = Call { name, arguments, inputs };
    match name {
        "ABS" => call.per_point(f64::abs),
        "CEIL" => call.per_point(f64::ceil),
        "FLOOR" => call.per_point(f64::floor),
        "LOG" => call.per_point(f64::ln),
        "LOG10" => call.per_point(f64::log10),
        "AVG" => call.aggregate(Aggregate::Average),
        "MAX" => call.aggregate(Aggregate::Maximum),
        "MIN" => call.aggregate(Aggregate::Minimum),
        "SUM" => call.aggregate(Aggregate::Sum),
        "STDDEV" => call.aggregate(Aggregate::Deviation),
        "DATAPOINT_COUNT" => call.aggregate(Aggregate::Count),
        "DIFF" => call.pairwise(|_, change| change),
        "DIFF_TIME" => call.pairwise(|seconds, _| seconds),
        "RATE" => call.pairwise(|seconds, change| change / seconds),
        "RUNNING_SUM" => call.running_sum(),
        "FILL" => call.fill(),
        "FIRST" => call.pick(|list| list.first()),
        "LAST" => call.pick(|list| list.last()),
        "IF" => call.choose(),
        "METRICS" => call.metrics(),
        "MINUTE" => call.calendar(|at| f64::from(at.minute())),
        "HOUR" => call.calendar(|at| f64::from(at.hour())),
        "DAY" => call.calendar(|at| f64::from(at.weekday().number_from_monday())),
        "DATE" => call.calendar(|at| f64::from(at.day())),
        "MONTH" => call.calendar(|at| f64::from(at.month())),
        "YEAR" => call.calendar(|at| f64::from(at.year())),
        "EPOCH" => call.epoch(),
        "PERIOD" => call.period(),
        "REMOVE_EMPTY" => call.remove_empty(),
        "SLICE" => call.slice(),
        "SORT" => call.sort(),
        "TIME_SERIES" => call.time_series(),
        _ if UNSUPPORTED.contains(&name) => Err(MathError::Unsupported { name: name.into() }),
        _ => Err(MathError::UnknownFunction { name: name.into() }),
    }
}

#[derive(Clone, Copy)]
enum Aggregate {
    Average,
    Maximum,
    Minimum,
    Sum,
    Deviation,
    Count,
}

impl Aggregate {
    /// Over existing values; `missing` more count as 0 where AWS says so.
    #[expect(clippy::cast_precision_loss, reason = "counts of points are far below 2^52")]
    fn of(self, values: &[f64], missing: usize) -> f64 {
        let count = (values.len() + missing) as f64;
        let sum: f64 = values.iter().sum();
        match self {
            Self::Average => sum / count,
            Self::Maximum => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Minimum => values.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Sum => sum,
            Self::Deviation => {
                // Population; the documentation leaves it open.
                let mean = sum / values.len() as f64;
                let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
                (squares / values.len() as f64).sqrt()
            }
            Self::Count => values.len() as f64,
        }
    }
}

struct Call<'a> {
    name: &'a str,
    arguments: Vec<Value>,
    inputs: &'a Inputs,
}

impl Call<'_> {
    fn wrong(&self, takes: &'static str) -> MathError {
        MathError::Arguments { function: self.name.into(), takes }
    }

    fn only(self) -> Result<Value, MathError> {
        let wrong = self.wrong("one series or list of series");
        match <[Value; 1]>::try_from(self.arguments) {
            Ok([value @ (Value::Series(_) | Value::List(_))]) => Ok(value),
            _ => Err(wrong),
        }
    }

    fn only_list(self) -> Result<Vec<Series>, MathError> {
        Ok(match self.only()? {
            Value::List(list) => list,
            Value::Series(series) => vec![series],
            Value::Scalar(_) | Value::Text(_) => Vec::new(),
        })
    }

    fn per_point(self, change: fn(f64) -> f64) -> Result<Value, MathError> {
        let name = self.name;
        each(self.only()?, name, &|series| series.map(|_, value| change(value)))
    }

    /// Over the points of one series to a number, or across a list at each time to a series.
    fn aggregate(self, aggregate: Aggregate) -> Result<Value, MathError> {
        let period = self.inputs.period;
        let list = match self.only()? {
            Value::Series(series) => {
                let values: Vec<f64> = series.values().collect();
                let result = aggregate.of(&values, 0);
                return Ok(Value::Scalar(if result.is_finite() { result } else { 0.0 }));
            }
            Value::List(list) => list,
            Value::Scalar(_) | Value::Text(_) => Vec::new(),
        };
        let mut times: Vec<Timestamp> =
            list.iter().flat_map(|series| series.points.iter().map(|(at, _)| *at)).collect();
        times.sort_unstable();
        times.dedup();
        let point = |at: Timestamp| {
            let values: Vec<f64> = list.iter().filter_map(|series| series.at(at)).collect();
            (at, aggregate.of(&values, list.len() - values.len()))
        };
        let points = times.into_iter().map(point).collect();
        Ok(Value::Series(Series { points, ..Series::new("", period) }))
    }

    /// From each point and the one before it: seconds between them, and the change.
    fn pairwise(self, value: fn(f64, f64) -> f64) -> Result<Value, MathError> {
        let name = self.name;
        each(self.only()?, name, &|series| {
            let next = series.points.iter().skip(1);
            let pair = |((before, old), (at, new)): (&(Timestamp, f64), &(Timestamp, f64))| {
                #[expect(clippy::cast_precision_loss, reason = "time between two points")]
                let seconds = at.millis_since(*before) as f64 / 1000.0;
                (*at, value(seconds, new - old))
            };
            let points = series.points.iter().zip(next).map(pair).collect();
            Series { points, ..series.clone() }
        })
    }

    fn running_sum(self) -> Result<Value, MathError> {
        let name = self.name;
        each(self.only()?, name, &|series| {
            let add = |sum: &mut f64, (at, value): &(Timestamp, f64)| {
                *sum += value;
                Some((*at, *sum))
            };
            Series { points: series.points.iter().scan(0.0, add).collect(), ..series.clone() }
        })
    }

    fn fill(self) -> Result<Value, MathError> {
        let wrong = self.wrong("series, and a number, a series, REPEAT or LINEAR");
        let (name, inputs) = (self.name, self.inputs);
        let Ok([target, filler]) = <[Value; 2]>::try_from(self.arguments) else {
            return Err(wrong);
        };
        let filler = match filler {
            Value::Scalar(number) => Filler::Number(number),
            Value::Series(series) => Filler::Series(series),
            Value::Text(word) if word == "REPEAT" => Filler::Repeat,
            Value::Text(word) if word == "LINEAR" => Filler::Linear,
            Value::Text(_) | Value::List(_) => return Err(wrong),
        };
        each(target, name, &|series| {
            let point = |at| Some((at, series.at(at).or_else(|| filler.at(at, series))?));
            let points = slots(inputs.range, series.period).filter_map(point).collect();
            Series { points, ..series.clone() }
        })
    }

    fn pick(self, pick: fn(&[Series]) -> Option<&Series>) -> Result<Value, MathError> {
        let period = self.inputs.period;
        let list = self.only_list()?;
        Ok(Value::Series(pick(&list).cloned().unwrap_or_else(|| Series::new("", period))))
    }

    fn choose(self) -> Result<Value, MathError> {
        let wrong = self.wrong("a condition, a value and another value");
        let period = self.inputs.period;
        let mut arguments = self.arguments.into_iter();
        let (condition, then, otherwise, None) =
            (arguments.next(), arguments.next(), arguments.next(), arguments.next())
        else {
            return Err(wrong);
        };
        let (Some(condition), Some(then)) = (condition, then) else { return Err(wrong) };
        let is_branch = |value: &Value| matches!(value, Value::Scalar(_) | Value::Series(_));
        if !is_branch(&then) || !otherwise.as_ref().is_none_or(is_branch) {
            return Err(wrong);
        }
        match condition {
            Value::Scalar(condition) => {
                let chosen = if condition == 0.0 { otherwise } else { Some(then) };
                Ok(chosen.unwrap_or_else(|| Value::Series(Series::new("", period))))
            }
            Value::Series(condition) => {
                let point = |(at, truth): &(Timestamp, f64)| {
                    let value = if *truth == 0.0 {
                        // A series that is given and has no point counts as 0, in the newest
                        // documentation, when the other branch is a series too.
                        let zero = matches!(then, Value::Series(_)).then_some(0.0);
                        branch(otherwise.as_ref()?, *at).or(zero)
                    } else {
                        branch(&then, *at).or(Some(0.0))
                    };
                    Some((*at, value?))
                };
                let points = condition.points.iter().filter_map(point).collect();
                Ok(Value::Series(Series { points, ..condition }))
            }
            Value::List(_) | Value::Text(_) => Err(wrong),
        }
    }

    fn metrics(self) -> Result<Value, MathError> {
        let part = match self.arguments.as_slice() {
            [] => "",
            [Value::Text(part)] => part.as_str(),
            _ => return Err(self.wrong("nothing, or a part of an id")),
        };
        let chosen = self.inputs.metrics.iter().filter(|id| id.contains(part));
        let value = |id: &String| self.inputs.values.iter().find(|(name, _)| name == id);
        let series = chosen.filter_map(value).filter_map(|(_, value)| match value {
            Value::Series(series) => Some(series.clone()),
            _ => None,
        });
        Ok(Value::List(series.collect()))
    }

    fn calendar(self, part: fn(DateTime<Utc>) -> f64) -> Result<Value, MathError> {
        self.every_slot(|at| DateTime::from_timestamp_millis(at.as_millis()).map(part))
    }

    #[expect(clippy::cast_precision_loss, reason = "epoch seconds are far below 2^52")]
    fn epoch(self) -> Result<Value, MathError> {
        self.every_slot(|at| Some(at.as_secs() as f64))
    }

    fn every_slot(self, value: impl Fn(Timestamp) -> Option<f64>) -> Result<Value, MathError> {
        let (name, range) = (self.name, self.inputs.range);
        each(self.only()?, name, &|series| {
            let point = |at| Some((at, value(at)?));
            let points = slots(range, series.period).filter_map(point).collect();
            Series { points, ..series.clone() }
        })
    }

    fn period(self) -> Result<Value, MathError> {
        let wrong = self.wrong("one metric");
        match self.only()? {
            Value::Series(series) => Ok(Value::Scalar(f64::from(series.period.as_secs()))),
            _ => Err(wrong),
        }
    }

    fn remove_empty(self) -> Result<Value, MathError> {
        let full = |series: &Series| !series.points.is_empty();
        Ok(Value::List(self.only_list()?.into_iter().filter(full).collect()))
    }

    fn slice(self) -> Result<Value, MathError> {
        let wrong = self.wrong("a list, a start and an end");
        let (list, from, to) = match self.arguments.as_slice() {
            [Value::List(list), Value::Scalar(from)] => (list, *from, None),
            [Value::List(list), Value::Scalar(from), Value::Scalar(to)] => (list, *from, Some(*to)),
            _ => return Err(wrong),
        };
        let to = to.map_or(list.len(), position).min(list.len());
        let from = position(from).min(to);
        Ok(Value::List(list.get(from..to).unwrap_or_default().to_vec()))
    }

    fn sort(self) -> Result<Value, MathError> {
        let wrong = self.wrong("a list, AVG, MAX, MIN or SUM, ASC or DESC, and a limit");
        let (list, key, order, limit) = match self.arguments.as_slice() {
            [Value::List(list), Value::Text(key), Value::Text(order)] => (list, key, order, None),
            [Value::List(list), Value::Text(key), Value::Text(order), Value::Scalar(limit)] => {
                (list, key, order, Some(*limit))
            }
            _ => return Err(wrong),
        };
        let key = match key.as_str() {
            "AVG" => Aggregate::Average,
            "MAX" => Aggregate::Maximum,
            "MIN" => Aggregate::Minimum,
            "SUM" => Aggregate::Sum,
            _ => return Err(wrong),
        };
        let descending = match order.as_str() {
            "ASC" => false,
            "DESC" => true,
            _ => return Err(wrong),
        };
        let keyed = |series: &Series| {
            let values: Vec<f64> = series.values().collect();
            (key.of(&values, 0), series.clone())
        };
        let mut sorted: Vec<(f64, Series)> = list.iter().map(keyed).collect();
        sorted.sort_by(|(a, _), (b, _)| if descending { b.total_cmp(a) } else { a.total_cmp(b) });
        sorted.truncate(limit.map_or(usize::MAX, position));
        Ok(Value::List(sorted.into_iter().map(|(_, series)| series).collect()))
    }

    fn time_series(self) -> Result<Value, MathError> {
        let [Value::Scalar(number)] = self.arguments.as_slice() else {
            return Err(self.wrong("one number"));
        };
        let Inputs { range, period, .. } = *self.inputs;
        let points = slots(range, period).map(|at| (at, *number)).collect();
        Ok(Value::Series(Series { points, ..Series::new("", period) }))
    }
}

fn branch(value: &Value, at: Timestamp) -> Option<f64> {
    match value {
        Value::Scalar(number) => Some(*number),
        Value::Series(series) => series.at(at),
        Value::List(_) | Value::Text(_) => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn position(number: f64) -> usize {
    number as usize
}

enum Filler {
    Number(f64),
    Series(Series),
    Repeat,
    Linear,
}

impl Filler {
    fn at(&self, at: Timestamp, series: &Series) -> Option<f64> {
        let after = series.points.partition_point(|(time, _)| *time < at);
        let before = after.checked_sub(1).and_then(|index| series.points.get(index));
        match self {
            Self::Number(number) => Some(*number),
            Self::Series(filler) => filler.at(at),
            Self::Repeat => before.map(|(_, value)| *value),
            Self::Linear => {
                let ((from, low), (to, high)) = (before?, series.points.get(after)?);
                #[expect(clippy::cast_precision_loss, reason = "time between two points")]
                let share = at.millis_since(*from) as f64 / to.millis_since(*from) as f64;
                Some(low + (high - low) * share)
            }
        }
    }
}

/// The period that the result of an expression over such inputs has: the least common multiple.
pub fn common_period(periods: impl IntoIterator<Item = Period>) -> Option<Period> {
    let gcd = |mut a: u32, mut b: u32| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let lcm = |a: Period, b: Period| {
        let (a, b) = (a.as_secs(), b.as_secs());
        let product = a.checked_div(gcd(a, b)).and_then(|part| part.checked_mul(b));
        product.and_then(|seconds| Period::new(seconds).ok()).unwrap_or(Period::HOUR)
    };
    periods.into_iter().reduce(lcm)
}
