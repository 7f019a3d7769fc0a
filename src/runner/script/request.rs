//! Functions that ask a target: `http`, `tcp`, `tls`, `dns`, `icmp`, `websocket`, `grpc`.

use mlua::{Lua, Table, Value as LuaValue};
use serde_json::{Map, Value};

use super::call::{Call, Octets, Reply, Request, ScriptAnswer};
use super::failure::ScriptError;
use super::guest::Guest;
use super::{api, modules, value};

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];
/// By their keys in files; `ws` is short for `websocket`.
const PROBES: &[(&str, &str)] = &[
    ("tcp", "tcp"),
    ("tls", "tls"),
    ("dns", "dns"),
    ("icmp", "icmp"),
    ("websocket", "websocket"),
    ("ws", "websocket"),
    ("grpc", "grpc"),
];

pub(super) fn install(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let http = lua.create_table()?;
    for method in METHODS {
        let guest = guest.clone();
        let call =
            lua.create_async_function(move |lua, (url, more): (String, Option<Table>)| {
                let guest = guest.clone();
                let line = guest.line(&lua);
                async move {
                    let mut request = options(more)?;
                    request.insert((*method).to_owned(), Value::from(url));
                    let what = Value::Object(request);
                    ask(&lua, &guest, Call { key: "http".to_owned(), what, line }).await
                }
            })?;
        http.set(*method, call)?;
    }
    http.set("request", probe(lua, guest, "http")?)?;
    api::close_names(lua, "http", &http)?;
    lua.globals().set("http", http)?;
    for (name, key) in PROBES {
        lua.globals().set(*name, probe(lua, guest, key)?)?;
    }
    Ok(())
}

fn probe(lua: &Lua, guest: &Guest, key: &'static str) -> mlua::Result<mlua::Function> {
    let guest = guest.clone();
    lua.create_async_function(move |lua, what: LuaValue| {
        let guest = guest.clone();
        let line = guest.line(&lua);
        async move {
            let what = value::to_json(&what)?;
            ask(&lua, &guest, Call { key: key.to_owned(), what, line }).await
        }
    })
}

fn options(table: Option<Table>) -> mlua::Result<Map<String, Value>> {
    match table.map(|table| value::to_json(&LuaValue::Table(table))).transpose()? {
        None => Ok(Map::new()),
        Some(Value::Object(options)) => Ok(options),
        Some(_) => Err(ScriptError::misuse("options are a table with names")),
    }
}

async fn ask(lua: &Lua, guest: &Guest, call: Call) -> mlua::Result<LuaValue> {
    match guest.ask(Request::Probe(call)).await? {
        Reply::Answer(answer) => answer_table(lua, *answer),
        other => Err(ScriptError::misuse(format!("{other:?} is no answer of a probe"))),
    }
}

/// An answer as a table.
fn answer_table(lua: &Lua, answer: ScriptAnswer) -> mlua::Result<LuaValue> {
    let LuaValue::Table(table) = value::from_json(lua, &Value::Object(answer.fields))? else {
        return Err(ScriptError::misuse("an answer has fields"));
    };
    if let Some(received) = answer.received {
        let received = received.iter().map(|Octets(part)| lua.create_string(part));
        table.set("received", received.collect::<mlua::Result<Vec<_>>>()?)?;
    }
    let Some(Octets(body)) = answer.body else { return Ok(LuaValue::Table(table)) };
    table.set("body", lua.create_string(&body)?)?;
    if answer.is_http {
        let headers: Table = table.get("headers")?;
        let header = lua.create_function(move |_, (_own, name): (LuaValue, String)| {
            headers.get::<Option<String>>(name.to_lowercase())
        })?;
        table.set("header", header)?;
        let json = lua.create_function(move |lua, _own: LuaValue| modules::decode(lua, &body))?;
        table.set("json", json)?;
    }
    Ok(LuaValue::Table(table))
}
