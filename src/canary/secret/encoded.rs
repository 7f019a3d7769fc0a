//! The forms that a secret takes on its way through URLs, headers, JSON, HTML and dumps.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode};

/// What a browser's form encoding leaves alone.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// RFC 3986, unreserved characters stay.
pub(super) const COMPONENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// JavaScript's `encodeURIComponent`.
const SCRIPT: &AsciiSet =
    &COMPONENT.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');

/// What our own templates escape in a path, and what others do who keep its slashes.
const TEMPLATE_PATH: &AsciiSet = &COMPONENT.remove(b'/').remove(b':').remove(b'@').remove(b',');
const SLASHED: &AsciiSet = &COMPONENT.remove(b'/');

/// What WHATWG URLs escape in a path, in a query and in credentials.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');

/// Every form of `secret` that is looked for, itself first.
pub(super) fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let bytes = secret.as_bytes();
    let mut forms = BTreeSet::from([bytes.to_vec()]);
    let mut add = |form: String| {
        forms.insert(form.into_bytes());
    };
    for set in [FORM, COMPONENT, SCRIPT, TEMPLATE_PATH, SLASHED, PATH, QUERY] {
        let encoded = percent_encode(bytes, set).to_string();
        add(encoded.replace("%20", "+"));
        add(lower_escapes(&encoded));
        add(encoded);
    }
    add(hex::encode(bytes));
    add(hex::encode_upper(bytes));
    add(json(secret));
    add(json(secret).replace('/', "\\/"));
    add(ascii_json(secret));
    add(ascii_json(secret).replace('/', "\\/"));
    add(json(&json(secret)));
    for quote in ["&quot;", "&#34;", "&#x22;"] {
        for apostrophe in ["&#39;", "&#x27;", "&apos;", "'"] {
            add(html(secret, quote, apostrophe));
        }
    }
    forms.extend(base64_phases(bytes));
    forms
}

/// The core of the secret's base64 at each of the three phases it can have inside a longer text:
/// the characters that do not depend on what stands around it.
fn base64_phases(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for phase in 0..3_usize {
        let mut padded = vec![0_u8; phase];
        padded.extend_from_slice(bytes);
        // The first characters mix in bits of what stands before, the last one of what follows.
        let skipped = (phase * 8).div_ceil(6);
        let whole = padded.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            let core = text.as_bytes().get(skipped..whole.min(text.len()));
            if let Some(core) = core {
                forms.push(core.to_vec());
                // Base64 in a URL, where `+` and `/` are escaped.
                forms.push(percent_encode(core, COMPONENT).to_string().into_bytes());
            }
        }
    }
    forms
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or("").to_owned()
}

/// JSON that escapes everything beyond ASCII, as some serializers do.
fn ascii_json(text: &str) -> String {
    let mut out = String::new();
    for c in json(text).chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

fn html(text: &str, quote: &str, apostrophe: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', quote)
        .replace('\'', apostrophe)
}

fn lower_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut escape = 0;
    for c in text.chars() {
        if c == '%' {
            escape = 2;
            out.push(c);
        } else if escape > 0 {
            escape -= 1;
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}
