//! GetMetricWidgetImage: a widget's metrics as a picture.
//!
//! Main function: [`run`]. `parse` reads the widget, the metrics are read as GetMetricData reads
//! them, `chart` lays out and draws. Nothing is kept.

mod chart;
mod font;
mod parse;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use super::math::Plan;
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::service::{Output, RawOutput};
use chart::{Chart, Line};
use parse::Widget;

/// Source: CloudWatch API Reference, GetMetricWidgetImage.
const WIDGET_BYTES_MAX: usize = 100 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    metric_widget: String,
    output_format: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Drawn {
    metric_widget_image: Blob,
}

/// Bytes: base64 in texts, as they are in CBOR.
#[derive(Debug)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

/// Source: CloudWatch API Reference, GetMetricWidgetImage, and "Metric widget structure".
/// Differs: only time series are drawn; other views are refused by name.
pub(super) async fn run(call: Call, input: Input) -> Answer<Box<dyn Output>> {
    let format = input.output_format.as_deref().unwrap_or("png");
    if !["png", "image/png"].contains(&format) {
        let why = format!("The value {format} for parameter OutputFormat is not supported.");
        return Err(VALIDATION.because(why));
    }
    if input.metric_widget.len() > WIDGET_BYTES_MAX {
        return Err(VALIDATION.because("MetricWidget has more than 100 KB."));
    }
    let widget = Widget::parse(&input.metric_widget, call.now())
        .map_err(|fault| VALIDATION.because(format!("Invalid widget: {fault}")))?;
    let plan = Plan::of(&widget.queries)?;
    let found = plan.read(&call, &widget.queries, (widget.start, widget.end)).await?;
    let mut lines = Vec::new();
    for found in found {
        let own = widget.look(&found.query.id);
        for (label, series) in found.series {
            lines.push(Line { label, points: series.points, look: own.clone() });
        }
    }
    let chart = Chart { widget, lines };
    let drawn = tokio::task::spawn_blocking(move || chart.png()).await;
    let png = drawn
        .ok()
        .flatten()
        .ok_or_else(|| crate::api::fault::INTERNAL.because("the picture could not be drawn"))?;
    if format == "image/png" {
        let (bytes, stream) = (Bytes::from(png), None);
        return Ok(Box::new(RawOutput { content_type: "image/png", bytes, stream }));
    }
    Ok(Box::new(Drawn { metric_widget_image: Blob(png) }))
}
