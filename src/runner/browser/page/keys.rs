//! Names of keys, and the chords made of them.

use serde_json::{Value, json};

/// Names and code points of the keys that make no character.
///
/// Source: WebDriver, "Keyboard actions", the normalised key values.
const NAMED: [(&str, char); 44] = [
    ("Cancel", '\u{e001}'),
    ("Backspace", '\u{e003}'),
    ("Tab", '\u{e004}'),
    ("Clear", '\u{e005}'),
    ("Enter", '\u{e007}'),
    ("Return", '\u{e006}'),
    ("Shift", '\u{e008}'),
    ("Control", '\u{e009}'),
    ("Ctrl", '\u{e009}'),
    ("Alt", '\u{e00a}'),
    ("Pause", '\u{e00b}'),
    ("Escape", '\u{e00c}'),
    ("Esc", '\u{e00c}'),
    ("Space", ' '),
    ("PageUp", '\u{e00e}'),
    ("PageDown", '\u{e00f}'),
    ("End", '\u{e010}'),
    ("Home", '\u{e011}'),
    ("ArrowLeft", '\u{e012}'),
    ("ArrowUp", '\u{e013}'),
    ("ArrowRight", '\u{e014}'),
    ("ArrowDown", '\u{e015}'),
    ("Left", '\u{e012}'),
    ("Up", '\u{e013}'),
    ("Right", '\u{e014}'),
    ("Down", '\u{e015}'),
    ("Insert", '\u{e016}'),
    ("Delete", '\u{e017}'),
    ("F1", '\u{e031}'),
    ("F2", '\u{e032}'),
    ("F3", '\u{e033}'),
    ("F4", '\u{e034}'),
    ("F5", '\u{e035}'),
    ("F6", '\u{e036}'),
    ("F7", '\u{e037}'),
    ("F8", '\u{e038}'),
    ("F9", '\u{e039}'),
    ("F10", '\u{e03a}'),
    ("F11", '\u{e03b}'),
    ("F12", '\u{e03c}'),
    ("Meta", '\u{e03d}'),
    ("Command", '\u{e03d}'),
    ("Plus", '+'),
    ("Minus", '-'),
];

/// The keys of a chord such as `Control+Shift+A`, in the order they go down; the name of the first
/// one that is no key otherwise.
pub(super) fn chord(text: &str) -> Result<Vec<char>, &str> {
    if text == "+" {
        return Ok(vec!['+']);
    }
    text.split('+').map(|name| key(name).ok_or(name)).collect()
}

fn key(name: &str) -> Option<char> {
    let mut characters = name.chars();
    if let (Some(only), None) = (characters.next(), characters.next()) {
        return Some(only);
    }
    let named = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    named.map(|(_, key)| *key)
}

/// The action sequence that presses a chord: all down in order, all up in reverse.
pub(super) fn press(keys: &[char]) -> Value {
    let event = |kind: &str, key: &char| json!({ "type": kind, "value": key.to_string() });
    let down = keys.iter().map(|key| event("keyDown", key));
    let up = keys.iter().rev().map(|key| event("keyUp", key));
    let actions: Vec<Value> = down.chain(up).collect();
    json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_read_and_unknown_keys_are_named() {
        assert_eq!(chord("Enter"), Ok(vec!['\u{e007}']));
        assert_eq!(chord("Control+a"), Ok(vec!['\u{e009}', 'a']));
        assert_eq!(chord("+"), Ok(vec!['+']));
        assert_eq!(chord("Control+Entr"), Err("Entr"));
        assert_eq!(chord(""), Err(""));
    }

    #[test]
    fn keys_go_up_in_the_reverse_order() {
        let text = press(&['x', 'y']).to_string();
        let order: Vec<usize> = ["keyDown\",\"value\":\"x", "keyUp\",\"value\":\"y"]
            .iter()
            .map(|part| text.find(part).unwrap())
            .collect();
        assert!(order[0] < order[1]);
        assert!(text.rfind("\"x\"").unwrap() > text.rfind("\"y\"").unwrap());
    }
}
