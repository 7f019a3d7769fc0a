//! Shots inside an HTML report: written so that the report alone is enough to approve them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::markup::data_url;
use crate::visual::{ShotRecord, ShotRecordFault};

/// A shot as an HTML report holds it.
#[derive(Clone, Debug)]
pub struct EmbeddedShot {
    /// How it was judged.
    pub record: ShotRecord,
    /// Text runs and boxes of the page, as JSON.
    pub sidecar: Option<String>,
    /// The picture's file.
    pub screenshot: Vec<u8>,
    /// The approved picture's file, where it did not pass against it.
    pub baseline: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Block {
    record: serde_json::Value,
    sidecar: Option<String>,
}

const OPEN: &str = "<script type=\"application/json\" data-shot=\"";

/// The record of shot number `id`, in a block that no browser runs.
pub(in crate::report) fn shot_block(
    id: usize,
    record: &[u8],
    sidecar: Option<&[u8]>,
) -> Option<String> {
    let record = serde_json::from_slice(record).ok()?;
    let sidecar = sidecar.map(|json| String::from_utf8_lossy(json).into_owned());
    // Nothing in it ends the block: in JSON `<` stands in strings only, where it may be escaped.
    let json = serde_json::to_string(&Block { record, sidecar }).ok()?.replace('<', "\\u003c");
    Some(format!("{OPEN}{id}\">{json}</script>\n"))
}

/// The attributes of the `img` that shows a picture of shot number `id`.
pub(in crate::report) fn shot_source(id: usize, role: &str, picture: &[u8]) -> String {
    format!("{}{}", marker(id, role), data_url(picture))
}

fn marker(id: usize, role: &str) -> String {
    format!("data-shot=\"{id}-{role}\" src=\"")
}

/// Reads the shots of an HTML report of ours.
///
/// Errors: a record that this build cannot use. Shots without a picture are left out.
pub fn embedded_shots(html: &str) -> Result<Vec<EmbeddedShot>, ShotRecordFault> {
    let mut shots = Vec::new();
    for block in html.split(OPEN).skip(1) {
        let Some((id, rest)) = block.split_once("\">") else { continue };
        let (Ok(id), Some((json, _))) = (id.parse::<usize>(), rest.split_once("</script>")) else {
            continue;
        };
        let block: Block = serde_json::from_str(json).map_err(ShotRecordFault::Malformed)?;
        let record = ShotRecord::parse(block.record.to_string().as_bytes())?;
        let Some(screenshot) = picture(html, id, "screenshot") else { continue };
        let baseline = picture(html, id, "baseline");
        shots.push(EmbeddedShot { record, sidecar: block.sidecar, screenshot, baseline });
    }
    Ok(shots)
}

fn picture(html: &str, id: usize, role: &str) -> Option<Vec<u8>> {
    let (_, rest) = html.split_once(&marker(id, role))?;
    let (url, _) = rest.split_once('"')?;
    let (kind, bytes) = url.split_once(";base64,")?;
    kind.starts_with("data:image/").then(|| STANDARD.decode(bytes).ok()).flatten()
}
