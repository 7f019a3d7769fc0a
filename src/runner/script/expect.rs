use std::sync::Arc;

use mlua::{Lua, MultiValue, Table, Value as LuaValue};
use serde_json::{Value, json};

use super::failure::ScriptError;
use super::guest::Guest;
use super::value;
use crate::canary::assertion::Seen;
use crate::canary::report::{FailedAssertion, Failure, Verdict};
use crate::canary::script;
use crate::runner::fault;

/// What can follow `expect(value):`, each with the number of its arguments.
const METHODS: &[(&str, usize)] = &[
    ("equals", 1),
    ("contains", 1),
    ("starts_with", 1),
    ("ends_with", 1),
    ("matches", 1),
    ("under", 1),
    ("over", 1),
    ("between", 2),
    ("one_of", 1),
    ("exists", 0),
    ("is", 1),
    ("length", 1),
    ("schema", 1),
];

/// `expect(value, name?)`, with the predicates of files as methods, and their opposites behind
/// `.never`.
pub(super) fn install(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let (guest, held) = (guest.clone(), guest.clone());
    let expect = lua.create_function(move |lua, (value, name): (LuaValue, LuaValue)| {
        // `expect(pcall(..))` hands over more than a name.
        let name = name.as_string().and_then(|name| name.to_str().ok().map(|name| name.to_owned()));
        let name = name.unwrap_or_else(|| "value".to_owned());
        let held = Arc::new(Held { value: value::to_json(&value)?, name, guest: guest.clone() });
        let table = methods(lua, &held, Sense::Holds)?;
        table.set("never", methods(lua, &held, Sense::Never)?)?;
        Ok(table)
    })?;
    lua.globals().set("expect", expect)?;
    lua.globals().set("assert", assertion(lua, held)?)
}

/// Luau's own `assert`, but what does not hold is the target's fault: people judge with it.
fn assertion(lua: &Lua, guest: Guest) -> mlua::Result<mlua::Function> {
    lua.create_function(move |lua, values: MultiValue| {
        match values.front() {
            None => return Err(ScriptError::misuse("assert takes what must hold")),
            Some(LuaValue::Nil | LuaValue::Boolean(false)) => {}
            Some(_) => return Ok(values),
        }
        let message = match values.get(1) {
            // `assert(pcall(..))`: what the call failed with.
            Some(LuaValue::Error(error)) => return Err((**error).clone()),
            None | Some(LuaValue::Nil) => "an assertion does not hold".to_owned(),
            Some(said) => said.to_string()?,
        };
        let location = guest.here(lua);
        let failure = Failure { location, ..fault::failure(Verdict::Target, message) };
        Err(ScriptError::Failed(Box::new(failure)).into())
    })
}

struct Held {
    value: Value,
    name: String,
    guest: Guest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    Holds,
    Never,
}

fn methods(lua: &Lua, held: &Arc<Held>, sense: Sense) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (method, count) in METHODS {
        let held = Arc::clone(held);
        let function = lua.create_function(move |lua, arguments: MultiValue| {
            // The first one is the table that the method was called on.
            let arguments: Vec<LuaValue> = arguments.into_iter().skip(1).collect();
            held.check(lua, (*method, *count), &arguments, sense)?;
            Ok(())
        })?;
        table.set(*method, function)?;
    }
    Ok(table)
}

impl Held {
    fn check(
        &self,
        lua: &Lua,
        (method, count): (&str, usize),
        arguments: &[LuaValue],
        sense: Sense,
    ) -> mlua::Result<()> {
        if arguments.len() != count {
            let given = arguments.len();
            let problem = format!("expect(..):{method} takes {count} arguments, not {given}");
            return Err(ScriptError::misuse(problem));
        }
        let arguments: Vec<Value> =
            arguments.iter().map(value::to_json).collect::<mlua::Result<_>>()?;
        let argument = match (method, arguments.as_slice()) {
            ("exists", _) => json!(true),
            ("between", both) => json!(both),
            (_, [only]) => only.clone(),
            _ => Value::Null,
        };
        let mut wanted = json!({ method: argument });
        if sense == Sense::Never {
            wanted = json!({ "not": wanted });
        }
        let predicate = script::predicate(&wanted, &|text| self.guest.secrets_in(text));
        let predicate = predicate
            .map_err(|faults| ScriptError::of_faults(&format!("expect:{method}"), &faults))?;
        let rendered = predicate.render(&crate::canary::template::NoContext);
        let predicate = rendered.map_err(mlua::Error::external)?.value;
        let seen = match &self.value {
            Value::Null => Seen::Absent("nothing".into()),
            value => Seen::of_script(value),
        };
        match predicate.check(&seen) {
            Ok(()) => Ok(()),
            Err(mismatch) => {
                let location = self.guest.here(lua);
                let failed = FailedAssertion {
                    subject: self.name.clone(),
                    expected: mismatch.expected,
                    actual: mismatch.actual,
                    place: mismatch.place,
                    diff: mismatch.diff,
                    location: location.clone(),
                };
                let message = format!(
                    "{} is {}, expected {}",
                    failed.subject, failed.actual, failed.expected
                );
                let mut failure: Failure = fault::failure(Verdict::Target, message);
                failure.location = location;
                failure.assertions = vec![failed];
                Err(ScriptError::Failed(Box::new(failure)).into())
            }
        }
    }
}
