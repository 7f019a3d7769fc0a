use std::sync::Arc;

use serde_json::Value;

use super::{Carried, Carrier};
use crate::bus::deliver::Delivery;
use crate::bus::rule::{EventBus, Target};
use crate::bus::{bus_of_arn, kind};
use crate::telemetry::{DEFAULT_EVENT_BUS, Event, Scope, TelemetryBatch};
use crate::time::Timestamp;

/// Puts the event on another bus; it keeps its id.
///
/// Differs: on a bus of another account or region the envelope shows that bus's own, since a bus
/// keeps no other.
pub(super) async fn put(
    carrier: &Carrier,
    from: &Scope,
    target: &Target,
    delivery: &Delivery,
) -> Carried {
    let Some((scope, bus)) = bus_of_arn(&target.arn) else {
        return Carried::never("NO_RESOURCE", format!("{} is no event bus", target.arn));
    };
    if &*bus != DEFAULT_EVENT_BUS || scope.account != from.account {
        let found = carrier.store.resources().get::<EventBus>(&scope, kind::EVENT_BUS, &bus).await;
        match found {
            Ok(None) if &*bus != DEFAULT_EVENT_BUS => {
                return Carried::never("NO_RESOURCE", format!("Event bus {bus} does not exist."));
            }
            Ok(found) => {
                let policy = found.and_then(|bus| bus.policy);
                if scope.account != from.account
                    && !crate::bus::policy::allows(policy.as_ref(), from)
                {
                    let why = format!("{} does not allow events of {}", target.arn, from.account);
                    return Carried::never("NO_PERMISSIONS", why);
                }
            }
            Err(error) => return Carried::later("INTERNAL_ERROR", error.to_string()),
        }
    }
    let text = delivery.event.as_ref().unwrap_or(&delivery.payload);
    let Some(event) = read(text, bus) else {
        return Carried::never("INVALID_JSON", "the event cannot be read");
    };
    let batch = TelemetryBatch { events: vec![event], ..TelemetryBatch::new(scope) };
    match carrier.store.append(batch).await {
        Ok(_) => Carried::Done,
        Err(error) => Carried::later("THROTTLING", error.to_string()),
    }
}

fn read(text: &str, bus: Arc<str>) -> Option<Event> {
    let value: Value = serde_json::from_str(text).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(Arc::<str>::from);
    let resources = value.get("resources")?.as_array()?;
    Some(Event {
        bus,
        id: text("id")?,
        source: text("source")?,
        detail_type: text("detail-type")?,
        time: Timestamp::parse(value.get("time")?.as_str()?).ok()?,
        resources: resources.iter().filter_map(Value::as_str).map(Into::into).collect(),
        detail: value.get("detail")?.clone(),
        trace_header: None,
    })
}
