use std::collections::BTreeMap;

use serde_json::Value;

use crate::runner::policy::Trust;

/// How far canaries are trusted: what was asked for, or less where the surroundings say so.
///
/// In the CI job of a pull request from a fork the files were written by a stranger, and so may the
/// flags have been: detection only ever tightens.
pub(super) fn trust(asked: Trust, environment: &BTreeMap<String, String>) -> Trust {
    if is_foreign_pull_request(environment) { Trust::PullRequest } else { asked }
}

fn is_foreign_pull_request(environment: &BTreeMap<String, String>) -> bool {
    let value = |name: &str| environment.get(name).map(String::as_str);
    if !matches!(value("CI"), Some("true" | "1")) {
        return false;
    }
    let github = value("GITHUB_EVENT_NAME").is_some_and(|name| name.starts_with("pull_request"))
        && value("GITHUB_EVENT_PATH").is_none_or(is_from_fork);
    let gitlab = value("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
        .is_some_and(|source| value("CI_MERGE_REQUEST_PROJECT_ID") != Some(source));
    github || gitlab
}

/// Source: GitHub Docs, "Webhook events and payloads", `pull_request.head.repo.fork`. An event that
/// cannot be read counts as a stranger's.
fn is_from_fork(event_file: &str) -> bool {
    let event = std::fs::read(event_file).ok();
    let event: Option<Value> = event.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let name = |side: &str| {
        let pointer = format!("/pull_request/{side}/repo/full_name");
        event.as_ref().and_then(|event| event.pointer(&pointer)?.as_str())
    };
    match (name("head"), name("base")) {
        (Some(head), Some(base)) => head != base,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Trust {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        trust(Trust::Full, &pairs.collect())
    }

    #[test]
    fn a_pull_request_from_a_fork_is_not_trusted_and_one_from_the_same_repository_is() {
        let folder = tempfile::tempdir().unwrap();
        let event = |head: &str| {
            let path = folder.path().join(head.replace('/', "-"));
            let text = format!(
                r#"{{"pull_request":{{"head":{{"repo":{{"full_name":"{head}"}}}},
                    "base":{{"repo":{{"full_name":"us/shop"}}}}}}}}"#
            );
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let github = |path: &str| {
            of(&[
                ("CI", "true"),
                ("GITHUB_EVENT_NAME", "pull_request"),
                ("GITHUB_EVENT_PATH", path),
            ])
        };
        assert_eq!(github(&event("us/shop")), Trust::Full);
        assert_eq!(github(&event("them/shop")), Trust::PullRequest);
        assert_eq!(github("/nowhere"), Trust::PullRequest);
        let gitlab = [("CI", "true"), ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "7")];
        assert_eq!(of(&gitlab), Trust::PullRequest);
        assert_eq!(of(&[("GITHUB_EVENT_NAME", "pull_request")]), Trust::Full);
    }
}
