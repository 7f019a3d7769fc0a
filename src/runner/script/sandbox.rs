use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value as LuaValue, VmState};

use super::SOURCE_BYTES_MAX;
use super::failure::ScriptError;
use crate::time::{Clock, Deadline, Monotonic};

/// BOUND: of a script's memory; more is an error inside of the script.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// BOUND: of calls and loop turns of one run, beside its time.
const FUEL_MAX: u64 = 200_000_000;

/// A script that computes gives way to others after so long.
const YIELD_AFTER: Duration = Duration::from_millis(1);

/// What scripts see of Luau itself; everything else is taken away.
const GLOBALS: &[&str] = &[
    "_VERSION",
    "assert",
    "bit32",
    "buffer",
    "coroutine",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "next",
    "os",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "typeof",
    "unpack",
    "utf8",
    "xpcall",
];

/// BOUND: of turns that one call of a native function may make: no interrupt reaches it there.
const NATIVE_TURNS_MAX: f64 = 1_000_000.0;

/// The time that a script has at the moment. Steps move it.
#[derive(Clone, Debug)]
pub(super) struct TimeLimit {
    clock: Arc<dyn Clock>,
    deadline: Arc<Mutex<Deadline>>,
}

impl TimeLimit {
    pub(super) fn new(clock: Arc<dyn Clock>, deadline: Deadline) -> Self {
        Self { clock, deadline: Arc::new(Mutex::new(deadline)) }
    }

    pub(super) fn set(&self, deadline: Deadline) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    fn has_passed(&self, now: Monotonic) -> bool {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.monotonic() <= now
    }
}

/// A fresh machine: nothing in it but the allowed part of Luau. Add functions, then [`close`] it.
pub(super) fn open() -> mlua::Result<Lua> {
    let libraries = StdLib::COROUTINE
        | StdLib::TABLE
        | StdLib::STRING
        | StdLib::UTF8
        | StdLib::BIT
        | StdLib::MATH
        | StdLib::BUFFER
        | StdLib::OS;
    let lua = Lua::new_with(libraries, LuaOptions::new())?;
    lua.set_memory_limit(MEMORY_BYTES_MAX)?;
    let globals = lua.globals();
    let allowed: BTreeSet<&str> = GLOBALS.iter().copied().collect();
    let mut unwanted = Vec::new();
    for pair in globals.pairs::<mlua::Value, mlua::Value>() {
        let (key, _) = pair?;
        let is_allowed = key
            .as_string()
            .is_some_and(|key| key.to_str().is_ok_and(|key| allowed.contains(&*key)));
        if !is_allowed {
            unwanted.push(key);
        }
    }
    for key in unwanted {
        globals.raw_set(key, mlua::Nil)?;
    }
    bound_native_loops(&lua)?;
    Ok(lua)
}

/// Replaces the functions that turn natively as often as an argument says, however little memory
/// that takes, by ones that refuse to.
fn bound_native_loops(lua: &Lua) -> mlua::Result<()> {
    let table: Table = lua.globals().get("table")?;
    let native: Function = table.get("move")?;
    let bounded = lua.create_function(move |_, arguments: MultiValue| {
        ensure_few(number(&arguments, 2) - number(&arguments, 1), "table.move")?;
        native.call::<MultiValue>(arguments)
    })?;
    table.set("move", bounded)?;
    let string: Table = lua.globals().get("string")?;
    let native: Function = string.get("rep")?;
    let bounded = lua.create_function(move |_, arguments: MultiValue| {
        let is_empty = arguments.front().and_then(LuaValue::as_string);
        if is_empty.is_some_and(|text| text.as_bytes().is_empty()) {
            ensure_few(number(&arguments, 1), "string.rep")?;
        }
        native.call::<MultiValue>(arguments)
    })?;
    string.set("rep", bounded)
}

/// A number, which the machine hands over in two forms. Texts count as numbers, too.
#[expect(clippy::cast_precision_loss, reason = "a bound of a million is far from 2^53")]
fn number(arguments: &MultiValue, at: usize) -> f64 {
    match arguments.get(at) {
        Some(LuaValue::Integer(whole)) => *whole as f64,
        Some(LuaValue::Number(number)) => *number,
        Some(LuaValue::String(text)) => {
            text.to_str().ok().and_then(|text| text.trim().parse().ok()).unwrap_or(f64::NAN)
        }
        _ => 0.0,
    }
}

fn ensure_few(turns: f64, name: &str) -> mlua::Result<()> {
    // Not a number is not few.
    if turns <= NATIVE_TURNS_MAX {
        return Ok(());
    }
    Err(ScriptError::misuse(format!("{name} is asked for more than a million turns")))
}

/// Makes everything that is there by now read-only, and starts the meter.
pub(super) fn close(lua: &Lua, limit: &TimeLimit) -> mlua::Result<()> {
    lua.sandbox(true)?;
    let limit = limit.clone();
    let spent = AtomicU64::new(0);
    let gave_way = Mutex::new(limit.clock.monotonic());
    lua.set_interrupt(move |lua| {
        if spent.fetch_add(1, Ordering::Relaxed) >= FUEL_MAX {
            return Err(ScriptError::OutOfFuel.into());
        }
        let now = limit.clock.monotonic();
        // It is raised again at each turn, so that catching it does not help.
        if limit.has_passed(now) {
            // What waits for a step must not be ended by that step's time.
            return match is_waiting(lua) {
                true => Ok(VmState::Continue),
                false => Err(ScriptError::OutOfTime.into()),
            };
        }
        let mut last = gave_way.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(*last) < YIELD_AFTER {
            return Ok(VmState::Continue);
        }
        if is_waiting(lua) {
            return Ok(VmState::Continue);
        }
        *last = now;
        Ok(VmState::Yield)
    });
    Ok(())
}

/// Whether the machine's own code for waiting is interrupted. A yield there would be taken for the
/// wait itself, and the wake-up that came for it would be lost.
fn is_waiting(lua: &Lua) -> bool {
    let found = lua.inspect_stack(0, |debug| {
        let source = debug.source();
        let own = |text: Option<&str>| text.is_some_and(|text| text.contains("__mlua_async"));
        own(source.short_src.as_deref()) || own(source.source.as_deref())
    });
    found.unwrap_or(true)
}

/// Compiles a text; bytecode is refused.
pub(super) fn compile(lua: &Lua, name: &str, text: &str) -> mlua::Result<Function> {
    if text.len() > SOURCE_BYTES_MAX {
        return Err(ScriptError::SourceTooLarge.into());
    }
    lua.load(text).set_name(format!("={name}")).set_mode(ChunkMode::Text).into_function()
}

/// The line of the script that called into us.
pub(super) fn calling_line(lua: &Lua, chunk: &str) -> Option<usize> {
    /// BOUND: of frames looked at; ours and the caller's are on top.
    const FRAMES_MAX: usize = 8;
    (0..FRAMES_MAX).find_map(|level| {
        lua.inspect_stack(level, |debug| {
            let is_script = debug.source().short_src.as_deref() == Some(chunk);
            debug.current_line().filter(|_| is_script)
        })
        .flatten()
    })
}
