//! Functions that ask a target: `http`, `tcp`, `tls`, `dns`, `icmp`, `websocket`, `grpc`.

use std::time::Duration;

use mlua::{Lua, Table, Value as LuaValue};
use serde_json::{Map, Value, json};

use super::failure::ScriptError;
use super::host::Host;
use super::{modules, value};
use crate::canary::assertion::Answers;
use crate::canary::observation::{Answer, HttpAnswer, Observation, Phase};
use crate::canary::report::FileLocation;
use crate::canary::script;

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

pub(super) fn install(lua: &Lua, host: &Host) -> mlua::Result<()> {
    let http = lua.create_table()?;
    for method in METHODS {
        let host = host.clone();
        let call =
            lua.create_async_function(move |lua, (url, more): (String, Option<Table>)| {
                let host = host.clone();
                let at = host.here(&lua);
                async move {
                    let mut request = options(more)?;
                    request.insert((*method).to_owned(), Value::from(url));
                    ask(&lua, (&host, at), "http", &Value::Object(request)).await
                }
            })?;
        http.set(*method, call)?;
    }
    http.set("request", probe(lua, host, "http")?)?;
    lua.globals().set("http", http)?;
    for (name, key) in PROBES {
        lua.globals().set(*name, probe(lua, host, key)?)?;
    }
    Ok(())
}

fn probe(lua: &Lua, host: &Host, name: &'static str) -> mlua::Result<mlua::Function> {
    let host = host.clone();
    lua.create_async_function(move |lua, what: LuaValue| {
        let host = host.clone();
        let at = host.here(&lua);
        async move { ask(&lua, (&host, at), name, &value::to_json(&what)?).await }
    })
}

fn options(table: Option<Table>) -> mlua::Result<Map<String, Value>> {
    match table.map(|table| value::to_json(&LuaValue::Table(table))).transpose()? {
        None => Ok(Map::new()),
        Some(Value::Object(options)) => Ok(options),
        Some(_) => Err(ScriptError::misuse("options are a table with names")),
    }
}

async fn ask(
    lua: &Lua,
    (host, at): (&Host, Option<FileLocation>),
    name: &str,
    what: &Value,
) -> mlua::Result<Table> {
    let action = script::action(name, what, &|text| host.secrets_in(text));
    let action = action.map_err(|faults| ScriptError::faulty(name, &faults))?;
    let seen = host.perform(action, at).await?;
    let seen = seen.ok_or_else(|| ScriptError::misuse("there is no answer to look at"))?;
    answer(lua, &seen)
}

/// An answer as a table.
fn answer(lua: &Lua, seen: &Observation) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let timings = lua.create_table()?;
    for phase in Phase::ALL {
        if let Some(took) = seen.timings.phase(phase) {
            timings.set(phase.as_str(), millis(took))?;
        }
    }
    timings.set("total", millis(seen.elapsed))?;
    table.set("timings", timings)?;
    table.set("remote", seen.remote.map(|remote| remote.to_string()))?;
    if let Some(certificate) = &seen.certificate {
        let left = certificate.not_after.millis_since(seen.started);
        let shown = json!({
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "names": certificate.names,
            "serial": certificate.serial,
            "sha256": certificate.sha256,
            "trusted": certificate.distrust.is_none(),
            "expires": certificate.not_after.to_rfc3339(),
            "days_left": left.div_euclid(86_400_000),
        });
        table.set("certificate", value::from_json(lua, &shown)?)?;
    }
    let text = Answers::of(seen).text().to_owned();
    match &seen.answer {
        Answer::Http(http) => http_fields(lua, &table, http)?,
        Answer::Dialogue { received } => {
            let received = received.iter().map(|part| lua.create_string(part));
            let received = received.collect::<mlua::Result<Vec<_>>>()?;
            table.set("received", received)?;
            table.set("body", text)?;
        }
        Answer::Dns(dns) => {
            let records: Vec<&str> =
                dns.records.iter().map(|(record, _)| record.as_str()).collect();
            table.set("records", records)?;
            table.set("response_code", dns.response_code.as_str())?;
            table.set("authoritative", dns.authoritative)?;
        }
        Answer::Tls { protocol, cipher, alpn } => {
            table.set("version", protocol.as_str())?;
            table.set("cipher", cipher.as_str())?;
            table.set("alpn", alpn.as_deref())?;
        }
        Answer::Icmp { sent, round_trips } => {
            table.set("sent", *sent)?;
            let trips: Vec<f64> = round_trips.iter().copied().map(millis).collect();
            table.set("round_trips", trips)?;
        }
        Answer::Grpc { status, message, .. } => {
            table.set("status", *status)?;
            table.set("message", message.as_str())?;
        }
    }
    Ok(table)
}

fn http_fields(lua: &Lua, table: &Table, http: &HttpAnswer) -> mlua::Result<()> {
    table.set("status", http.status)?;
    table.set("url", http.url.as_str())?;
    table.set("version", http.version.as_str())?;
    table.set("redirects", http.redirects.len())?;
    let headers = lua.create_table()?;
    for (name, value) in &http.headers {
        let before: Option<String> = headers.get(name.as_str())?;
        let joined = before.map_or_else(|| value.clone(), |before| format!("{before}, {value}"));
        headers.set(name.as_str(), joined)?;
    }
    table.set("headers", &headers)?;
    table.set("body", lua.create_string(&http.body)?)?;
    table.set(
        "header",
        lua.create_function(move |_, (_own, name): (LuaValue, String)| {
            headers.get::<Option<String>>(name.to_lowercase())
        })?,
    )?;
    let body = http.body.clone();
    table.set("json", lua.create_function(move |lua, _own: LuaValue| modules::decode(lua, &body))?)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
