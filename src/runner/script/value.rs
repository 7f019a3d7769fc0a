//! Values on their way between scripts and us, bounded in depth and number.

use mlua::{Lua, LuaSerdeExt, Table, Value as LuaValue};
use serde_json::{Map, Number, Value};

use super::failure::ScriptError;

/// BOUND: of tables in tables.
const DEPTH_MAX: usize = 64;

/// BOUND: of values in one value.
pub(super) const NODES_MAX: usize = 100_000;

/// A value of a script as JSON. Tables with a first item are lists; functions are refused.
pub(super) fn to_json(value: &LuaValue) -> mlua::Result<Value> {
    let mut nodes = 0;
    convert(value, 0, &mut nodes)
}

fn convert(value: &LuaValue, depth: usize, nodes: &mut usize) -> mlua::Result<Value> {
    *nodes += 1;
    if depth > DEPTH_MAX || *nodes > NODES_MAX {
        return Err(ScriptError::misuse("this value is nested too deep, or too large"));
    }
    Ok(match value {
        LuaValue::Nil => Value::Null,
        value if value.is_null() => Value::Null,
        LuaValue::Boolean(value) => Value::Bool(*value),
        LuaValue::Integer(number) => Value::from(*number),
        LuaValue::Number(number) => number_to_json(*number)?,
        LuaValue::String(text) => Value::String(text.to_str()?.to_owned()),
        LuaValue::Table(table) => table_to_json(table, depth, nodes)?,
        other => {
            let problem = format!("a {} cannot be used here", other.type_name());
            return Err(ScriptError::misuse(problem));
        }
    })
}

/// Luau has one type of number; whole ones are written without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "whole, and small enough to be exact")]
fn number_to_json(number: f64) -> mlua::Result<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return Ok(Value::from(number as i64));
    }
    let number = Number::from_f64(number);
    number.map(Value::Number).ok_or_else(|| ScriptError::misuse("JSON has no such number"))
}

fn table_to_json(table: &Table, depth: usize, nodes: &mut usize) -> mlua::Result<Value> {
    let length = table.raw_len();
    let is_list = length > 0 || table.metatable().is_some_and(|own| own.raw_len() == LIST_MARK);
    if is_list {
        let mut items = Vec::new();
        for index in 1..=length {
            let item: LuaValue = table.raw_get(index)?;
            items.push(convert(&item, depth + 1, nodes)?);
        }
        return Ok(Value::Array(items));
    }
    let mut members = Map::new();
    for pair in table.pairs::<LuaValue, LuaValue>() {
        let (key, member) = pair?;
        let key = match &key {
            LuaValue::String(key) => key.to_str()?.to_owned(),
            LuaValue::Integer(number) => number.to_string(),
            LuaValue::Number(number) => number.to_string(),
            other => {
                let problem = format!("a {} cannot be the key of a table", other.type_name());
                return Err(ScriptError::misuse(problem));
            }
        };
        members.insert(key, convert(&member, depth + 1, nodes)?);
    }
    // Tables have no order of their own.
    members.sort_keys();
    Ok(Value::Object(members))
}

/// How many items the metatable of an empty list has, to be told from an empty object.
const LIST_MARK: usize = 1;

/// JSON as a value of a script; `null` is the `json.null` of scripts.
pub(super) fn from_json(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Null => lua.null(),
        Value::Bool(value) => LuaValue::Boolean(*value),
        Value::Number(number) => LuaValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => LuaValue::String(lua.create_string(text)?),
        Value::Array(items) => {
            let list = lua.create_table_with_capacity(items.len(), 0)?;
            for (at, item) in items.iter().enumerate() {
                list.raw_set(at + 1, from_json(lua, item)?)?;
            }
            if items.is_empty() {
                let mark = lua.create_table()?;
                mark.raw_set(1, true)?;
                list.set_metatable(Some(mark))?;
            }
            LuaValue::Table(list)
        }
        Value::Object(members) => {
            let table = lua.create_table_with_capacity(0, members.len())?;
            for (key, member) in members {
                table.raw_set(key.as_str(), from_json(lua, member)?)?;
            }
            LuaValue::Table(table)
        }
    })
}
