//! Archives: made, described, changed, listed, deleted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bus;
use super::fault::{VALIDATION, at_most_one};
use super::listing::{Listed, Paging};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::bus::{Archive, RefusalKind, archive_source, bus_of_arn};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    archive_name: Arc<str>,
    event_source_arn: String,
    description: Option<String>,
    event_pattern: Option<Arc<str>>,
    retention_days: Option<i64>,
    kms_key_identifier: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Changed {
    archive_arn: String,
    state: &'static str,
    creation_time: f64,
}

impl Changed {
    fn new(call: &Call, archive: &Archive) -> Self {
        Self {
            archive_arn: archive.arn(call.scope()),
            state: "ENABLED",
            creation_time: archive.created.as_secs_f64(),
        }
    }
}

/// Source: EventBridge service model, ArchiveName.
fn check_name(name: &str) -> Constraints {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let matches = name.bytes().all(allowed);
    Constraints::new().length("archiveName", name, 1, 48).pattern(
        "archiveName",
        name,
        matches,
        r"[\.\-_A-Za-z0-9]+",
    )
}

/// Source: EventBridge API Reference, CreateArchive; it is enabled at once.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<Changed> {
    check_name(&input.archive_name)
        .range("retentionDays", input.retention_days, 0, i64::from(i32::MAX))
        .length("description", input.description.as_deref().unwrap_or_default(), 0, 512)
        .done(VALIDATION)?;
    let own = bus_of_arn(&input.event_source_arn).filter(|(scope, _)| scope == call.scope());
    let Some((_, bus)) = own else {
        let why = format!("Event bus {} does not exist.", input.event_source_arn);
        return Err(RefusalKind::NotFound.because(why).into());
    };
    call.concerns("AWS::Events::Archive", &input.archive_name);
    let archive = Archive {
        name: input.archive_name,
        bus,
        description: input.description,
        retention_days: input.retention_days.unwrap_or(0),
        kms_key_identifier: input.kms_key_identifier,
        eras: Vec::new(),
        created: call.now(),
    };
    let made = bus::handle(&call).create_archive(call.scope(), archive, input.event_pattern);
    Ok(Changed::new(&call, &made.await?))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    archive_name: String,
    description: Option<String>,
    event_pattern: Option<Arc<str>>,
    retention_days: Option<i64>,
    kms_key_identifier: Option<String>,
}

/// Source: EventBridge API Reference, UpdateArchive: what is left out stays.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<Changed> {
    check_name(&input.archive_name)
        .range("retentionDays", input.retention_days, 0, i64::from(i32::MAX))
        .done(VALIDATION)?;
    call.concerns("AWS::Events::Archive", &input.archive_name);
    let bus = bus::handle(&call);
    let changed =
        bus.change_archive(call.scope(), &input.archive_name, input.event_pattern, |archive| {
            archive.description = input.description.or_else(|| archive.description.take());
            archive.retention_days = input.retention_days.unwrap_or(archive.retention_days);
            if input.kms_key_identifier.is_some() {
                archive.kms_key_identifier = input.kms_key_identifier;
            }
        });
    Ok(Changed::new(&call, &changed.await?))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    archive_name: String,
}

/// Source: EventBridge API Reference, DeleteArchive.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    call.concerns("AWS::Events::Archive", &input.archive_name);
    Ok(bus::handle(&call).delete_archive(call.scope(), &input.archive_name).await?)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    archive_arn: Option<String>,
    archive_name: Arc<str>,
    event_source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_pattern: Option<Arc<str>>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_identifier: Option<String>,
    retention_days: i64,
    size_bytes: u64,
    event_count: u64,
    creation_time: f64,
}

async fn show(call: &Call, archive: Archive) -> Answer<Described> {
    let (event_count, size_bytes) = bus::handle(call).archive_size(call.scope(), &archive).await?;
    Ok(Described {
        archive_arn: None,
        event_source_arn: archive_source(call.scope(), &archive),
        event_pattern: None,
        state: "ENABLED",
        retention_days: archive.retention_days,
        size_bytes,
        event_count,
        creation_time: archive.created.as_secs_f64(),
        archive_name: archive.name,
        description: None,
        kms_key_identifier: None,
    })
}

/// Source: EventBridge API Reference, DescribeArchive. The counts are those of now, where AWS's lag
/// behind.
pub(super) async fn describe(call: Call, input: NameInput) -> Answer<Described> {
    let archive = bus::handle(&call).archive(call.scope(), &input.archive_name).await?;
    let (arn, pattern) = (archive.arn(call.scope()), archive.pattern().cloned());
    let (description, key) = (archive.description.clone(), archive.kms_key_identifier.clone());
    Ok(Described {
        archive_arn: Some(arn),
        event_pattern: pattern,
        description,
        kms_key_identifier: key,
        ..show(&call, archive).await?
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    name_prefix: Option<String>,
    event_source_arn: Option<String>,
    state: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    archives: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListArchives: at most one of the filters; by name.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let filters =
        [input.name_prefix.is_some(), input.event_source_arn.is_some(), input.state.is_some()];
    at_most_one("ListArchives", filters)?;
    let mut found = bus::handle(&call).archives(call.scope()).await?;
    found.retain(|archive| {
        let prefix = input.name_prefix.as_deref().unwrap_or_default();
        let source = archive_source(call.scope(), archive);
        archive.name.starts_with(prefix)
            && input.event_source_arn.as_ref().is_none_or(|arn| *arn == source)
            && input.state.as_deref().is_none_or(|state| state == "ENABLED")
    });
    let paging = Paging { limit: input.limit, token: input.next_token.as_deref() };
    let Listed { items, next_token } =
        paging.cut("ListArchives", found, |archive| archive.name.to_string())?;
    let mut archives = Vec::with_capacity(items.len());
    for archive in items {
        archives.push(show(&call, archive).await?);
    }
    Ok(ListOutput { archives, next_token })
}
