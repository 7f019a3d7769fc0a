//! Text and bytes as HTML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Text with everything escaped that HTML takes for markup, in content and in attributes.
pub(in crate::report) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // What no page may hold, and what turns the reading direction of what follows.
            '\u{0}'..='\u{8}'
            | '\u{b}'..='\u{1f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
    out
}

/// A picture as the address of itself.
pub(in crate::report) fn data_url(picture: &[u8]) -> String {
    let kind = match picture {
        [0xff, 0xd8, ..] => "jpeg",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        _ => "png",
    };
    format!("data:image/{kind};base64,{}", STANDARD.encode(picture))
}

/// The hash by which a policy lets one script run.
pub(in crate::report) fn script_hash(script: &str) -> String {
    use sha2::Digest;
    format!("'sha256-{}'", STANDARD.encode(sha2::Sha256::digest(script.as_bytes())))
}
