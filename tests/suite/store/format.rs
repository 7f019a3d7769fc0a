use std::sync::Arc;

use coalmine::store::{OpenError, Store};
use coalmine::task::TaskGroup;
use coalmine::time::SystemClock;

use super::support::{TempStore, settings};

#[tokio::test]
async fn a_folder_in_use_is_refused_and_free_again_after_close() {
    let store = TempStore::new().await;
    let open = || Store::open(settings(store.folder.path()), Arc::new(SystemClock), &NO_TASKS);
    let error = open().await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    store.store.close().await.unwrap();
    open().await.unwrap().close().await.unwrap();
}

static NO_TASKS: std::sync::LazyLock<TaskGroup> = std::sync::LazyLock::new(TaskGroup::new);

#[tokio::test]
async fn a_closed_store_takes_nothing_more() {
    let store = TempStore::new().await;
    store.store.close().await.unwrap();
    let batch = super::support::metrics(vec![]);
    assert!(store.store.append(batch).await.is_err() || store.store.flush().await.is_err());
}
