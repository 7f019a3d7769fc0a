use bytes::Bytes;
use thiserror::Error;

use super::super::handle::Store;

/// Objects by bucket and key, as files in the data folder: what is exported, and what is meant
/// for services that live elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Buckets<'a>(pub(in crate::store) &'a Store);

/// Why an object was not put or not given.
#[derive(Debug, Error)]
pub enum BucketError {
    /// No bucket can be called so.
    #[error("no bucket can be called '{name}'")]
    Name {
        /// What was asked for.
        name: Box<str>,
    },
    /// No object can be called so.
    #[error("no object can be called '{key}'")]
    Key {
        /// What was asked for.
        key: Box<str>,
    },
    /// The disk is nearly full.
    #[error("cannot put {bucket}/{key} while the disk is nearly full")]
    ReadOnly {
        /// Into which bucket.
        bucket: Box<str>,
        /// Under which key.
        key: Box<str>,
    },
    /// The disk did not take or give it.
    #[error("cannot reach {bucket}/{key}")]
    Object {
        /// Of which bucket.
        bucket: Box<str>,
        /// Under which key.
        key: Box<str>,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

/// Source: Amazon S3 User Guide, "Object key names".
const KEY_BYTES_MAX: usize = 1024;

impl Buckets<'_> {
    /// Puts an object that was not there; one that exists already is left as it is.
    ///
    /// Durable when this returns.
    /// Errors: `Name` and `Key` for what no object store would take, `ReadOnly` while the disk is
    /// nearly full.
    pub async fn put(self, bucket: &str, key: &str, bytes: Bytes) -> Result<(), BucketError> {
        let path = path(bucket, key)?;
        if self.0.shared.is_read_only() {
            return Err(BucketError::ReadOnly { bucket: bucket.into(), key: key.into() });
        }
        let put = self.0.shared.buckets.create(&path, bytes).await;
        put.map_err(|source| object(bucket, key, source))
    }

    /// The bytes of an object; `None` when there is none.
    ///
    /// Errors: `Name` and `Key` for what no object can be called.
    pub async fn get(self, bucket: &str, key: &str) -> Result<Option<Bytes>, BucketError> {
        let path = path(bucket, key)?;
        let got = self.0.shared.buckets.get(&path).await;
        got.map_err(|source| object(bucket, key, source))
    }

    /// Whether there can be a bucket of this name.
    ///
    /// Source: Amazon S3 User Guide, "Bucket naming rules".
    pub fn is_name(bucket: &str) -> bool {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
        let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = bucket.as_bytes();
        (3..=63).contains(&bytes.len())
            && bytes.iter().all(|b| allowed(*b))
            && ends(bytes.first())
            && ends(bytes.last())
            && !bucket.contains("..")
    }
}

fn path(bucket: &str, key: &str) -> Result<String, BucketError> {
    if !Buckets::is_name(bucket) {
        return Err(BucketError::Name { name: bucket.into() });
    }
    // No part may lead out of the bucket, and none may be empty: files cannot be called so.
    let fits = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
    let is_key = key.len() <= KEY_BYTES_MAX && key.split('/').all(fits);
    if is_key { Ok(format!("{bucket}/{key}")) } else { Err(BucketError::Key { key: key.into() }) }
}

fn object(bucket: &str, key: &str, source: object_store::Error) -> BucketError {
    BucketError::Object { bucket: bucket.into(), key: key.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_object_store_takes_becomes_a_path() {
        assert_eq!(path("my-logs", "a/b.gz").unwrap(), "my-logs/a/b.gz");
        for bucket in ["", "ab", "Upper", "a/b", "..", "-ab", "a..b"] {
            assert!(matches!(path(bucket, "a"), Err(BucketError::Name { .. })), "{bucket}");
        }
        let long = "x".repeat(1025);
        for key in ["", "/a", "a//b", "../a", "a/./b", long.as_str()] {
            assert!(matches!(path("logs", key), Err(BucketError::Key { .. })), "{key}");
        }
    }
}
