use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mlua::{Lua, MultiValue, Table, Value as LuaValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failure::{ScriptError, cause, failure_of};
use super::host::chunk_name;
use super::sandbox::{self, TimeLimit};
use super::{api, modules, value, worker};
use crate::canary::load::{Fault, Imports, Loaded};
use crate::canary::script;
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::time::{Clock, Deadline, SystemClock};

/// BOUND: a script may compute so long before its first step.
pub(super) const TIME_MAX: Duration = Duration::from_millis(500);

/// Where the code of scripts is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ScriptPlace {
    /// In this process.
    #[default]
    Here,
    /// In a process of its own: this program, started as [`super::WORKER_SUBCOMMAND`].
    Worker(PathBuf),
}

/// The calls of `canary.*` that a script makes, in order.
pub(super) type Said = Vec<(String, Value)>;

/// The text of a module of the canary's folder, or why there is none.
pub(super) type Modules<'m> = dyn Fn(&str) -> Result<String, String> + 'm;

/// Why a script cannot be read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ScriptFault {
    pub(super) is_syntax: bool,
    pub(super) message: String,
    pub(super) line: usize,
}

/// Reads a script's canary: what it says about itself outside of its steps, which are not run.
///
/// Nothing is reached but modules of the canary's folder, through `imports`; environment variables
/// read as their defaults.
/// Errors: faults of the script's syntax, of its code outside of steps, and of what it says.
pub fn load(
    file: &SourceFile,
    folder: &Path,
    imports: &dyn Imports,
    place: &ScriptPlace,
) -> Result<Loaded, Vec<Fault>> {
    let modules = |path: &str| {
        let read = imports.read(path);
        read.map(|file| file.text().to_owned()).map_err(|error| error.to_string())
    };
    let (text, chunk) = (file.text(), chunk_name(file.name()));
    let said = match place {
        ScriptPlace::Here => said(text, chunk, &modules),
        ScriptPlace::Worker(program) => worker::read(program, (text, chunk), &modules),
    };
    let said = said.map_err(|fault| vec![fault.in_file(file)])?;
    script::canary_of_script(&document(said, file), &|key| span_of(file, key), file, folder)
}

impl ScriptFault {
    fn of(error: &mlua::Error, chunk: &str) -> Self {
        let failure = failure_of(error, chunk, chunk);
        Self {
            is_syntax: matches!(error, mlua::Error::SyntaxError { .. }),
            message: failure.message.lines().next().unwrap_or("").to_owned(),
            line: failure.location.map_or(1, |location| location.line),
        }
    }

    fn in_file(self, file: &SourceFile) -> Fault {
        let text = file.line(self.line);
        let indent = text.len() - text.trim_start().len();
        let start = file.offset(self.line, 1) + indent;
        let span = Span::new(start, start + text.trim().len().max(1));
        let code = if self.is_syntax { "script-syntax" } else { "script" };
        Fault { file: file.clone(), diagnostic: Diagnostic::error(code, self.message, span) }
    }
}

/// Where the script says something about itself.
fn span_of(file: &SourceFile, key: &str) -> Span {
    let key = match key {
        "canary" => "name",
        "alarms" => "alarm",
        "browser" => "viewport",
        key => key,
    };
    let needle = format!("canary.{key}");
    match file.text().find(&needle) {
        Some(start) => {
            let rest = file.text().get(start..).unwrap_or("");
            let line = rest.lines().next().unwrap_or("").trim_end().len();
            Span::new(start, start + line)
        }
        None => Span::point(0),
    }
}

/// What a script says about itself.
pub(super) fn said(text: &str, chunk: &str, modules: &Modules<'_>) -> Result<Said, ScriptFault> {
    listen(text, chunk, modules).map_err(|error| ScriptFault::of(&error, chunk))
}

fn listen(text: &str, chunk: &str, read: &Modules<'_>) -> mlua::Result<Said> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let limit = TimeLimit::new(Arc::clone(&clock), Deadline::after(&*clock, TIME_MAX));
    let lua = sandbox::open()?;
    let said = Arc::<Mutex<Said>>::default();
    modules::install(&lua, &clock)?;
    canary(&lua, &said)?;
    absent(&lua)?;
    let stepped = Arc::new(AtomicBool::new(false));
    let met = Arc::clone(&stepped);
    let step = lua.create_function(move |_, _: MultiValue| {
        met.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    lua.globals().set("step", step)?;
    lua.scope(|scope| {
        let loaded = lua.create_table()?;
        let require =
            scope.create_function(move |lua, name: String| require(lua, &loaded, &name, read))?;
        lua.globals().set("require", require)?;
        sandbox::close(&lua, &limit)?;
        let run = sandbox::compile(&lua, chunk, text)?.call::<()>(());
        // What stands after a step may need what the step, which was not run, would have left.
        match (run, stepped.load(Ordering::Relaxed)) {
            (Err(error), true) if cause(&error).is_none() => Ok(()),
            (run, _) => run,
        }
    })?;
    Ok(std::mem::take(&mut *said.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// The calls as the keys of a canary file.
fn document(said: Said, file: &SourceFile) -> Said {
    let mut keys = Said::new();
    let mut alarms = Vec::new();
    for (key, value) in said {
        let key = match key.as_str() {
            "alarm" => {
                alarms.push(value);
                continue;
            }
            "name" => "canary".to_owned(),
            "viewport" => {
                keys.push(("browser".to_owned(), json!({ "viewport": value })));
                continue;
            }
            _ => key,
        };
        keys.retain(|(other, _)| *other != key);
        keys.push((key, value));
    }
    if !alarms.is_empty() {
        keys.push(("alarms".to_owned(), Value::Array(alarms)));
    }
    if !keys.iter().any(|(key, _)| key == "canary") {
        let stem = chunk_name(file.name()).rsplit_once('.').map_or("", |(stem, _)| stem);
        keys.push(("canary".to_owned(), Value::from(stem)));
    }
    if !keys.iter().any(|(key, _)| key == "secrets") {
        let names = secret_names(file.text());
        if !names.is_empty() {
            keys.push(("secrets".to_owned(), json!(names)));
        }
    }
    keys
}

/// The secrets that a script asks for by name: `secret "NAME"`, `secret("NAME")`.
fn secret_names(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (at, _) in text.match_indices("secret") {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            continue;
        }
        let rest = text.get(at + "secret".len()..).unwrap_or("");
        let rest = rest.trim_start().trim_start_matches('(').trim_start();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
        let name = rest.get(1..).and_then(|rest| rest.split_once(quote)).map(|(name, _)| name);
        names.extend(name.filter(|name| !name.contains('\n')));
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn canary(lua: &Lua, said: &Arc<Mutex<Said>>) -> mlua::Result<()> {
    let canary = lua.create_table()?;
    for name in api::SAID {
        let said = Arc::clone(said);
        let say = lua.create_function(move |_, what: LuaValue| {
            let what = value::to_json(&what)?;
            said.lock().unwrap_or_else(PoisonError::into_inner).push(((*name).to_owned(), what));
            Ok(())
        })?;
        canary.set(*name, say)?;
    }
    let env = lua.create_function(|lua, (_name, default): (String, LuaValue)| {
        let empty = || Ok(LuaValue::String(lua.create_string("")?));
        if default.is_nil() { empty() } else { Ok(default) }
    })?;
    canary.set("env", env)?;
    canary.set("parameters", lua.create_table()?)?;
    api::close_names(lua, "canary", &canary)?;
    lua.globals().set("canary", canary)
}

/// Everything that belongs inside of a step, or is of no interest outside of a run.
fn absent(lua: &Lua) -> mlua::Result<()> {
    let globals = lua.globals();
    let nothing = || lua.create_function(|_, _: MultiValue| Ok(()));
    for name in ["print", "metric", "annotate"] {
        globals.set(name, nothing()?)?;
    }
    globals.set("secret", lua.create_function(|lua, _: MultiValue| lua.create_string(""))?)?;
    let log = lua.create_table()?;
    for name in ["debug", "info", "warn", "error"] {
        log.set(name, nothing()?)?;
    }
    let meta = lua.create_table()?;
    meta.set("__call", nothing()?)?;
    log.set_metatable(Some(meta))?;
    globals.set("log", log)?;
    let refuse = || {
        lua.create_function(|_, _: MultiValue| -> mlua::Result<()> {
            Err(ScriptError::misuse("this belongs inside of a step"))
        })
    };
    for name in ["expect", "tcp", "tls", "dns", "icmp", "websocket", "grpc"] {
        globals.set(name, refuse()?)?;
    }
    for name in ["http", "browser"] {
        let module = lua.create_table()?;
        let meta = lua.create_table()?;
        let refuse = refuse()?;
        let index = lua.create_function(move |_, _: MultiValue| Ok(refuse.clone()))?;
        meta.set("__index", index)?;
        module.set_metatable(Some(meta))?;
        globals.set(name, module)?;
    }
    let time: Table = globals.get("time")?;
    time.set("sleep", refuse()?)
}

fn require(lua: &Lua, loaded: &Table, name: &str, read: &Modules<'_>) -> mlua::Result<LuaValue> {
    let known: LuaValue = loaded.get(name)?;
    if !known.is_nil() {
        return Ok(known);
    }
    let path = api::module_path(name)?;
    let text = read(&path)
        .map_err(|problem| ScriptError::misuse(format!("cannot require `{name}`: {problem}")))?;
    let module: LuaValue = sandbox::compile(lua, &path, &text)?.call(())?;
    let module = if module.is_nil() { LuaValue::Boolean(true) } else { module };
    loaded.set(name, module.clone())?;
    Ok(module)
}
