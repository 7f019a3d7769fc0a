use coalmine::store::{AppendError, Page, ResourceChanges, RowOrder, RowPage, SortKey};
use coalmine::telemetry::{AccountId, Scope};
use serde::{Deserialize, Serialize};

use super::support::{NOON, TempStore, datum, metric, metrics, scope};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Alarm {
    threshold: f64,
}

#[tokio::test]
async fn resources_are_put_read_listed_and_deleted_also_across_restart() {
    let mut store = TempStore::new().await;
    for name in ["b_1", "a", "b%", "c", "B"] {
        let alarm = Alarm { threshold: 1.5 };
        store.store.resources().put(&scope(), "alarm", name, &alarm).await.unwrap();
    }
    store.store.resources().delete(&scope(), "alarm", "c").await.unwrap();
    store.store.flush().await.unwrap();
    store = store.reopen().await;
    let resources = store.store.resources();
    let names = |page: Page<'static>| async move {
        let list = resources.list::<Alarm>(&scope(), "alarm", &page).await.unwrap();
        list.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(Page::ALL).await, ["B", "a", "b%", "b_1"]);
    assert_eq!(names(Page { prefix: "b", ..Page::ALL }).await, ["b%", "b_1"]);
    assert_eq!(names(Page { after: Some("a"), limit: 1, ..Page::ALL }).await, ["b%"]);
    let found: Option<Alarm> = resources.get(&scope(), "alarm", "a").await.unwrap();
    assert_eq!(found, Some(Alarm { threshold: 1.5 }));
    let other = Scope { account: AccountId::new("999999999999").unwrap(), ..scope() };
    assert_eq!(resources.get::<Alarm>(&other, "alarm", "a").await.unwrap(), None);
    resources.put(&other, "alarm", "z", &Alarm { threshold: 2.0 }).await.unwrap();
    let everywhere = resources.everywhere::<Alarm>("alarm").await.unwrap();
    assert_eq!(everywhere.len(), 5);
}

#[tokio::test]
async fn telemetry_and_changes_are_taken_together_or_not_at_all() {
    let store = TempStore::new().await;
    let changes = || ResourceChanges::new().put_new("alarm", "a", &1).unwrap();
    let batch = || metrics(vec![datum("Duration", NOON, 1.0)]);
    store.store.append_with(batch(), changes()).await.unwrap();
    let error = store.store.append_with(batch(), changes()).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { .. }), "{error}");
    let replace = ResourceChanges::new().replace("alarm", "gone", &1).unwrap();
    let error = store.store.append_with(batch(), replace).await.unwrap_err();
    assert_eq!(error.to_string(), "alarm gone does not exist");
    let range = coalmine::time::TimeRange::ALL;
    let form = (coalmine::time::Period::MINUTE, None);
    let buckets = store.store.metrics().read(&scope(), &metric("Duration"), range, form).await;
    assert_eq!(buckets.unwrap()[0].summary.sample_count, 1.0);
}

#[tokio::test]
async fn rows_are_ranged_from_both_ends_and_pruned() {
    let store = TempStore::new().await;
    let key = |n: i64| SortKey::at(NOON.plus_millis(n), format!("run-{n}"));
    let mut changes = ResourceChanges::new().put("canary-run", "shop", &0).unwrap();
    for n in 0..6 {
        changes = changes.put_row("canary-run", "shop", key(n), &n).unwrap();
    }
    store.store.resources().apply(&scope(), changes).await.unwrap();
    let resources = store.store.resources();
    let rows = |page: RowPage| async move {
        let rows = resources.rows::<i64>(&scope(), "canary-run", "shop", &page).await.unwrap();
        rows.into_iter().map(|(_, n)| n).collect::<Vec<_>>()
    };
    assert_eq!(rows(RowPage::newest(2)).await, [5, 4]);
    let older = RowPage { before: Some(key(4)), ..RowPage::newest(2) };
    assert_eq!(rows(older).await, [3, 2]);
    let from = Some(SortKey::start_of(NOON.plus_millis(4)));
    let rising = RowPage { from, order: RowOrder::OldestFirst, ..RowPage::newest(9) };
    assert_eq!(rows(rising).await, [4, 5]);
    let prune = ResourceChanges::new().delete_rows_before("canary-run", "shop", key(3));
    resources.apply(&scope(), prune).await.unwrap();
    assert_eq!(rows(RowPage::newest(9)).await, [5, 4, 3]);
    let one = ResourceChanges::new().delete_row("canary-run", "shop", key(4));
    resources.apply(&scope(), one).await.unwrap();
    assert_eq!(rows(RowPage::newest(9)).await, [5, 3]);
    let all = ResourceChanges::new().delete_rows("canary-run", "shop");
    resources.apply(&scope(), all).await.unwrap();
    assert!(rows(RowPage::newest(9)).await.is_empty());
    let kept: Option<i64> = resources.get(&scope(), "canary-run", "shop").await.unwrap();
    assert_eq!(kept, Some(0), "the resource itself is no row");
}

#[tokio::test]
async fn artifacts_are_kept_by_their_content() {
    let store = TempStore::new().await;
    let picture = bytes::Bytes::from_static(b"not really a picture");
    let id = store.store.artifacts().put(picture.clone()).await.unwrap();
    assert_eq!(store.store.artifacts().put(picture.clone()).await.unwrap(), id);
    assert_eq!(store.store.artifacts().get(id).await.unwrap(), Some(picture));
    store.clock.step_millis(31 * 86_400_000);
    store.store.tidy().await.unwrap();
    assert_eq!(store.store.artifacts().get(id).await.unwrap(), None, "past its retention");
}
