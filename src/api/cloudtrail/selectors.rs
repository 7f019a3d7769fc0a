use serde::{Deserialize, Serialize};

use super::fault::{INVALID_SELECTORS, refused};
use super::trail::{find, find_own, handle};
use crate::api::call::{Answer, Call};
use crate::monitor::{AdvancedSelector, EventSelector, FieldSelector, Selectors, Trail};
use crate::telemetry::Scope;

/// Source: CloudTrail User Guide, "Quotas in AWS CloudTrail".
const SELECTORS_MAX: usize = 5;
const DATA_RESOURCES_MAX: usize = 250;
const VALUES_MAX: usize = 500;
/// Source: CloudTrail API Reference, EventSelector, ExcludeManagementEventSources.
const EXCLUDABLE: [&str; 2] = ["kms.amazonaws.com", "rdsdata.amazonaws.com"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    trail_name: String,
    event_selectors: Option<Vec<EventSelector>>,
    advanced_event_selectors: Option<Vec<AdvancedSelector>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetInput {
    trail_name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_selectors: Option<Vec<EventSelector>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advanced_event_selectors: Option<Vec<AdvancedSelector>>,
}

fn show(home: &Scope, trail: &Trail) -> Output {
    let (event_selectors, advanced_event_selectors) = match trail.selectors.clone() {
        Selectors::Basic(basic) => (Some(basic), None),
        Selectors::Advanced(advanced) => (None, Some(advanced)),
    };
    Output { trail_arn: trail.arn(home), event_selectors, advanced_event_selectors }
}

/// Source: CloudTrail API Reference, GetEventSelectors.
pub(super) async fn get(call: Call, input: GetInput) -> Answer<Output> {
    let (home, trail) = find(&call, &input.trail_name)?;
    Ok(show(&home, &trail))
}

/// Source: CloudTrail API Reference, PutEventSelectors: one kind replaces the other.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<Output> {
    let trail = find_own(&call, &input.trail_name)?;
    let refuse = |why: &str| INVALID_SELECTORS.because(why);
    let selectors = match (input.event_selectors, input.advanced_event_selectors) {
        (Some(basic), None) if !basic.is_empty() => {
            check_basic(&basic)?;
            Selectors::Basic(basic)
        }
        (None, Some(advanced)) if !advanced.is_empty() => {
            check_advanced(&advanced)?;
            Selectors::Advanced(advanced)
        }
        (Some(_), Some(_)) => {
            return Err(refuse("Specify either EventSelectors or AdvancedEventSelectors."));
        }
        _ => return Err(refuse("The selectors must not be empty.")),
    };
    call.concerns("AWS::CloudTrail::Trail", &trail.name);
    let changed = handle(&call).change(call.scope(), &trail.name, |trail| {
        trail.selectors = selectors;
    });
    let account = call.scope().account.as_str();
    let changed = changed.await.map_err(|error| refused(error, (&input.trail_name, account)))?;
    Ok(show(call.scope(), &changed))
}

fn check_basic(selectors: &[EventSelector]) -> Answer<()> {
    let refuse = |why: String| Err(INVALID_SELECTORS.because(why));
    if selectors.len() > SELECTORS_MAX {
        return refuse(format!("A trail has at most {SELECTORS_MAX} event selectors."));
    }
    let resources = || selectors.iter().flat_map(|selector| &selector.data_resources);
    if resources().map(|resource| resource.values.len()).sum::<usize>() > DATA_RESOURCES_MAX {
        return refuse(format!("A trail has at most {DATA_RESOURCES_MAX} data resources."));
    }
    if let Some(resource) = resources().find(|resource| !resource.kind.starts_with("AWS::")) {
        return refuse(format!("{} is no type of data resources.", resource.kind));
    }
    let mut excluded =
        selectors.iter().flat_map(|selector| &selector.exclude_management_event_sources);
    match excluded.find(|source| !EXCLUDABLE.contains(&source.as_str())) {
        Some(source) => refuse(format!("The event source {source} cannot be excluded.")),
        None => Ok(()),
    }
}

fn check_advanced(selectors: &[AdvancedSelector]) -> Answer<()> {
    let refuse = |why: String| Err(INVALID_SELECTORS.because(why));
    let fields = || selectors.iter().flat_map(|selector| &selector.field_selectors);
    if fields().map(FieldSelector::value_count).sum::<usize>() > VALUES_MAX {
        return refuse(format!("The selectors of a trail have at most {VALUES_MAX} values."));
    }
    if let Some(field) = fields().find(|field| !field.is_known()) {
        return refuse(format!("The field {} cannot be selected by here.", field.field));
    }
    if let Some(field) = fields().find(|field| field.value_count() == 0) {
        return refuse(format!("The selector of field {} has no values.", field.field));
    }
    let category = |selector: &AdvancedSelector| {
        let of = |field: &&FieldSelector| field.field == "eventCategory";
        let found = selector.field_selectors.iter().filter(of).collect::<Vec<_>>();
        match found.as_slice() {
            [one] => one.equals.clone().filter(|values| values.len() == 1),
            _ => None,
        }
    };
    for selector in selectors {
        let Some(category) = category(selector) else {
            return refuse("Each selector has one eventCategory, by Equals.".to_owned());
        };
        let has_type = selector.field_selectors.iter().any(|f| f.field == "resources.type");
        match category.first().map(String::as_str) {
            Some("Data") if !has_type => {
                return refuse("A selector of data events has a resources.type.".to_owned());
            }
            Some("Management" | "Data") => {}
            Some(other) => {
                return refuse(format!("Events of category {other} are not recorded here."));
            }
            None => {}
        }
    }
    Ok(())
}
