//! Names, dimensions and units: what stands around a value.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::last_points::SeriesKey;
use crate::otlp::json::{any, text_of, value_of};
use crate::otlp::rejected::Rejected;
use crate::telemetry::{Dimension, Dimensions, StandardUnit};

/// Source: CloudWatch API Reference, `MetricDatum`.
const DIMENSIONS_MAX: usize = 30;
pub(super) const NAME_CHARACTERS_MAX: usize = 255;
const VALUE_CHARACTERS_MAX: usize = 1024;

/// Source: the awsemf exporter, `getNamespace`.
pub(super) fn namespace(resource: &[KeyValue]) -> String {
    let text = |key: &str| resource.iter().find(|attribute| attribute.key == key).and_then(text_of);
    let name = match (text("service.namespace"), text("service.name")) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "default".to_owned(),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#: ".contains(c);
    let kept = name.chars().map(|c| if allowed(c) { c } else { '_' });
    kept.take(NAME_CHARACTERS_MAX).collect()
}

/// Source: the awsemf exporter, `translateUnit`.
pub(super) fn unit(unit: &str) -> StandardUnit {
    match unit {
        "s" => StandardUnit::Seconds,
        "ms" => StandardUnit::Milliseconds,
        "us" => StandardUnit::Microseconds,
        "By" => StandardUnit::Bytes,
        "kBy" | "KiBy" => StandardUnit::Kilobytes,
        "MBy" | "MiBy" => StandardUnit::Megabytes,
        "GBy" | "GiBy" => StandardUnit::Gigabytes,
        "TBy" | "TiBy" => StandardUnit::Terabytes,
        "bit" | "Bi" => StandardUnit::Bits,
        "By/s" => StandardUnit::BytesPerSecond,
        "%" => StandardUnit::Percent,
        named => named.parse().unwrap_or(StandardUnit::None),
    }
}

/// What stands around a metric.
pub(super) struct Around<'a> {
    pub(super) library: &'a str,
    pub(super) resource: Vec<Dimension>,
    /// Hash of scope, namespace and resource.
    pub(super) seed: u64,
}

impl Around<'_> {
    /// The series of a metric, before its attributes.
    pub(super) fn series(&self, metric: &str) -> u128 {
        let key = [self.library.as_bytes(), b"\0", metric.as_bytes()].concat();
        xxhash_rust::xxh3::xxh3_128_with_seed(&key, self.seed)
    }

    /// The point's attributes, the library, and the resource's attributes, in this order while
    /// there is room.
    pub(super) fn dimensions(
        &self,
        attributes: &[KeyValue],
        rejected: &mut Rejected,
    ) -> Dimensions {
        let mut found = Vec::with_capacity(attributes.len() + self.resource.len() + 1);
        found.extend(attributes.iter().filter_map(dimension));
        if !self.library.is_empty() {
            found.push(Dimension { name: "OTelLib".into(), value: self.library.into() });
        }
        for dimension in &self.resource {
            if !found.iter().any(|own| own.name == dimension.name) {
                found.push(dimension.clone());
            }
        }
        if found.len() > DIMENSIONS_MAX {
            rejected.warn("a metric has at most 30 dimensions; the others were left out");
            found.truncate(DIMENSIONS_MAX);
        }
        found.into()
    }
}

/// Which of the resource's attributes are dimensions: not those about the SDK itself.
pub(super) fn resource_dimensions(attributes: &[KeyValue]) -> Vec<Dimension> {
    let own = attributes.iter().filter(|attribute| !attribute.key.starts_with("telemetry."));
    own.filter_map(dimension).collect()
}

fn dimension(attribute: &KeyValue) -> Option<Dimension> {
    let value: Arc<str> = match (text_of(attribute), value_of(attribute)?) {
        (Some(text), _) if text.len() <= VALUE_CHARACTERS_MAX => text.into(),
        (Some(text), _) => text.chars().take(VALUE_CHARACTERS_MAX).collect::<String>().into(),
        (None, value) => {
            let mut text = String::new();
            any(&mut text, value, 0);
            text.chars().take(VALUE_CHARACTERS_MAX).collect::<String>().into()
        }
    };
    let name = attribute.key.as_str();
    let fits = !name.is_empty() && name.len() <= NAME_CHARACTERS_MAX && !value.is_empty();
    fits.then(|| Dimension { name: name.into(), value })
}

/// A series of a metric: its attributes in any order.
pub(super) fn keyed(series: u128, attributes: &[KeyValue]) -> SeriesKey {
    let mut text = String::new();
    attributes.iter().fold(series, |key, attribute| {
        text.clear();
        text.push_str(&attribute.key);
        text.push('\0');
        if let Some(value) = value_of(attribute) {
            any(&mut text, value, 0);
        }
        key.wrapping_add(xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
    })
}
