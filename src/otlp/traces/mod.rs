//! Spans to X-Ray segments.
//!
//! Main function: [`segments`]. A span becomes one document, two where it is both a service and
//! its call to another; nothing is assembled here, since documents of a trace come in any order.

mod facts;
mod segment;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::rejected::Rejected;
use crate::telemetry::TraceSegment;
use facts::ResourceFacts;

/// The documents of a request, and the spans that make none.
///
/// Source: the awsxray exporter of the OpenTelemetry Collector. Differs: attributes are annotations
/// without having to be listed, so that they can be searched; and trace ids need not hold a time.
pub(super) fn segments(request: &ExportTraceServiceRequest) -> (Vec<TraceSegment>, Rejected) {
    let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let mut found = Vec::with_capacity(spans.map(|scope| scope.spans.len()).sum());
    let mut rejected = Rejected::default();
    for resource in &request.resource_spans {
        let attributes = resource.resource.as_ref().map_or(&[][..], |r| &r.attributes);
        let facts = ResourceFacts::of(attributes);
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            if let Err(why) = segment::write(span, &facts, &mut found) {
                rejected.add(1, why);
            }
        }
    }
    (found, rejected)
}

#[cfg(test)]
mod tests;
