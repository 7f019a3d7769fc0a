//! Metric math: expressions over time series.
//!
//! Main types: [`Expression`], parsed once, and [`Inputs`], the series it may refer to, already
//! read at one period. It reads no store: the caller asks [`Expression::references`] and
//! [`Expression::searches`] what to read first.
//!
//! Differs: anomaly bands, Contributor Insights, service quotas, Performance Insights and Lambda
//! connectors have no counterpart here; naming one is an error, never an empty result.

mod calls;
mod evaluate;
mod parse;
mod series;

use thiserror::Error;

use crate::time::{Period, TimeRange};

pub use calls::common_period;
pub use parse::{Expression, Search};
pub use series::{Series, Value};

/// What an expression is evaluated over.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The query's range, its start floored to the period.
    pub range: TimeRange,
    /// The period that every series is at.
    pub period: Period,
    /// Series by the id of their query; expressions were evaluated before those that use them.
    pub values: Vec<(String, Value)>,
    /// Ids whose query is a metric and no expression, in the order of the request, for METRICS().
    pub metrics: Vec<String>,
    /// Answers to the expression's searches, in the order of [`Expression::searches`].
    pub found: Vec<Vec<Series>>,
}

/// Why an expression cannot be read or evaluated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MathError {
    /// Something else was needed at a byte of the expression.
    #[error("expected {expected} at byte {offset}")]
    Syntax {
        /// Where.
        offset: usize,
        /// What.
        expected: &'static str,
    },
    /// Parentheses or brackets are nested too deeply, or the text is too long.
    #[error("the expression is too long or too deeply nested")]
    TooLarge,
    /// No such function.
    #[error("unknown function {name}")]
    UnknownFunction {
        /// As written.
        name: Box<str>,
    },
    /// A function that exists in CloudWatch and not here.
    #[error("function {name} is not supported")]
    Unsupported {
        /// As written.
        name: Box<str>,
    },
    /// An id that no query of the request has.
    #[error("unknown id {id}")]
    UnknownId {
        /// As written.
        id: Box<str>,
    },
    /// Arguments a function or operator does not take.
    #[error("{function} takes {takes}")]
    Arguments {
        /// The function or operator.
        function: Box<str>,
        /// What it takes.
        takes: &'static str,
    },
    /// The result is a number or a text.
    #[error("the result is not a time series; wrap a number in TIME_SERIES()")]
    NotASeries,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const ROWS: i64 = 5;

    /// A series from the notation of the user guide: `-` is a missing point.
    fn series(label: &str, points: &str) -> Value {
        let mut series = Series::new(label, Period::MINUTE);
        for (row, point) in points.split_whitespace().enumerate() {
            if let Ok(value) = point.parse() {
                series.points.push((at(row), value));
            }
        }
        Value::Series(series)
    }

    fn at(row: usize) -> Timestamp {
        Timestamp::from_secs(60 * i64::try_from(row).unwrap())
    }

    fn evaluate(expression: &str, inputs: &[(&str, &str)]) -> Result<Vec<Series>, MathError> {
        let inputs = Inputs {
            range: TimeRange::new(at(0), Timestamp::from_secs(60 * ROWS)),
            period: Period::MINUTE,
            values: inputs.iter().map(|(id, p)| ((*id).to_owned(), series(id, p))).collect(),
            metrics: inputs.iter().map(|(id, _)| (*id).to_owned()).collect(),
            found: Vec::new(),
        };
        Expression::parse(expression)?.evaluate(&inputs)
    }

    /// The result in the notation of the user guide.
    fn shown(expression: &str, inputs: &[(&str, &str)]) -> String {
        let result = evaluate(expression, inputs).expect(expression);
        let row = |series: &Series| {
            let point = |row| {
                let found = series.points.iter().find(|(time, _)| *time == at(row));
                found.map_or("-".to_owned(), |(_, value)| format!("{value}"))
            };
            (0..usize::try_from(ROWS).unwrap()).map(point).collect::<Vec<_>>().join(" ")
        };
        result.iter().map(row).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn operators_follow_the_published_examples() {
        let inputs = [("m1", "30 20 0 0 -"), ("m2", "20 - 20 - -")];
        for (expression, expected) in [
            ("m1 < m2", "0 0 1 0 -"),
            ("m1 >= 30", "1 0 0 0 -"),
            ("m1 > 15 AND m2 > 15", "1 0 0 0 -"),
            ("m1 > 15 && m2 > 15", "1 0 0 0 -"),
            ("m1 > 15 OR m2 > 15", "1 1 1 0 -"),
            ("m1 + m2", "50 20 20 0 -"),
            ("m1 - m2 * 2", "-10 20 -40 0 -"),
            ("(m1 - m2) * 2", "20 40 -40 0 -"),
            ("-m1", "-30 -20 -0 -0 -"),
            ("m1 / m2", "1.5 - 0 - -"),
            ("m1 / 10", "3 2 0 0 -"),
            ("2 ^ 3 ^ 2 + m1 * 0", "64 64 64 64 -"),
            ("-2 ^ 2 + m1 * 0", "4 4 4 4 -"),
            ("m1 == 30", "1 0 0 0 -"),
            ("m1 != 30", "0 1 1 1 -"),
        ] {
            assert_eq!(shown(expression, &inputs), expected, "{expression}");
        }
    }

    #[test]
    fn functions_follow_the_reference() {
        let inputs = [("m1", "1 - 4 9 -"), ("m2", "- 3 - 5 7")];
        for (expression, expected) in [
            ("ABS(-m1)", "1 - 4 9 -"),
            ("SUM([m1, m2])", "1 3 4 14 7"),
            ("SUM(METRICS())", "1 3 4 14 7"),
            ("SUM(METRICS(\"m2\"))", "- 3 - 5 7"),
            ("MAX([m1, m2])", "1 3 4 9 7"),
            ("MIN([m1, m2])", "1 3 4 5 7"),
            ("AVG([m1, m2])", "0.5 1.5 2 7 3.5"),
            ("m1 - MIN(m1)", "0 - 3 8 -"),
            ("m1 * 0 + DATAPOINT_COUNT(m1)", "3 - 3 3 -"),
            ("DATAPOINT_COUNT([m1, m2])", "1 1 1 2 1"),
            ("DIFF(m1)", "- - 3 5 -"),
            ("DIFF_TIME(m1)", "- - 120 60 -"),
            ("RATE(m1) * 120", "- - 3 10 -"),
            ("RUNNING_SUM(m1)", "1 - 5 14 -"),
            ("FILL(m1, 0)", "1 0 4 9 0"),
            ("FILL(m1, REPEAT)", "1 1 4 9 9"),
            ("FILL(m2, REPEAT)", "- 3 3 5 7"),
            ("FILL(m1, LINEAR)", "1 2.5 4 9 -"),
            ("FILL(m1, m2)", "1 3 4 9 7"),
            ("FIRST([m1, m2])", "1 - 4 9 -"),
            ("LAST([m1, m2])", "- 3 - 5 7"),
            ("SLICE([m1, m2], 1)", "- 3 - 5 7"),
            ("SLICE([m1, m2, m1], 0, 2)", "1 - 4 9 - | - 3 - 5 7"),
            ("SORT([m1, m2], MAX, ASC)", "- 3 - 5 7 | 1 - 4 9 -"),
            ("SORT([m1, m2], MAX, DESC, 1)", "1 - 4 9 -"),
            ("REMOVE_EMPTY([m1, m2])", "1 - 4 9 - | - 3 - 5 7"),
            ("TIME_SERIES(7)", "7 7 7 7 7"),
            ("m1 * 0 + PERIOD(m1)", "60 - 60 60 -"),
            ("MINUTE(m1)", "0 1 2 3 4"),
            ("DAY(m1)", "4 4 4 4 4"),
            ("YEAR(m1) + MONTH(m1) + DATE(m1)", "1972 1972 1972 1972 1972"),
            ("EPOCH(m1)", "0 60 120 180 240"),
            ("CEIL(m1 / 2)", "1 - 2 5 -"),
            ("LOG10(m1 * 0 + 100)", "2 - 2 2 -"),
            ("LOG(m1 - 1)", "- - 1.0986122886681098 2.0794415416798357 -"),
        ] {
            assert_eq!(shown(expression, &inputs), expected, "{expression}");
        }
    }

    #[test]
    fn if_follows_the_newest_published_rows() {
        let inputs = [("m1", "1 1 0 0 -"), ("m2", "30 - 0 0 30"), ("m3", "0 0 20 - 20")];
        for (expression, expected) in [
            ("IF(m1, m2, m3)", "30 0 20 0 -"),
            ("IF(m1, m2)", "30 0 - - -"),
            ("IF(m1, 5, m3)", "5 5 20 - -"),
            ("IF(m1, m2, 5)", "30 0 5 5 -"),
            ("IF(m1, 1, 2)", "1 1 2 2 -"),
            ("IF(1, m2, m3)", "30 - 0 0 30"),
            ("IF(0, m2, m3)", "0 0 20 - 20"),
            ("IF(m1 > 0, m2)", "30 0 - - -"),
        ] {
            assert_eq!(shown(expression, &inputs), expected, "{expression}");
        }
        assert_eq!(evaluate("IF(0, m2)", &inputs).unwrap()[0].points, []);
    }

    #[test]
    fn wrong_expressions_say_why() {
        let inputs = [("m1", "1")];
        for (expression, expected) in [
            ("m1 +", "expected a value at byte 4"),
            ("m1 m1", "expected an operator at byte 3"),
            ("nope", "unknown id nope"),
            ("FROB(m1)", "unknown function FROB"),
            ("ANOMALY_DETECTION_BAND(m1)", "function ANOMALY_DETECTION_BAND is not supported"),
            ("5", "the result is not a time series; wrap a number in TIME_SERIES()"),
            ("ABS(1, 2)", "ABS takes one series or list of series"),
            ("[m1, \"x\"] + 1", "[] takes series and lists of series"),
            (
                "SORT([m1], FOO, ASC)",
                "SORT takes a list, AVG, MAX, MIN or SUM, ASC or DESC, and a limit",
            ),
        ] {
            assert_eq!(evaluate(expression, &inputs).unwrap_err().to_string(), expected);
        }
        let deep = format!("{}m1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(evaluate(&deep, &inputs), Err(MathError::TooLarge));
    }

    #[test]
    fn an_expression_tells_what_must_be_read_first() {
        let text = "SUM(SEARCH('{AWS/EC2,InstanceId} CPU', 'Average', 300)) + m1 * e_2";
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.references().collect::<Vec<_>>(), ["m1", "e_2"]);
        let search = Search {
            query: "{AWS/EC2,InstanceId} CPU".to_owned(),
            statistic: "Average".to_owned(),
            period: Some(300),
        };
        assert_eq!(expression.searches(), [search]);
    }
}
