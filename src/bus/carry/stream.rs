use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::{Carried, Carrier};
use crate::bus::deliver::Delivery;
use crate::bus::rule::Target;
use crate::store::BucketError;

/// The bucket of what is meant for services that live elsewhere.
const OUTGOING_BUCKET: &str = "outgoing";
/// Longest part of a key that an object store takes here.
const PART_BYTES_MAX: usize = 200;

/// Puts what a stream would receive as a compressed file into the bucket `outgoing`: what a
/// delivery stream takes under `firehose/<stream>/<year>/<month>/<day>/<hour>/`, what a data stream
/// takes under `kinesis/<stream>/<partition key>/`.
///
/// One file a delivery, named by it: a delivery that is tried again is not there twice.
/// Differs: AWS gathers records in larger files, which would hold back what is accepted.
pub(super) async fn put(carrier: &Carrier, target: &Target, delivery: &Delivery) -> Carried {
    let Some((kind, stream)) = stream_of(&target.arn) else {
        return Carried::never("NO_RESOURCE", format!("{} is no stream", target.arn));
    };
    let id = &delivery.id;
    let (key, text) = match kind {
        Kind::Delivery => {
            let came = delivery.came.to_rfc3339();
            let hour = came.chars().take("2026-01-02T03".len()).collect::<String>();
            let hour = hour.replace(['-', 'T'], "/");
            (format!("firehose/{stream}/{hour}/{id}.json.gz"), format!("{}\n", delivery.payload))
        }
        Kind::Data => {
            let partition = partition_key(target, delivery);
            let record = json!({
                "partitionKey": partition,
                "data": STANDARD.encode(delivery.payload.as_bytes()),
            });
            let folder = folder_name(&partition);
            (format!("kinesis/{stream}/{folder}/{id}.json.gz"), format!("{record}\n"))
        }
    };
    match carrier.store.buckets().put(OUTGOING_BUCKET, &key, compressed(&text)).await {
        Ok(()) => Carried::Done,
        Err(error @ (BucketError::Name { .. } | BucketError::Key { .. })) => {
            Carried::never("INVALID_PARAMETER", error.to_string())
        }
        Err(error) => Carried::later("INTERNAL_ERROR", error.to_string()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of Kinesis Data Streams.
    Data,
    /// Of Data Firehose.
    Delivery,
}

fn stream_of(arn: &str) -> Option<(Kind, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (service, resource) = (parts.nth(2)?, parts.nth(2)?);
    let (kind, name) = match service {
        "kinesis" => (Kind::Data, resource.strip_prefix("stream/")?),
        "firehose" => (Kind::Delivery, resource.strip_prefix("deliverystream/")?),
        _ => return None,
    };
    (!name.is_empty() && !name.contains('/')).then_some((kind, name))
}

/// Source: EventBridge API Reference, KinesisParameters: by default the id of the event.
fn partition_key(target: &Target, delivery: &Delivery) -> String {
    let event = delivery.event.as_ref().unwrap_or(&delivery.payload);
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    let own = target.kinesis_parameters.as_ref();
    let path = own.and_then(|own| own.get("PartitionKeyPath")?.as_str()).unwrap_or("$.id");
    let pointer = path.strip_prefix('$').unwrap_or(path).replace('.', "/");
    match event.pointer(&pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => delivery.id.to_string(),
        Some(other) => other.to_string(),
    }
}

/// A key's part that holds no separator and says which partition it is.
fn folder_name(partition: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || "-_.=".contains(c) { c } else { '_' };
    let name = partition.chars().take(PART_BYTES_MAX).map(clean).collect::<String>();
    if name.chars().all(|c| c == '.') { "_".to_owned() } else { name }
}

fn compressed(text: &str) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let written = gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish());
    written.unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_by_its_arn() {
        let firehose = "arn:aws:firehose:us-east-1:123456789012:deliverystream/out";
        assert_eq!(stream_of(firehose), Some((Kind::Delivery, "out")));
        let kinesis = "arn:aws:kinesis:us-east-1:123456789012:stream/in";
        assert_eq!(stream_of(kinesis), Some((Kind::Data, "in")));
        for arn in ["arn:aws:kinesis:r:1:stream/", "arn:aws:firehose:r:1:stream/x", "x"] {
            assert_eq!(stream_of(arn), None, "{arn}");
        }
    }

    #[test]
    fn a_partition_is_a_folder_that_leads_nowhere_else() {
        assert_eq!(folder_name("../a b/c"), ".._a_b_c");
        assert_eq!(folder_name(".."), "_");
    }
}
