//! The runtimes that canaries are made for.

use serde::{Deserialize, Serialize};

use super::VALIDATION;
use super::canaries::bad_token;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::time::Timestamp;

/// What the runtime of our own canaries is called.
pub(super) const OWN: &str = concat!("coalmine-", env!("CARGO_PKG_VERSION"));

/// Families of AWS's runtimes, whose canaries are kept and described.
///
/// Source: CloudWatch User Guide, "Synthetics runtime versions".
const FAMILIES: [&str; 5] = [
    "syn-nodejs-puppeteer-",
    "syn-nodejs-playwright-",
    "syn-python-selenium-",
    "syn-nodejs-",
    "syn-java-",
];

/// Versions that are listed, with the day of their release in seconds since the epoch.
const LISTED: [(&str, &str, i64); 6] = [
    (OWN, "Canaries in YAML and Luau; runs here.", 1_764_000_000),
    ("syn-nodejs-puppeteer-11.0", "Kept and described, not run here.", 1_756_684_800),
    ("syn-nodejs-puppeteer-10.0", "Kept and described, not run here.", 1_746_057_600),
    ("syn-nodejs-playwright-2.0", "Kept and described, not run here.", 1_746_057_600),
    ("syn-nodejs-3.0", "Kept and described, not run here.", 1_761_955_200),
    ("syn-python-selenium-5.1", "Kept and described, not run here.", 1_741_000_000),
];

/// Refuses a runtime that nobody has.
pub(super) fn check(version: &str) -> Answer<()> {
    let is_numbered = |version: &str| {
        FAMILIES.iter().any(|family| {
            let number = version.strip_prefix(family).unwrap_or_default();
            !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        })
    };
    if version.starts_with("coalmine-") || version == "syn-1.0" || is_numbered(version) {
        return Ok(());
    }
    Err(VALIDATION.because(format!("Invalid runtime version: {version}")))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Input {
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    runtime_versions: Vec<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version_name: &'static str,
    description: &'static str,
    release_date: Instant,
}

/// Source: Synthetics API Reference, DescribeRuntimeVersions.
pub(super) async fn run(_call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("maxResults", input.max_results, 1, 100).done(VALIDATION)?;
    let mut all = LISTED.to_vec();
    all.sort_unstable();
    let asked = (input.next_token.as_deref(), page::size(input.max_results, 100));
    let name = |(name, ..): &(&'static str, &'static str, i64)| (*name).to_owned();
    let (found, next_token) =
        page::of("DescribeRuntimeVersions", all, name, asked).map_err(|_| bad_token())?;
    let version = |(version_name, description, released): (&'static str, &'static str, i64)| {
        let release_date = Instant(Timestamp::from_secs(released));
        Version { version_name, description, release_date }
    };
    Ok(Output { runtime_versions: found.into_iter().map(version).collect(), next_token })
}
