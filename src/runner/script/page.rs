//! `browser.open` and what can be done with the page it gives.

use mlua::{Lua, MultiValue, Table, Value as LuaValue};
use serde_json::{Value, json};

use super::call::{Call, Reply, Request};
use super::failure::ScriptError;
use super::guest::Guest;
use super::host::SEEN;
use super::{api, value};

/// Actions that take what stands at their key of a file.
const PLAIN: &[&str] = &[
    "click",
    "double_click",
    "hover",
    "check",
    "uncheck",
    "wait",
    "expect",
    "viewport",
    "dialog",
    "frame",
    "tab",
    "block",
    "headers",
    "cookie",
];

/// Actions on a locator with something to put there.
const LOCATED: &[&str] = &["fill", "select", "upload"];

/// Things of the page that can be looked at.
const LOOKED_AT: &[&str] = &["text", "value", "count"];

pub(super) fn install(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let page = page(lua, guest)?;
    let browser = lua.create_table()?;
    let guest = guest.clone();
    let open = lua.create_async_function(move |lua, url: String| {
        let (guest, page) = (guest.clone(), page.clone());
        let line = guest.line(&lua);
        async move {
            guest.ask(Request::Page(call("open", Value::from(url), line))).await?;
            Ok(page)
        }
    })?;
    browser.set("open", open)?;
    api::close_names(lua, "browser", &browser)?;
    lua.globals().set("browser", browser)
}

/// The attempt has one page, so there is one table for it.
fn page(lua: &Lua, guest: &Guest) -> mlua::Result<Table> {
    let page = lua.create_table()?;
    let method = |name: &'static str, what: fn(&[Value]) -> Option<Value>| {
        let guest = guest.clone();
        let function = lua.create_async_function(move |lua, arguments: MultiValue| {
            let guest = guest.clone();
            let line = guest.line(&lua);
            async move {
                let mut arguments = arguments.into_iter();
                let own = arguments.next().unwrap_or(LuaValue::Nil);
                let arguments: Vec<Value> =
                    arguments.map(|each| value::to_json(&each)).collect::<mlua::Result<_>>()?;
                let what = what(&arguments).ok_or_else(|| wrong_arguments(name))?;
                guest.ask(Request::Page(call(name, what, line))).await?;
                // For chains: page:fill(..):press(..).
                Ok(own)
            }
        })?;
        page.set(name, function)
    };
    for name in PLAIN {
        method(name, |arguments| match arguments {
            [only] => Some(only.clone()),
            _ => None,
        })?;
    }
    for name in LOCATED {
        method(name, |arguments| match arguments {
            [Value::String(locator), what] => Some(json!({ locator: what })),
            _ => None,
        })?;
    }
    for name in ["back", "forward", "reload"] {
        method(name, |_| Some(Value::Null))?;
    }
    method("open", |arguments| arguments.first().cloned())?;
    method("press", |arguments| match arguments {
        [key] => Some(key.clone()),
        [Value::String(locator), key] => Some(json!({ locator: key })),
        _ => None,
    })?;
    method("screenshot", |arguments| match arguments {
        [name] => Some(json!({ "name": name })),
        [name, Value::Object(options)] => {
            let mut options = options.clone();
            options.insert("name".to_owned(), name.clone());
            Some(Value::Object(options))
        }
        _ => None,
    })?;
    looks(lua, guest, &page)?;
    api::close_names(lua, "page", &page)?;
    Ok(page)
}

/// Methods that give a value instead of the page.
fn looks(lua: &Lua, guest: &Guest, page: &Table) -> mlua::Result<()> {
    let look = |name: &'static str,
                key: &'static str,
                what: fn(&str, &[Value]) -> Option<Value>| {
        let guest = guest.clone();
        let function = lua.create_async_function(move |lua, arguments: MultiValue| {
            let guest = guest.clone();
            let line = guest.line(&lua);
            async move {
                let arguments: Vec<Value> =
                    arguments.iter().skip(1).map(value::to_json).collect::<mlua::Result<_>>()?;
                let what = what(name, &arguments).ok_or_else(|| wrong_arguments(name))?;
                match guest.ask(Request::Look(call(key, what, line))).await? {
                    Reply::Value(seen) => value::from_json(&lua, &seen),
                    other => Err(ScriptError::misuse(format!("{other:?} is nothing to see"))),
                }
            }
        })?;
        page.set(name, function)
    };
    for name in LOOKED_AT {
        look(name, "capture", |name, arguments| match arguments {
            [locator] => Some(json!({ SEEN: { name: locator } })),
            _ => None,
        })?;
    }
    for name in ["url", "title"] {
        look(name, "capture", |name, _| Some(json!({ SEEN: name })))?;
    }
    look("attribute", "capture", |_, arguments| match arguments {
        [locator, name] => Some(json!({ SEEN: { "attribute": name, "of": locator } })),
        _ => None,
    })?;
    look("evaluate", "evaluate", |_, arguments| match arguments {
        [script] => Some(json!({ "script": script, "capture": SEEN })),
        _ => None,
    })
}

fn wrong_arguments(name: &str) -> mlua::Error {
    ScriptError::misuse(format!("page:{name} does not take these arguments"))
}

fn call(key: &str, what: Value, line: Option<usize>) -> Call {
    Call { key: key.to_owned(), what, line }
}
