//! Functions that speak to the run: `canary`, `step`, `log`, `metric`, `annotate`, `secret`,
//! `require`.

use std::path::Path;
use std::sync::Arc;

use mlua::{Function, Lua, MultiValue, Table, Value as LuaValue};
use serde_json::Value;

use super::failure::ScriptError;
use super::host::Host;
use super::{SOURCE_BYTES_MAX, sandbox, value};
use crate::canary::report::LogLevel;
use crate::canary::template::{LookupError, TemplateContext};
use crate::runner::files;
use crate::telemetry::{Dimensions, MetricDatum, StandardUnit};

/// BOUND: of one log line of a script.
const LOG_BYTES_MAX: usize = 64 * 1024;

/// BOUND: of metrics and annotations of one run.
const NOTES_MAX: usize = 1000;

/// What a script can say about itself; `metadata` reads it, a run has read it before.
pub(super) const SAID: &[&str] = &[
    "name",
    "description",
    "schedule",
    "timeout",
    "retry",
    "overlap",
    "tags",
    "secrets",
    "matrix",
    "connections",
    "viewport",
    "alarm",
];

pub(super) fn install(lua: &Lua, host: &Host) -> mlua::Result<()> {
    canary(lua, host)?;
    logs(lua, host)?;
    notes(lua, host)?;
    secret(lua, host)?;
    require(lua, host)
}

fn canary(lua: &Lua, host: &Host) -> mlua::Result<()> {
    let canary = lua.create_table()?;
    for name in SAID {
        // It was read and obeyed when the script was loaded.
        canary.set(*name, lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    }
    let held = host.clone();
    let env = lua.create_async_function(move |lua, (name, default): (String, LuaValue)| {
        let host = held.clone();
        async move {
            let found = host.state.lock().await.attempt.scope.environment(&name);
            match (found, default) {
                (Ok(text), _) => Ok(LuaValue::String(lua.create_string(text)?)),
                (Err(LookupError::Undefined), default) if !default.is_nil() => Ok(default),
                (Err(error), _) => {
                    let problem = format!("environment variable `{name}` {error}");
                    Err(ScriptError::misuse(problem))
                }
            }
        }
    })?;
    canary.set("env", env)?;
    let parameters = lua.create_table()?;
    for (name, parameter) in host.parameters.iter() {
        parameters.set(&**name, value::from_json(lua, parameter)?)?;
    }
    canary.set("parameters", parameters)?;
    lua.globals().set("canary", canary)
}

fn logs(lua: &Lua, host: &Host) -> mlua::Result<()> {
    let write = |level: LogLevel| {
        let host = host.clone();
        lua.create_function(move |_, parts: MultiValue| {
            let texts: Vec<String> =
                parts.iter().map(LuaValue::to_string).collect::<mlua::Result<_>>()?;
            let mut text = texts.join("\t");
            if text.len() > LOG_BYTES_MAX {
                let end = (0..=LOG_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
                text.truncate(end.unwrap_or(0));
                text.push_str("..");
            }
            host.run.events.log(level, host.run.redaction.text(&text));
            Ok(())
        })
    };
    let log = lua.create_table()?;
    log.set("debug", write(LogLevel::Debug)?)?;
    log.set("info", write(LogLevel::Info)?)?;
    log.set("warn", write(LogLevel::Warn)?)?;
    log.set("error", write(LogLevel::Error)?)?;
    // `log("x")` is `log.info("x")`.
    let meta = lua.create_table()?;
    let info: Function = log.get("info")?;
    let call = lua
        .create_function(move |_, (_own, parts): (LuaValue, MultiValue)| info.call::<()>(parts))?;
    meta.set("__call", call)?;
    log.set_metatable(Some(meta))?;
    lua.globals().set("log", log)?;
    lua.globals().set("print", write(LogLevel::Info)?)
}

fn notes(lua: &Lua, host: &Host) -> mlua::Result<()> {
    let held = host.clone();
    let metric = move |_: &Lua, (name, number, unit): (String, f64, Option<String>)| {
        let unit = match unit.as_deref().map(str::parse::<StandardUnit>) {
            None => StandardUnit::None,
            Some(Ok(unit)) => unit,
            Some(Err(_unknown)) => {
                let problem = format!("`{}` is no unit of CloudWatch", unit.unwrap_or_default());
                return Err(ScriptError::misuse(problem));
            }
        };
        if !number.is_finite() || name.is_empty() || name.len() > 255 {
            return Err(ScriptError::misuse("a metric has a name and a finite value"));
        }
        let canary = Arc::clone(&held.run.canary.name);
        let dimensions = Dimensions::of([(Arc::from("CanaryName"), canary)]);
        let at = held.run.clock().now();
        let mut notes = held.notes();
        if notes.metrics.len() >= NOTES_MAX {
            return Err(ScriptError::misuse("a run emits at most 1000 metrics"));
        }
        notes.metrics.push(MetricDatum::sample(name, dimensions, at, (number, unit)));
        Ok(())
    };
    lua.globals().set("metric", lua.create_function(metric)?)?;
    let held = host.clone();
    let annotate = move |_: &Lua, (key, note): (String, LuaValue)| {
        let mut note = value::to_json(&note)?;
        if let Value::String(text) = &mut note {
            *text = held.run.redaction.text(text);
        }
        let mut notes = held.notes();
        if notes.annotations.len() >= NOTES_MAX {
            return Err(ScriptError::misuse("a run has at most 1000 annotations"));
        }
        notes.annotations.insert(key, note);
        Ok(())
    };
    lua.globals().set("annotate", lua.create_function(annotate)?)
}

fn secret(lua: &Lua, host: &Host) -> mlua::Result<()> {
    let host = host.clone();
    let secret = lua.create_function(move |lua, name: String| {
        let found = host.run.secrets.get(&name);
        let found =
            found.map_err(|error| ScriptError::misuse(format!("secret `{name}` {error}")))?;
        lua.create_string(found.expose())
    })?;
    lua.globals().set("secret", secret)
}

/// Modules of the canary's own folder, each run once.
fn require(lua: &Lua, host: &Host) -> mlua::Result<()> {
    let loaded = lua.create_table()?;
    let host = host.clone();
    let require = lua.create_async_function(move |lua, name: String| {
        let (host, loaded) = (host.clone(), loaded.clone());
        async move {
            let known: LuaValue = loaded.get(name.as_str())?;
            if !known.is_nil() {
                return Ok(known);
            }
            let path = module_path(&name)?;
            let text = read(&host.run.canary.folder, &path).await;
            let text = text.map_err(|problem| {
                ScriptError::misuse(format!("cannot require `{name}`: {problem}"))
            })?;
            let module: LuaValue = sandbox::compile(&lua, &path, &text)?.call_async(()).await?;
            let module = if module.is_nil() { LuaValue::Boolean(true) } else { module };
            loaded.set(name, module.clone())?;
            Ok(module)
        }
    })?;
    lua.globals().set("require", require)
}

async fn read(folder: &Path, path: &str) -> Result<String, String> {
    let bytes_max = u64::try_from(SOURCE_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = files::read_inside(folder, Path::new(path), bytes_max).await;
    let bytes = bytes.map_err(|error| error.to_string())?;
    String::from_utf8(bytes.to_vec()).map_err(|_utf8| "it is not text".to_owned())
}

/// `./lib/shop` to `lib/shop.lua`: relative to the canary's folder, never out of it.
pub(super) fn module_path(name: &str) -> mlua::Result<String> {
    let plain = name.strip_prefix("./").unwrap_or(name);
    let part_is_plain = |part: &str| {
        !part.is_empty()
            && part != ".."
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    if plain.len() > 200 || !plain.split('/').all(part_is_plain) {
        let problem = format!("`{name}` is no module: name a file of the canary's folder");
        return Err(ScriptError::misuse(problem));
    }
    let has_ending = plain.ends_with(".lua") || plain.ends_with(".luau");
    Ok(if has_ending { plain.to_owned() } else { format!("{plain}.lua") })
}

/// What stands between a step's name and its function.
pub(super) struct StepOptions {
    pub(super) timeout: Option<std::time::Duration>,
    pub(super) always: bool,
}

/// `step(name, body)` or `step(name, { timeout = "5s", always = true }, body)`.
pub(super) fn step_arguments(
    (first, second): (LuaValue, LuaValue),
) -> mlua::Result<(StepOptions, Function)> {
    let mut options = StepOptions { timeout: None, always: false };
    match (first, second) {
        (LuaValue::Function(body), _) => Ok((options, body)),
        (LuaValue::Table(table), LuaValue::Function(body)) => {
            read_options(&table, &mut options)?;
            Ok((options, body))
        }
        _ => Err(ScriptError::misuse("step takes a name and a function")),
    }
}

fn read_options(table: &Table, options: &mut StepOptions) -> mlua::Result<()> {
    for pair in table.pairs::<String, LuaValue>() {
        let (key, value) = pair?;
        match (key.as_str(), &value) {
            ("timeout", value) => options.timeout = Some(super::modules::duration(value)?),
            ("always", LuaValue::Boolean(always)) => options.always = *always,
            _ => {
                let problem = format!("`{key}` is no option of a step: timeout, always");
                return Err(ScriptError::misuse(problem));
            }
        }
    }
    Ok(())
}
