//! What the files of a trail are called and hold.
//!
//! Source: CloudTrail User Guide, "CloudTrail log file examples" and "CloudTrail digest file
//! structure".

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::document::{Chain, Trail};
use super::key::{KeyError, Signer};
use crate::telemetry::{Region, Scope};
use crate::time::Timestamp;

/// What a digest's signature is kept under, beside the digest: a folder keeps no metadata of
/// objects.
pub(super) const SIGNATURE_SUFFIX: &str = ".signature.json";

/// A region's part of a trail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) trail: &'a Trail,
    pub(super) home: &'a Scope,
    pub(super) region: &'a Region,
}

/// A digest that is to be put.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) key: String,
    pub(super) body: Bytes,
    pub(super) hash: String,
    pub(super) signature: String,
    pub(super) signature_body: Bytes,
}

impl Place<'_> {
    /// The key of a file of records delivered at an instant.
    pub(super) fn log_key(&self, at: Timestamp) -> String {
        let (account, region) = (&self.home.account, self.region);
        let minute = compact(at).chars().take("YYYYMMDDTHHMM".len()).collect::<String>();
        let unique = std::iter::repeat_with(fastrand::alphanumeric).take(16).collect::<String>();
        let folder = self.folder("CloudTrail", at);
        format!("{folder}/{account}_CloudTrail_{region}_{minute}Z_{unique}.json.gz")
    }

    /// The key of a file that tells of unusual rates.
    pub(super) fn insight_key(&self, at: Timestamp) -> String {
        self.log_key(at).replace("CloudTrail/", "CloudTrail-Insight/").replace(
            &format!("_CloudTrail_{}", self.region),
            &format!("_CloudTrail-Insight_{}", self.region),
        )
    }

    fn digest_key(&self, at: Timestamp) -> String {
        let (account, region, home) = (&self.home.account, self.region, &self.home.region);
        let (name, at_text) = (&self.trail.name, compact(at));
        let folder = self.folder("CloudTrail-Digest", at);
        format!("{folder}/{account}_CloudTrail-Digest_{region}_{name}_{home}_{at_text}Z.json.gz")
    }

    fn folder(&self, kind: &str, at: Timestamp) -> String {
        let (account, region) = (&self.home.account, self.region);
        let day = at.to_rfc3339().chars().take(10).collect::<String>().replace('-', "/");
        let path = format!("AWSLogs/{account}/{kind}/{region}/{day}");
        match self.trail.settings.key_prefix.as_deref().map(|prefix| prefix.trim_matches('/')) {
            None | Some("") => path,
            Some(prefix) => format!("{prefix}/{path}"),
        }
    }

    /// The digest of what was put since the last one, and its signature.
    ///
    /// Errors: `KeyError` when it cannot be signed.
    pub(super) fn digest(
        &self,
        chain: &Chain,
        end: Timestamp,
        signer: &Signer,
    ) -> Result<Digest, KeyError> {
        let key = self.digest_key(end);
        let bucket = &self.trail.settings.bucket;
        let previous = chain.previous.as_ref();
        let of_previous = |part: fn(&super::document::PreviousDigest) -> &String| {
            previous.map_or(Value::Null, |previous| part(previous).as_str().into())
        };
        let files = chain.files.iter().map(|file| {
            json!({
                "s3Bucket": file.bucket,
                "s3Object": file.key,
                "hashValue": file.hash,
                "hashAlgorithm": "SHA-256",
                "newestEventTime": seconds(file.newest),
                "oldestEventTime": seconds(file.oldest),
            })
        });
        let newest = chain.files.iter().map(|file| file.newest).max();
        let oldest = chain.files.iter().map(|file| file.oldest).min();
        let text = json!({
            "awsAccountId": self.home.account,
            "digestStartTime": seconds(chain.begins.unwrap_or(end)),
            "digestEndTime": seconds(end),
            "digestS3Bucket": bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": signer.fingerprint(),
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": newest.map(seconds),
            "oldestEventTime": oldest.map(seconds),
            "previousDigestS3Bucket": of_previous(|previous| &previous.bucket),
            "previousDigestS3Object": of_previous(|previous| &previous.key),
            "previousDigestHashValue": of_previous(|previous| &previous.hash),
            "previousDigestHashAlgorithm": previous.map(|_| "SHA-256"),
            "previousDigestSignature": of_previous(|previous| &previous.signature),
            "logFiles": files.collect::<Vec<_>>(),
        })
        .to_string();
        let hash = hash(text.as_bytes());
        let before = previous.map_or("null", |previous| previous.signature.as_str());
        let to_sign = format!("{}\n{bucket}/{key}\n{hash}\n{before}", seconds(end));
        let signature = signer.sign(&to_sign)?;
        let signature_body = json!({
            "x-amz-meta-signature": signature,
            "x-amz-meta-signature-algorithm": "SHA256withRSA",
        });
        Ok(Digest {
            key,
            body: compressed(text.as_bytes()),
            hash,
            signature,
            signature_body: signature_body.to_string().into(),
        })
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Compresses by gzip.
pub(super) fn compressed(bytes: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let written = gzip.write_all(bytes).and_then(|()| gzip.finish());
    written.unwrap_or_default().into()
}

/// `2026-01-02T03:04:05Z`.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_secs(at.as_secs()).to_rfc3339()
}

/// `20260102T030405`.
fn compact(at: Timestamp) -> String {
    seconds(at).chars().filter(|c| !"-:Z".contains(*c)).collect()
}
