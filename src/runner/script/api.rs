//! Functions that speak to the run: `canary`, `step`, `log`, `metric`, `annotate`, `secret`,
//! `require`.

use mlua::{Function, Lua, MultiValue, Table, Value as LuaValue};

use super::call::{Note, Reply, Request};
use super::failure::ScriptError;
use super::guest::Guest;
use super::{sandbox, value};
use crate::canary::report::LogLevel;
use crate::diagnostic::did_you_mean;

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

pub(super) fn install(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    canary(lua, guest)?;
    logs(lua, guest)?;
    notes(lua, guest)?;
    require(lua, guest)
}

fn canary(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let canary = lua.create_table()?;
    for name in SAID {
        // It was read and obeyed when the script was loaded.
        canary.set(*name, lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    }
    let held = guest.clone();
    let env = lua.create_async_function(move |lua, (name, default): (String, LuaValue)| {
        let guest = held.clone();
        async move {
            match guest.ask(Request::Environment { name: name.clone() }).await? {
                Reply::Text(text) => Ok(LuaValue::String(lua.create_string(text)?)),
                _ if !default.is_nil() => Ok(default),
                _ => {
                    let problem = format!("environment variable `{name}` is not set");
                    Err(ScriptError::misuse(problem))
                }
            }
        }
    })?;
    canary.set("env", env)?;
    let parameters = lua.create_table()?;
    for (name, parameter) in guest.parameters.iter() {
        parameters.set(&**name, value::from_json(lua, parameter)?)?;
    }
    canary.set("parameters", parameters)?;
    close_names(lua, "canary", &canary)?;
    lua.globals().set("canary", canary)
}

/// Makes a slip of the pen in a name say so: else it is a nil, which fails later and elsewhere.
pub(super) fn close_names(lua: &Lua, module: &'static str, table: &Table) -> mlua::Result<()> {
    let names = table.pairs::<String, LuaValue>().map(|pair| Ok(pair?.0));
    let names: Vec<String> = names.collect::<mlua::Result<_>>()?;
    let index = lua.create_function(move |_, (_own, name): (LuaValue, String)| {
        let absent = format!("there is no `{module}.{name}`");
        let guess = did_you_mean(&name, names.iter().map(String::as_str));
        let guess = guess.map_or_else(String::new, |guess| format!(", did you mean `{guess}`?"));
        Err::<(), _>(ScriptError::misuse(absent + &guess))
    })?;
    let meta = lua.create_table()?;
    meta.set("__index", index)?;
    meta.set("__metatable", false)?;
    table.set_metatable(Some(meta))
}

fn logs(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let write = |level: LogLevel| {
        let guest = guest.clone();
        lua.create_function(move |_, parts: MultiValue| {
            let texts: Vec<String> =
                parts.iter().map(LuaValue::to_string).collect::<mlua::Result<_>>()?;
            guest.note(Note::Log { level, text: texts.join("\t") }).map(drop)
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

fn notes(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let held = guest.clone();
    let metric = move |_: &Lua, (name, number, unit): (String, f64, Option<String>)| {
        if !number.is_finite() {
            return Err(ScriptError::misuse("a metric has a name and a finite value"));
        }
        held.note(Note::Metric { name, number, unit }).map(drop)
    };
    lua.globals().set("metric", lua.create_function(metric)?)?;
    let held = guest.clone();
    let annotate = move |_: &Lua, (key, note): (String, LuaValue)| {
        held.note(Note::Annotate { key, note: value::to_json(&note)? }).map(drop)
    };
    lua.globals().set("annotate", lua.create_function(annotate)?)?;
    let held = guest.clone();
    let secret =
        lua.create_function(move |lua, name: String| match held.note(Note::Secret { name })? {
            Reply::Text(secret) => lua.create_string(secret),
            other => Err(ScriptError::misuse(format!("{other:?} is no secret"))),
        })?;
    lua.globals().set("secret", secret)
}

/// Modules of the canary's own folder, each run once.
fn require(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let loaded = lua.create_table()?;
    let guest = guest.clone();
    let require = lua.create_async_function(move |lua, name: String| {
        let (guest, loaded) = (guest.clone(), loaded.clone());
        async move {
            let known: LuaValue = loaded.get(name.as_str())?;
            if !known.is_nil() {
                return Ok(known);
            }
            let path = module_path(&name)?;
            let read = match guest.ask(Request::Module { path: path.clone() }).await? {
                Reply::Module(read) => read,
                other => return Err(ScriptError::misuse(format!("{other:?} is no module"))),
            };
            let text = read.map_err(|problem| {
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
