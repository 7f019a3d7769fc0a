use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::INVALID_NEXT_TOKEN;
use crate::alarm::{AlarmType, HistoryItem, HistoryItemType};
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::page;
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::monitor::kind;
use crate::store::{RowOrder, RowPage, SortKey};

const PAGE: usize = 50;
/// How many lines of one alarm are read together.
const SCAN: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    alarm_name: Option<Arc<str>>,
    #[serde(default)]
    alarm_types: Vec<AlarmType>,
    history_item_type: Option<HistoryItemType>,
    start_date: Option<Instant>,
    end_date: Option<Instant>,
    max_records: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    scan_by: ScanBy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum ScanBy {
    #[default]
    TimestampDescending,
    TimestampAscending,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    alarm_history_items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    alarm_name: Arc<str>,
    alarm_type: AlarmType,
    timestamp: Instant,
    history_item_type: HistoryItemType,
    history_summary: String,
    history_data: String,
}

/// A line and its place: lines of several alarms are merged by sort key, then by name.
type Line = ((SortKey, Arc<str>), HistoryItem);

/// Source: CloudWatch API Reference, DescribeAlarmHistory: without types only metric alarms.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("maxRecords", input.max_records, 1, 100).done(VALIDATION)?;
    let limit = input.max_records.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE);
    let after: Option<(String, Arc<str>)> =
        page::open("DescribeAlarmHistory", input.next_token.as_deref()).map_err(|_token| {
            INVALID_NEXT_TOKEN.because("Request parameter NextToken is invalid")
        })?;
    let after = after.map(|(sort, name)| (SortKey::from_text(&sort), name));
    let names = match &input.alarm_name {
        Some(name) => vec![Arc::clone(name)],
        None => {
            let resources = call.state().store.resources();
            let names = resources.row_names(call.scope(), kind::ALARM_HISTORY).await?;
            names.into_iter().map(Into::into).collect()
        }
    };
    let mut lines: Vec<Line> = Vec::new();
    for name in names {
        lines.extend(of_alarm(&call, &input, (name, after.as_ref()), limit + 1).await?);
    }
    let newest_first = input.scan_by == ScanBy::TimestampDescending;
    lines.sort_by(
        |(one, _), (other, _)| {
            if newest_first { other.cmp(one) } else { one.cmp(other) }
        },
    );
    lines.truncate(limit + 1);
    let next_token = page::cut(&mut lines, limit)
        .map(|((sort, name), _)| page::seal("DescribeAlarmHistory", &(sort.as_str(), name)));
    let alarm_history_items = lines.into_iter().map(|(_, item)| show(item)).collect();
    Ok(Output { alarm_history_items, next_token })
}

/// The first lines of one alarm that match, as many as `enough`.
async fn of_alarm(
    call: &Call,
    input: &Input,
    (name, after): (Arc<str>, Option<&(SortKey, Arc<str>)>),
    enough: usize,
) -> Answer<Vec<Line>> {
    let newest_first = input.scan_by == ScanBy::TimestampDescending;
    // A bound that lets lines of the same key in, for which the name decides.
    let just_past = |sort: &SortKey| SortKey::from_text(&format!("{}\u{1}", sort.as_str()));
    let mut page = RowPage {
        from: input.start_date.map(|start| SortKey::start_of(start.0)),
        before: input.end_date.map(|end| SortKey::start_of(end.0)),
        order: if newest_first { RowOrder::NewestFirst } else { RowOrder::OldestFirst },
        limit: SCAN,
    };
    match after {
        Some((sort, _)) if newest_first => page.before = Some(just_past(sort)),
        Some((sort, _)) => page.from = Some(sort.clone()),
        None => {}
    }
    let resources = call.state().store.resources();
    let mut lines = Vec::new();
    loop {
        let rows: Vec<(SortKey, HistoryItem)> =
            resources.rows(call.scope(), kind::ALARM_HISTORY, &name, &page).await?;
        let last = rows.len() < SCAN;
        if let Some((sort, _)) = rows.last() {
            if newest_first {
                page.before = Some(sort.clone());
            } else {
                page.from = Some(just_past(sort));
            }
        }
        for (sort, item) in rows {
            let place = (sort, Arc::clone(&name));
            let is_next = after
                .is_none_or(|after| if newest_first { place < *after } else { place > *after });
            if is_next && input.takes(&item) {
                lines.push((place, item));
            }
        }
        if last || lines.len() >= enough {
            lines.truncate(enough);
            return Ok(lines);
        }
    }
}

impl Input {
    fn takes(&self, item: &HistoryItem) -> bool {
        let of_type = match self.alarm_types.as_slice() {
            [] => self.alarm_name.is_some() || item.alarm_type == AlarmType::MetricAlarm,
            types => types.contains(&item.alarm_type),
        };
        of_type && self.history_item_type.is_none_or(|wanted| wanted == item.item_type)
    }
}

fn show(item: HistoryItem) -> Item {
    Item {
        alarm_name: item.alarm_name,
        alarm_type: item.alarm_type,
        timestamp: item.timestamp.into(),
        history_item_type: item.item_type,
        history_summary: item.summary,
        history_data: item.data,
    }
}
