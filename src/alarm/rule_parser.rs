use std::collections::BTreeSet;
use std::sync::Arc;

use thiserror::Error;

use super::rule::{Expression, Quorum, Wanted};
use super::{AlarmRule, StateTerm, StateValue};

const TEXT_MAX: usize = 10_240;
const CHILDREN_MAX: usize = 100;
const ELEMENTS_MAX: usize = 500;

/// Why a text is no rule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RuleFault {
    /// Over 10,240 characters.
    #[error("the rule is longer than {TEXT_MAX} characters")]
    TooLong,
    /// Over 100 alarms.
    #[error("the rule mentions more than {CHILDREN_MAX} alarms")]
    TooManyAlarms,
    /// Over 500 terms and parentheses.
    #[error("the rule has more than {ELEMENTS_MAX} elements")]
    TooManyElements,
    /// An `AT_LEAST` that always or never holds.
    #[error("AT_LEAST asks for 1 to {listed} alarms or for 1% to 100%, not for {asked}")]
    Quorum {
        /// What it asks for.
        asked: String,
        /// How many alarms it lists.
        listed: usize,
    },
    /// Something else stands where this should.
    #[error("expected {expected} at position {at}, found {found}")]
    Expected {
        /// What should stand there.
        expected: &'static str,
        /// 1-based, in characters.
        at: usize,
        /// What stands there.
        found: String,
    },
}

impl AlarmRule {
    /// Reads a rule.
    ///
    /// Source: CloudWatch API Reference, `PutCompositeAlarm.AlarmRule`.
    /// Differs: precedence is unpublished; NOT binds before AND, AND before OR. Keywords are taken
    /// in any case, as the guide itself writes them.
    pub fn parse(text: &str) -> Result<Self, RuleFault> {
        if text.chars().count() > TEXT_MAX {
            return Err(RuleFault::TooLong);
        }
        let mut parser = Parser { text, at: 0, elements: 0, alarms: BTreeSet::new() };
        let expression = parser.or()?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.expected("AND, OR or the end of the rule"));
        }
        Ok(Self::new(text.into(), expression))
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset of what comes next.
    at: usize,
    elements: usize,
    alarms: BTreeSet<Arc<str>>,
}

impl<'a> Parser<'a> {
    fn or(&mut self) -> Result<Expression, RuleFault> {
        let mut any = vec![self.and()?];
        while self.keyword("OR") {
            any.push(self.and()?);
        }
        Ok(one_or(any, Expression::Or))
    }

    fn and(&mut self) -> Result<Expression, RuleFault> {
        let mut all = vec![self.not()?];
        while self.keyword("AND") {
            all.push(self.not()?);
        }
        Ok(one_or(all, Expression::And))
    }

    fn not(&mut self) -> Result<Expression, RuleFault> {
        if self.keyword("NOT") {
            return Ok(Expression::Not(Box::new(self.primary()?)));
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Expression, RuleFault> {
        // BOUND: each level of nesting is an element, so recursion is bounded too.
        self.count_element()?;
        if self.symbol('(') {
            let inner = self.or()?;
            self.close()?;
            return Ok(inner);
        }
        if self.keyword("TRUE") {
            return Ok(Expression::Constant(true));
        }
        if self.keyword("FALSE") {
            return Ok(Expression::Constant(false));
        }
        if self.keyword("AT_LEAST") {
            return self.at_least();
        }
        let Some(state) = self.state() else {
            return Err(self.expected("ALARM, OK, INSUFFICIENT_DATA, AT_LEAST, TRUE, FALSE or ("));
        };
        self.open()?;
        let alarm = self.reference()?;
        self.close()?;
        Ok(Expression::State(StateTerm { state, alarm }))
    }

    fn at_least(&mut self) -> Result<Expression, RuleFault> {
        self.open()?;
        let Ok(number) = self.digits().parse::<u32>() else {
            return Err(self.expected("a number or a percentage"));
        };
        let quorum = if self.symbol('%') { Quorum::Percent(number) } else { Quorum::Count(number) };
        self.comma()?;
        let not = self.keyword("NOT");
        let Some(state) = self.state() else {
            return Err(self.expected("ALARM, OK or INSUFFICIENT_DATA"));
        };
        let wanted = if not { Wanted::NotIn(state) } else { Wanted::In(state) };
        self.comma()?;
        self.open()?;
        let mut alarms = vec![self.reference()?];
        while self.symbol(',') {
            self.count_element()?;
            alarms.push(self.reference()?);
        }
        self.close()?;
        self.close()?;
        // Source: CloudWatch User Guide, "AT_LEAST". Differs: that a number which can never be
        // reached is refused is ours; such a rule could only be a slip.
        let (most, unit) = match quorum {
            Quorum::Count(_) => (u32::try_from(alarms.len()).unwrap_or(u32::MAX), ""),
            Quorum::Percent(_) => (100, "%"),
        };
        if !(1..=most).contains(&number) {
            let asked = format!("{number}{unit}");
            return Err(RuleFault::Quorum { asked, listed: alarms.len() });
        }
        Ok(Expression::AtLeast { quorum, wanted, alarms })
    }

    fn state(&mut self) -> Option<StateValue> {
        [StateValue::Alarm, StateValue::Ok, StateValue::InsufficientData]
            .into_iter()
            .find(|state| self.keyword(state.as_str()))
    }

    /// An alarm's name or ARN, quoted or not.
    fn reference(&mut self) -> Result<Arc<str>, RuleFault> {
        self.skip_space();
        let quoted = self.rest().starts_with('"');
        let name = if quoted { self.quoted()? } else { self.unquoted().to_owned() };
        if name.is_empty() {
            return Err(self.expected("an alarm's name or ARN"));
        }
        let name = Arc::<str>::from(name_of(&name));
        self.alarms.insert(Arc::clone(&name));
        if self.alarms.len() > CHILDREN_MAX {
            return Err(RuleFault::TooManyAlarms);
        }
        Ok(name)
    }

    fn unquoted(&mut self) -> &'a str {
        let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"');
        let rest = self.rest();
        let word = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or("");
        self.at += word.len();
        word
    }

    /// A name in double quotes; `"` and `\` are written with a backslash before them.
    fn quoted(&mut self) -> Result<String, RuleFault> {
        let mut name = String::new();
        let mut escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            match c {
                '"' if !escaped => {
                    self.at += at + 1;
                    return Ok(name);
                }
                '\\' if !escaped => escaped = true,
                _ => {
                    escaped = false;
                    name.push(c);
                }
            }
        }
        self.at = self.text.len();
        Err(self.expected("a closing quote"))
    }

    fn keyword(&mut self, word: &str) -> bool {
        self.skip_space();
        let rest = self.rest();
        let fits = rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        let after = rest.get(word.len()..).and_then(|tail| tail.chars().next());
        let ends = after.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | ':')));
        if fits && ends {
            self.at += word.len();
        }
        fits && ends
    }

    fn digits(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len_utf8();
        }
        found
    }

    fn open(&mut self) -> Result<(), RuleFault> {
        if self.symbol('(') { Ok(()) } else { Err(self.expected("(")) }
    }

    fn close(&mut self) -> Result<(), RuleFault> {
        if self.symbol(')') { Ok(()) } else { Err(self.expected(")")) }
    }

    fn comma(&mut self) -> Result<(), RuleFault> {
        if self.symbol(',') { Ok(()) } else { Err(self.expected("a comma")) }
    }

    fn count_element(&mut self) -> Result<(), RuleFault> {
        self.elements += 1;
        if self.elements > ELEMENTS_MAX { Err(RuleFault::TooManyElements) } else { Ok(()) }
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn expected(&mut self, expected: &'static str) -> RuleFault {
        self.skip_space();
        let before = self.text.get(..self.at).unwrap_or("").chars().count();
        let word = self.rest().split_whitespace().next();
        let found = word.map_or_else(|| "the end".to_owned(), |word| format!("`{word}`"));
        RuleFault::Expected { expected, at: before + 1, found }
    }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

/// The name in an alarm's ARN, or the text itself.
pub(super) fn name_of(reference: &str) -> &str {
    let is_arn = reference.starts_with("arn:");
    match reference.split_once(":alarm:") {
        Some((_, name)) if is_arn => name,
        _ => reference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_quoted_and_arns_give_their_name() {
        let arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu: high";
        for (rule, name) in [
            ("ALARM(cpu)", "cpu"),
            ("ALARM(\"cpu high (prod), \\\"x\\\" \\\\\")", "cpu high (prod), \"x\" \\"),
            (&format!("ALARM(\"{arn}\")"), "cpu: high"),
            ("alarm(ALARM-1)", "ALARM-1"),
        ] {
            let alarms = AlarmRule::parse(rule).unwrap().alarms();
            assert_eq!(alarms.first().map(|n| &**n), Some(name), "{rule}");
        }
    }

    #[test]
    fn a_fault_names_its_place_and_what_should_stand_there() {
        for (rule, message) in [
            (
                "",
                "expected ALARM, OK, INSUFFICIENT_DATA, AT_LEAST, TRUE, FALSE or ( at position 1, \
                 found the end",
            ),
            (
                "ALARM(a) ALARM(b)",
                "expected AND, OR or the end of the rule at position 10, found `ALARM(b)`",
            ),
            ("ALARM(a", "expected ) at position 8, found the end"),
            ("ALARM()", "expected an alarm's name or ARN at position 7, found `)`"),
            ("ALARM(\"a)", "expected a closing quote at position 10, found the end"),
            (
                "AT_LEAST(x, OK, (a))",
                "expected a number or a percentage at position 10, found `x,`",
            ),
        ] {
            assert_eq!(AlarmRule::parse(rule).unwrap_err().to_string(), message, "{rule}");
        }
    }

    #[test]
    fn hostile_rules_are_refused_and_do_not_overflow_the_stack() {
        assert_eq!(AlarmRule::parse(&"(".repeat(10_000)), Err(RuleFault::TooManyElements));
        assert_eq!(AlarmRule::parse(&"x".repeat(10_241)), Err(RuleFault::TooLong));
        let many: Vec<String> = (0..101).map(|n| format!("OK(a{n})")).collect();
        assert_eq!(AlarmRule::parse(&many.join(" OR ")), Err(RuleFault::TooManyAlarms));
    }
}
