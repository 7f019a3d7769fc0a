use std::path::Path;
use std::time::Duration;

use super::{ScriptPlace, load};
use crate::canary::definition::CanaryBody;
use crate::canary::load::{ImportError, Imports, NoImports};
use crate::diagnostic::{MessageFormat, SourceFile, render};
use crate::time::{Clock, SystemClock};

fn faults(text: &str) -> String {
    let file = SourceFile::new("canaries/x.lua", text);
    match load(&file, Path::new("canaries"), &NoImports, &ScriptPlace::Here) {
        Ok(_) => "none".to_owned(),
        Err(faults) => {
            faults.iter().map(|f| render(&f.diagnostic, &f.file, MessageFormat::Short)).collect()
        }
    }
}

#[test]
fn a_script_tells_about_itself_without_running_its_steps() {
    let text = r#"
local base = canary.env("BASE_URL", "http://127.0.0.1:8600")
canary.description "prices are right"
canary.schedule "rate(5 minutes)"
canary.timeout "30s"
canary.tags { "shop", "lua" }
canary.retry { attempts = 2, delay = "1s" }
canary.alarm { when = "SuccessPercent < 100 for 2 of 3 periods of 1m", missing = "breaching" }
step("never run", function()
  error("steps are not run: " .. base .. secret "SHOP_PASSWORD" .. secret('OTHER'))
end)
"#;
    let file = SourceFile::new("canaries/shop-prices.lua", text);
    let canary = load(&file, Path::new("canaries"), &NoImports, &ScriptPlace::Here).unwrap().canary;
    assert_eq!(&*canary.name, "shop-prices");
    assert_eq!(canary.schedule.unwrap().expression(), "rate(5 minutes)");
    assert_eq!(canary.timeout.as_secs(), 30);
    assert_eq!(canary.retry.attempts, 2);
    assert_eq!(canary.alarms.len(), 1);
    let secrets: Vec<&str> = canary.secrets.iter().map(|secret| &*secret.name).collect();
    assert_eq!(secrets, ["OTHER", "SHOP_PASSWORD"]);
    assert!(matches!(canary.body, CanaryBody::Script));
}

#[test]
fn faults_of_a_script_have_a_place() {
    for (text, expected) in [
        (
            "local x = = 1\n",
            "canaries/x.lua:1:1: script-syntax: Expected identifier when parsing expression, \
             got '='\n",
        ),
        ("\n  error('oops')\n", "canaries/x.lua:2:3: script: oops\n"),
        (
            "local y = nil + 1\n",
            "canaries/x.lua:1:1: script: attempt to perform arithmetic (add) on nil and number\n",
        ),
        (
            "canary.schedule 'every day'\n",
            "canaries/x.lua:1:18: schedule: `every day` is no schedule (write rate(1 minute) or \
             cron(0/5 8-18 ? * MON-FRI *))\n",
        ),
        ("http.get('http://h/')\n", "canaries/x.lua:1:1: script: this belongs inside of a step\n"),
        ("while true do end\n", "canaries/x.lua:1:1: script: the script did not end in its time\n"),
        (
            "require '../x'\n",
            "canaries/x.lua:1:1: script: `../x` is no module: name a file of the canary's folder\n",
        ),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
}

struct One;

impl Imports for One {
    fn read(&self, path: &str) -> Result<SourceFile, ImportError> {
        match path {
            "lib/conf.lua" => Ok(SourceFile::new(path, "return { every = 'rate(1 minute)' }")),
            _ => Err(ImportError::NotFound),
        }
    }
}

#[test]
fn modules_of_the_folder_can_be_required() {
    let file = SourceFile::new("x.lua", "canary.schedule(require('./lib/conf').every)");
    let canary = load(&file, Path::new(""), &One, &ScriptPlace::Here).unwrap().canary;
    assert_eq!(canary.schedule.unwrap().expression(), "rate(1 minute)");
}

/// What a script could do harm with is not there.
#[test]
fn the_sandbox_has_no_way_out() {
    for probe in [
        "dofile",
        "loadfile",
        "load",
        "loadstring",
        "io",
        "debug",
        "package",
        "getfenv",
        "setfenv",
        "collectgarbage",
        "newproxy",
        "gcinfo",
        "os.execute",
        "os.getenv",
        "os.remove",
        "os.exit",
        "string.dump",
        "_G",
        "shared",
        "vector",
        "module",
        "coroutine.debug",
        "rawset_global",
    ] {
        assert_eq!(faults(&format!("assert({probe} == nil)")), "none", "{probe}");
    }
    for attack in [
        "string.upper = nil",
        "getmetatable('').__index = {}",
        "math.huge = 1",
        "canary.name = nil",
        "setmetatable(string, {})",
        "require('/etc/passwd')",
        "require('lib/../../x')",
        "table.insert(string, 1)",
    ] {
        assert_ne!(faults(attack), "none", "{attack}");
    }
}

/// Whether a bomb fails or only comes to nothing is Luau's choice; that it ends is ours.
#[test]
fn bombs_end_in_time() {
    for bomb in [
        "while true do end",
        "local function f() return f() end f()",
        "local function f() f() end f()",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(error, function() while true do end end) end",
        "local t = {} while true do t[#t + 1] = string.rep('x', 1e6) end",
        "local s = 'x' while true do s = s .. s end",
        "string.find(string.rep('a', 200000), string.rep('a?', 200000) .. 'b')",
        "string.find(string.rep('a', 200000), 'a-b')",
        "for i = 1, 1e9 do coroutine.create(function() end) end",
        "string.rep('x', 1e9)",
        "table.move({}, 1, 1e9, 2)",
        "table.move({}, '1', '1000000000', 2)",
        "table.move({}, -1e15, 1e15, 2)",
        "string.rep('', 2147483647)",
        "('').rep('', 2147483647)",
        "string.find(string.rep('a', 30000), string.rep('.-', 9) .. 'b')",
        "string.split(string.rep('x', 1e7), '')",
        "table.sort(table.create(3e6, 1))",
        "local t = {} for i = 1, 2e5 do t[i] = i % 7 end table.sort(t)",
        "tonumber(string.rep('1', 1e7))",
        "os.date(string.rep('%c', 1e6))",
        "for i = 1, 1e9 do crypto.sha256(string.rep('x', 1e6)) end",
        "buffer.create(1e9)",
        "unpack({}, 1, 1e9)",
        "table.concat(table.create(1e8, 'x'))",
        "local t = {} for i = 1, 1e9 do t = {t} end",
        "error(setmetatable({}, {__tostring = function() while true do end end}))",
        "table.sort({3,2,1}, function() while true do end end)",
        "local _ = ('x'):gsub('', function() while true do end end)",
        "canary.tags((function() local t = {} t.t = t return t end)())",
        "canary.tags(json.decode(string.rep('[', 1e5)))",
    ] {
        let begun = SystemClock.monotonic();
        let found = faults(bomb);
        let took = SystemClock.monotonic().since(begun);
        // A script has half a second here; the rest is for a machine that is busy with others.
        assert!(took < Duration::from_secs(10), "{bomb} took {took:?}: {found}");
    }
}
