use coalmine::store::{AppendError, Direction, LogRead, LogSearch, ReadError, StreamSelection};
use coalmine::time::{TimeRange, Timestamp};

use super::support::{NOON, TempStore, lines, scope};

fn read(direction: Direction, token: Option<&str>, limit: usize) -> LogRead<'_> {
    LogRead { group: "/g", stream: "s", range: TimeRange::ALL, direction, token, limit }
}

fn search(token: Option<&str>, direction: Direction, limit: usize) -> LogSearch<'_> {
    let streams = StreamSelection::All;
    LogSearch { group: "/g", streams, range: TimeRange::ALL, direction, token, limit }
}

/// Nine lines of two streams, half of them flushed, out of order, two at one instant.
async fn filled() -> TempStore {
    let store = TempStore::new().await;
    let first = lines("/g", "s", &[(1, "a"), (3, "c"), (3, "C"), (9, "i")]);
    store.store.append(first).await.unwrap();
    store.store.append(lines("/g", "other", &[(2, "x"), (8, "y")])).await.unwrap();
    store.store.flush().await.unwrap();
    store.store.append(lines("/g", "s", &[(2, "b"), (5, "e"), (10, "j")])).await.unwrap();
    store
}

#[tokio::test]
async fn pages_forward_end_with_the_token_that_was_given() {
    let store = filled().await;
    let (mut seen, mut token) = (Vec::new(), None::<String>);
    loop {
        let read = read(Direction::OldestFirst, token.as_deref(), 2);
        let page = store.store.logs().get_events(&scope(), &read).await.unwrap();
        let texts = page.events.iter().map(|event| event.message.to_string());
        seen.push(texts.collect::<Vec<_>>().join(""));
        if token.as_ref() == Some(&page.forward_token) {
            break;
        }
        token = Some(page.forward_token);
    }
    assert_eq!(seen, ["ab", "cC", "ei", "j", ""]);
    // What comes later is found from the same token.
    store.store.append(lines("/g", "s", &[(11, "k")])).await.unwrap();
    let read = read(Direction::OldestFirst, token.as_deref(), 2);
    let page = store.store.logs().get_events(&scope(), &read).await.unwrap();
    assert_eq!(&*page.events[0].message, "k");
}

#[tokio::test]
async fn pages_backward_are_in_order_and_end_with_the_token_that_was_given() {
    let store = filled().await;
    let (mut seen, mut token) = (Vec::new(), None::<String>);
    loop {
        let read = read(Direction::NewestFirst, token.as_deref(), 3);
        let page = store.store.logs().get_events(&scope(), &read).await.unwrap();
        let texts = page.events.iter().map(|event| event.message.to_string());
        seen.push(texts.collect::<Vec<_>>().join(""));
        if token.as_ref() == Some(&page.backward_token) {
            break;
        }
        token = Some(page.backward_token);
    }
    assert_eq!(seen, ["eij", "bcC", "a", ""]);
    // Turning round at the start gives what was seen first.
    let start = read(Direction::OldestFirst, None, 1);
    let page = store.store.logs().get_events(&scope(), &start).await.unwrap();
    let back = read(Direction::NewestFirst, Some(&page.backward_token), 1);
    assert!(store.store.logs().get_events(&scope(), &back).await.unwrap().events.is_empty());
}

#[tokio::test]
async fn a_search_merges_streams_by_time_in_both_directions() {
    let store = filled().await;
    let logs = store.store.logs();
    // Lines of one instant stand in the order they came: `x` before `b`, `c` before `C`.
    for (direction, limit, expected) in [
        (Direction::OldestFirst, 100, "axbcCeyij"),
        (Direction::NewestFirst, 100, "jiyeCcbxa"),
        (Direction::OldestFirst, 2, "axbcCeyij"),
        (Direction::NewestFirst, 2, "jiyeCcbxa"),
    ] {
        let (mut seen, mut token) = (String::new(), None::<String>);
        loop {
            let search = search(token.as_deref(), direction, limit);
            let found = logs.filter_events(&scope(), &search, &|_| true).await.unwrap();
            seen.extend(found.events.iter().map(|event| event.message.to_string()));
            token = found.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected, "{direction:?} by {limit}");
    }
    let upper = search(None, Direction::OldestFirst, 100);
    let matches = |event: &coalmine::store::StoredLogEvent| event.message.contains(['C', 'x']);
    let found = logs.filter_events(&scope(), &upper, &matches).await.unwrap();
    let texts: Vec<&str> = found.events.iter().map(|event| &*event.message).collect();
    assert_eq!(texts, ["x", "C"]);
    let named = LogSearch { streams: StreamSelection::Named(&["other"]), ..upper };
    assert_eq!(logs.filter_events(&scope(), &named, &|_| true).await.unwrap().events.len(), 2);
    let prefix = LogSearch { streams: StreamSelection::Prefix("o"), ..upper };
    assert_eq!(logs.filter_events(&scope(), &prefix, &|_| true).await.unwrap().events.len(), 2);
    let missing = LogSearch { streams: StreamSelection::Named(&["gone"]), ..upper };
    let error = logs.filter_events(&scope(), &missing, &|_| true).await.unwrap_err();
    assert!(matches!(error, ReadError::Missing { kind: "log stream", .. }), "{error}");
}

#[tokio::test]
async fn the_end_of_a_range_is_exclusive() {
    let store = filled().await;
    let at = |seconds: i64| NOON.plus_millis(seconds * 1000);
    let range = TimeRange::new(at(3), at(9));
    let read = LogRead { range, ..read(Direction::OldestFirst, None, 100) };
    let page = store.store.logs().get_events(&scope(), &read).await.unwrap();
    let texts: Vec<&str> = page.events.iter().map(|event| &*event.message).collect();
    assert_eq!(texts, ["c", "C", "e"]);
}

#[tokio::test]
async fn retention_takes_effect_at_once_and_never_gives_back() {
    let mut store = filled().await;
    let day = 86_400_000;
    let old = lines("/g", "s", &[(-100_000, "old")]);
    store.store.append(old).await.unwrap();
    let all = read(Direction::OldestFirst, None, 100);
    let logs = store.store.logs();
    assert_eq!(logs.get_events(&scope(), &all).await.unwrap().events.len(), 8);
    logs.set_retention(&scope(), "/g", Some(1)).await.unwrap();
    assert_eq!(logs.get_events(&scope(), &all).await.unwrap().events.len(), 7);
    logs.set_retention(&scope(), "/g", None).await.unwrap();
    assert_eq!(logs.get_events(&scope(), &all).await.unwrap().events.len(), 7, "no way back");
    logs.set_retention(&scope(), "/g", Some(3)).await.unwrap();
    store.clock.step_millis(4 * day);
    assert!(store.store.logs().get_events(&scope(), &all).await.unwrap().events.is_empty());
    store = store.reopen().await;
    assert!(store.store.logs().get_events(&scope(), &all).await.unwrap().events.is_empty());
    store.store.tidy().await.unwrap();
    assert_eq!(store.store.counters().segments, 0, "a segment that nobody can read is dropped");
    let group = store.store.logs().group(&scope(), "/g").unwrap();
    assert_eq!(group.retention_days, Some(3));
}

#[tokio::test]
async fn a_group_made_again_has_none_of_the_old_lines() {
    let mut store = filled().await;
    store.store.logs().delete_group(&scope(), "/g").await.unwrap();
    store.store.append(lines("/g", "s", &[(4, "new")])).await.unwrap();
    let all = read(Direction::OldestFirst, None, 100);
    for stage in ["live", "restarted", "flushed", "tidied"] {
        match stage {
            "restarted" => store = store.reopen().await,
            "flushed" => store.store.flush().await.unwrap(),
            "tidied" => store.store.tidy().await.unwrap(),
            _ => {}
        }
        let page = store.store.logs().get_events(&scope(), &all).await.unwrap();
        let texts: Vec<&str> = page.events.iter().map(|event| &*event.message).collect();
        assert_eq!(texts, ["new"], "{stage}");
    }
    store.store.logs().delete_stream(&scope(), "/g", "s").await.unwrap();
    store.store.append(lines("/g", "s", &[(5, "newer")])).await.unwrap();
    let page = store.store.logs().get_events(&scope(), &all).await.unwrap();
    assert_eq!(page.events.len(), 1);
}

#[tokio::test]
async fn what_exists_is_not_made_and_what_does_not_is_not_changed() {
    let store = TempStore::new().await;
    let logs = store.store.logs();
    let missing = |error| matches!(error, Err(AppendError::Missing { .. }));
    let conflict = |error| matches!(error, Err(AppendError::Conflict { .. }));
    assert!(missing(logs.create_stream(&scope(), "/g", "s").await));
    assert!(missing(logs.set_retention(&scope(), "/g", Some(1)).await));
    assert!(missing(logs.delete_group(&scope(), "/g").await));
    logs.create_group(&scope(), "/g").await.unwrap();
    assert!(conflict(logs.create_group(&scope(), "/g").await));
    logs.create_stream(&scope(), "/g", "s").await.unwrap();
    assert!(conflict(logs.create_stream(&scope(), "/g", "s").await));
    logs.create_stream(&scope(), "/g", "t").await.unwrap();
    let stream = logs.stream(&scope(), "/g", "s").unwrap();
    assert_eq!((stream.created, stream.first_event), (NOON, None::<Timestamp>));
    let names = |prefix: &str, after| -> Vec<String> {
        let streams = logs.streams((&scope(), "/g"), prefix, after, 10);
        streams.iter().map(|stream| stream.name.to_string()).collect()
    };
    assert_eq!(names("", None), ["s", "t"]);
    assert_eq!(names("", Some("s")), ["t"]);
    assert_eq!(names("t", None), ["t"]);
    assert_eq!(logs.groups(&scope(), "/", None, 10).len(), 1);
    assert!(logs.groups(&scope(), "/", Some("/g"), 10).is_empty());
    let other = coalmine::telemetry::Scope {
        account: coalmine::telemetry::AccountId::new("999999999999").unwrap(),
        ..scope()
    };
    assert!(logs.group(&other, "/g").is_none(), "scopes share nothing");
}
