//! Functions that compute: `json`, `time`, `crypto`. They reach nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::Md5;
use mlua::{Lua, LuaSerdeExt, LuaString, Table, Value as LuaValue};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::call::Request;
use super::failure::ScriptError;
use super::guest::Guest;
use super::{api, value};
use crate::canary::quantity;
use crate::time::{Clock, Timestamp};

/// BOUND: of a text that is read as JSON.
const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(super) fn install(lua: &Lua, clock: &std::sync::Arc<dyn Clock>) -> mlua::Result<()> {
    let globals = lua.globals();
    let (json, crypto) = (json(lua)?, crypto(lua)?);
    api::close_names(lua, "json", &json)?;
    api::close_names(lua, "crypto", &crypto)?;
    globals.set("json", json)?;
    globals.set("crypto", crypto)?;
    globals.set("time", time(lua, std::sync::Arc::clone(clock))?)
}

/// JSON text to a value of a script.
pub(super) fn decode(lua: &Lua, text: &[u8]) -> mlua::Result<LuaValue> {
    if text.len() > JSON_BYTES_MAX {
        return Err(ScriptError::misuse("a JSON text is at most 16 MiB long"));
    }
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| ScriptError::misuse(format!("this is not JSON: {error}")))?;
    value::from_json(lua, &value)
}

fn json(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.set("null", lua.null())?;
    module.set(
        "encode",
        lua.create_function(|_, value: LuaValue| Ok(value::to_json(&value)?.to_string()))?,
    )?;
    module.set(
        "decode",
        lua.create_function(|lua, text: LuaString| decode(lua, &text.as_bytes()))?,
    )?;
    Ok(module)
}

fn crypto(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    let hash = |digest: fn(&[u8]) -> String| {
        lua.create_function(move |_, text: LuaString| Ok(digest(&text.as_bytes())))
    };
    module.set("md5", hash(|bytes| hex::encode(Md5::digest(bytes)))?)?;
    module.set("sha1", hash(|bytes| hex::encode(Sha1::digest(bytes)))?)?;
    module.set("sha256", hash(|bytes| hex::encode(Sha256::digest(bytes)))?)?;
    module.set("sha512", hash(|bytes| hex::encode(Sha512::digest(bytes)))?)?;
    module.set("hex", hash(|bytes| hex::encode(bytes))?)?;
    module.set("base64", hash(|bytes| STANDARD.encode(bytes))?)?;
    module.set(
        "base64_decode",
        lua.create_function(|lua, text: LuaString| {
            let bytes = STANDARD.decode(text.as_bytes());
            let bytes = bytes.map_err(|_damaged| ScriptError::misuse("this is not base64"))?;
            lua.create_string(bytes)
        })?,
    )?;
    module.set(
        "hmac",
        lua.create_function(|_, (key, message, kind): (LuaString, LuaString, Option<String>)| {
            hmac(&key.as_bytes(), &message.as_bytes(), kind.as_deref().unwrap_or("sha256"))
        })?,
    )?;
    module.set("uuid", lua.create_function(|_, ()| Ok(uuid::Uuid::new_v4().to_string()))?)?;
    module.set(
        "random",
        lua.create_function(|_, (low, high): (i64, i64)| {
            if low > high {
                return Err(ScriptError::misuse("the first bound is above the second"));
            }
            Ok(fastrand::i64(low..=high))
        })?,
    )?;
    Ok(module)
}

fn hmac(key: &[u8], message: &[u8], kind: &str) -> mlua::Result<String> {
    let code = match kind {
        "sha256" => code_of::<Hmac<Sha256>>(key, message),
        "sha1" => code_of::<Hmac<Sha1>>(key, message),
        "sha512" => code_of::<Hmac<Sha512>>(key, message),
        _ => return Err(ScriptError::misuse("the algorithm is sha256, sha1 or sha512")),
    };
    code.map(hex::encode).ok_or_else(|| ScriptError::misuse("the key cannot be used"))
}

fn code_of<M: Mac + hmac::digest::KeyInit>(key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as Mac>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac.finalize().into_bytes().to_vec())
}

fn time(lua: &Lua, clock: std::sync::Arc<dyn Clock>) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.set("now", lua.create_function(move |_, ()| Ok(clock.now().as_secs_f64()))?)?;
    module.set(
        "parse",
        lua.create_function(|_, text: String| {
            let instant = Timestamp::parse(&text);
            instant
                .map(Timestamp::as_secs_f64)
                .map_err(|error| ScriptError::misuse(error.to_string()))
        })?,
    )?;
    module.set(
        "format",
        lua.create_function(|_, seconds: f64| Ok(Timestamp::from_secs_f64(seconds).to_rfc3339()))?,
    )?;
    Ok(module)
}

/// `time.sleep`, which belongs inside of a step and ends with it.
pub(super) fn install_sleep(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let guest = guest.clone();
    let sleep = lua.create_async_function(move |_, how_long: LuaValue| {
        let guest = guest.clone();
        async move {
            let duration = duration(&how_long)?;
            guest.ask(Request::Sleep { duration }).await.map(drop)
        }
    })?;
    let module: Table = lua.globals().get("time")?;
    module.set("sleep", sleep)
}

/// Seconds, or a text with its unit.
pub(super) fn duration(value: &LuaValue) -> mlua::Result<Duration> {
    let wrong = || ScriptError::misuse("a duration is a number of seconds, or a text: 300ms, 10s");
    match value {
        LuaValue::String(text) => quantity::duration(&text.to_str()?).ok_or_else(wrong),
        LuaValue::Integer(seconds) => {
            u64::try_from(*seconds).map(Duration::from_secs).map_err(|_| wrong())
        }
        LuaValue::Number(seconds) => Duration::try_from_secs_f64(*seconds).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}
