//! `coalmine baselines`, called as a user calls it, on what runs leave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use coalmine::visual::{
    BaselineRecord, CompareOptions, Environment, SHOT_RECORD_FORMAT, ShotFiles, ShotRecord, Theme,
    compare, file_hash,
};
use serde_json::Value;

use crate::picture_drawing::Page;
use crate::program::{Finished, Server, coalmine};

fn environment() -> Environment {
    Environment {
        browser: "chromium".to_owned(),
        browser_major: 156,
        platform: "linux-x86_64".to_owned(),
        fonts: "1f2e".to_owned(),
        scale_percent: 100,
        theme: Theme::Light,
        capture: "cdp-fast".to_owned(),
    }
}

/// The approved page of a canary; each has a heading of its own.
fn page(canary: &str) -> Page {
    let mut page = Page::with_text(240, 200);
    let shade = canary.bytes().fold(0, u8::wrapping_add);
    page.fill([0, 0, 240, 24], [shade, 40, 90]);
    page
}

/// The page with a red square on it: the very same change on every page.
fn changed(canary: &str) -> Page {
    let mut page = page(canary);
    page.fill([20, 100, 30, 30], [220, 38, 38]);
    page
}

/// A place with a repository, baselines and what a run left.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for canary in ["shop-a", "shop-b"] {
            desk.put(&format!("baselines/{canary}/home@240x200.png"), &page(canary).png());
            desk.shot(canary, "home", &changed(canary).png(), Some(&page(canary).png()));
        }
        desk.shot("shop-b", "cart", &page("shop-b").png(), None);
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn file(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path().join(path)).unwrap()
    }

    /// What a run leaves about a shot that it did not accept.
    fn shot(&self, canary: &str, shot: &str, png: &[u8], baseline: Option<&[u8]>) {
        let options = CompareOptions::default();
        let comparison = baseline.map(|old| compare(old, png, &options).unwrap());
        let folder = format!("coalmine-artifacts/{canary}");
        let record = ShotRecord {
            format: SHOT_RECORD_FORMAT,
            canary: canary.to_owned(),
            shot: shot.to_owned(),
            baseline: format!("{canary}/{shot}@240x200.png"),
            verdict: if baseline.is_some() { "changed" } else { "new" }.to_owned(),
            accepted: false,
            summary: "a square came".to_owned(),
            capture_hash: file_hash(png),
            baseline_hash: baseline.map(file_hash),
            change_id: comparison.and_then(|comparison| comparison.change_id),
            environment: environment(),
            options,
            run: format!("run-of-{canary}"),
            order: (1, 0),
            files: ShotFiles {
                screenshot: format!("{shot}.png"),
                baseline: baseline.map(|_| format!("{shot}-baseline.png")),
                sidecar: None,
            },
        };
        self.put(&format!("{folder}/{shot}.png"), png);
        if let Some(baseline) = baseline {
            self.put(&format!("{folder}/{shot}-baseline.png"), baseline);
        }
        let json = serde_json::to_vec(&record).unwrap();
        self.put(&format!("{folder}/{shot}-shot.json"), &json);
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).output().unwrap().into()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        coalmine(self.path(), &[&["baselines"], arguments].concat())
    }

    fn decide(&self, arguments: &[&str]) -> Finished {
        self.run(&[arguments, &["--by", "Ann", "--reason", "new square"]].concat())
    }

    /// State of each shot, by name.
    fn states(&self, from: &str) -> Vec<(String, String)> {
        let finished = self.run(&["status", "--json", "--from", from]);
        let status: Value = serde_json::from_str(&finished.out)
            .unwrap_or_else(|error| panic!("{error}: {}{}", finished.out, finished.err));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let pictures = status["pictures"].as_array().unwrap();
        pictures.iter().map(|one| (text(&one["name"]), text(&one["state"]))).collect()
    }

    /// The artifacts as CI hands them out.
    fn zip(&self) -> PathBuf {
        let path = self.path().join("artifact.zip");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for canary in ["shop-a", "shop-b"] {
            for file in
                std::fs::read_dir(self.path().join("coalmine-artifacts").join(canary)).unwrap()
            {
                let file = file.unwrap();
                let name = format!("{canary}/{}", file.file_name().to_str().unwrap());
                zip.start_file(name, options).unwrap();
                zip.write_all(&std::fs::read(file.path()).unwrap()).unwrap();
            }
        }
        zip.finish().unwrap();
        path
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]);
        let output = git.args(arguments).current_dir(self.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

fn all(state: &str) -> Vec<(String, String)> {
    ["shop-a/home@240x200", "shop-b/cart@240x200", "shop-b/home@240x200"]
        .map(|name| (name.to_owned(), state.to_owned()))
        .to_vec()
}

#[test]
fn every_form_of_what_a_run_left_shows_the_same_pictures() {
    let desk = Desk::new();
    let artifacts: Vec<Value> = all("")
        .iter()
        .map(|(name, _)| {
            let (canary, shot) = name.split_once('/').unwrap();
            let shot = shot.split_once('@').unwrap().0;
            let name = format!("coalmine-artifacts/{canary}/{shot}-shot.json");
            serde_json::json!({ "kind": "shot-record", "name": name })
        })
        .collect();
    let line = serde_json::json!({ "type": "run", "artifacts": artifacts });
    desk.put("report.json", format!("{line}\n").as_bytes());
    let zip = desk.zip();
    for from in ["coalmine-artifacts", "report.json", zip.to_str().unwrap()] {
        assert_eq!(desk.states(from), all("open"), "{from}");
    }
    assert_eq!(desk.run(&["status"]).code, 1, "something is undecided");
    let unknown = desk.run(&["status", "--from", "baselines/shop-a/home@240x200.png"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("is neither a folder, a zip archive nor a report"));
}

#[test]
fn one_command_approves_an_archive_and_keeps_who_and_why() {
    let desk = Desk::new();
    let zip = desk.zip();
    std::fs::remove_dir_all(desk.path().join("coalmine-artifacts")).unwrap();
    let from = ["--from", zip.to_str().unwrap()];
    let finished = desk.decide(&[&["approve", "--all"], &from[..]].concat());
    assert_eq!(finished.code, 0, "{}{}", finished.out, finished.err);
    assert_eq!(desk.states(from[1]), all("approved"));
    assert_eq!(desk.run(&["status", "--from", from[1]]).code, 0);
    let record = desk.file("baselines/shop-a/home@240x200.json");
    let record: BaselineRecord = serde_json::from_slice(&record).unwrap();
    let approval = record.approval.unwrap();
    assert_eq!((approval.by.as_str(), approval.why.as_str()), ("Ann", "new square"));
    assert_eq!(approval.run.as_deref(), Some("run-of-shop-a"));
}

#[test]
fn the_same_change_on_several_pages_is_approved_as_one() {
    let desk = Desk::new();
    let told = desk.run(&["status"]).out;
    let group = told.split_once("--group ").expect(&told).1.split(')').next().unwrap().to_owned();
    let finished = desk.decide(&["approve", "--group", &group]);
    assert_eq!(finished.code, 0, "{}", finished.err);
    let states: Vec<String> =
        desk.states("coalmine-artifacts").into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["approved", "open", "approved"]);
}

#[test]
fn a_rejection_needs_a_reason_stays_and_can_be_taken_back() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["reject", "shop-a", "--by", "Ann"]).code, 2);
    assert_eq!(desk.decide(&["reject", "shop-a/home"]).code, 0);
    assert_eq!(desk.states("coalmine-artifacts")[0].1, "rejected");
    let told = desk.run(&["status"]);
    assert!(told.out.contains("by Ann: new square"), "{}", told.out);
    // What was rejected is not swept up with the rest.
    assert_eq!(desk.decide(&["approve", "--all"]).code, 0);
    assert_eq!(desk.states("coalmine-artifacts")[0].1, "rejected");
    assert_eq!(desk.decide(&["approve", "shop-a/home"]).code, 0);
    assert_eq!(desk.states("coalmine-artifacts"), all("approved"));
    assert!(!desk.path().join("baselines/shop-a/home@240x200.rejected.json").exists());
}

#[test]
fn a_baseline_that_changed_since_the_run_is_left_alone() {
    let desk = Desk::new();
    desk.put("baselines/shop-a/home@240x200.png", &Page::blank(240, 200).png());
    let finished = desk.decide(&["approve", "shop-a"]);
    assert_eq!(finished.code, 1);
    assert!(finished.err.contains("the baseline changed since the run"), "{}", finished.err);
    assert_eq!(desk.file("baselines/shop-a/home@240x200.png"), Page::blank(240, 200).png());
    assert_eq!(desk.decide(&["approve", "shop-a", "--force"]).code, 0);
}

#[test]
fn what_was_not_judged_is_not_approved() {
    let desk = Desk::new();
    desk.put("coalmine-artifacts/shop-a/home.png", &Page::blank(240, 200).png());
    let finished = desk.decide(&["approve", "--all"]);
    assert_eq!(finished.code, 1);
    assert!(
        finished.err.contains("its file is not the one that the run judged"),
        "{}",
        finished.err
    );
    assert_eq!(desk.file("baselines/shop-a/home@240x200.png"), page("shop-a").png());
    let stranger = desk
        .command(&["approve", "--all", "--by", "Ann"])
        .env("CI", "true")
        .env("GITHUB_EVENT_NAME", "pull_request")
        .env("GITHUB_EVENT_PATH", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(stranger.status.code(), Some(3), "{stranger:?}");
}

#[test]
fn two_runs_that_ask_for_one_baseline_are_not_decided_by_chance() {
    let desk = Desk::new();
    let other =
        std::fs::read(desk.path().join("coalmine-artifacts/shop-a/home-shot.json")).unwrap();
    let mut other: ShotRecord = serde_json::from_slice(&other).unwrap();
    other.run = "another".to_owned();
    other.capture_hash = file_hash(&page("shop-a").png());
    desk.put("coalmine-artifacts/shop-a-eur/home.png", &page("shop-a").png());
    let json = serde_json::to_vec(&other).unwrap();
    desk.put("coalmine-artifacts/shop-a-eur/home-shot.json", &json);
    let finished = desk.decide(&["approve", "shop-a"]);
    assert_eq!(finished.code, 1);
    assert!(
        finished.err.contains("two shots of the run ask for this baseline"),
        "{}",
        finished.err
    );
}

#[test]
fn pictures_of_no_canary_are_listed_and_deleted_when_told() {
    let desk = Desk::new();
    let canary = "canary: shop-a\nsteps:\n  - step: look\n    browser:\n      \
                  - open: http://127.0.0.1:1/\n      - screenshot: home\n";
    desk.put("canaries/shop-a.yaml", canary.as_bytes());
    let listed = desk.run(&["prune"]);
    assert_eq!(listed.out, "unused  shop-b/home@240x200.png\n", "{}", listed.err);
    assert!(desk.path().join("baselines/shop-b/home@240x200.png").exists());
    assert_eq!(desk.run(&["prune", "--delete"]).out, "deleted shop-b/home@240x200.png\n");
    assert!(!desk.path().join("baselines/shop-b/home@240x200.png").exists());
    assert!(desk.path().join("baselines/shop-a/home@240x200.png").exists());
}

#[test]
fn what_a_branch_approved_is_told_against_where_it_began() {
    let desk = Desk::new();
    desk.git(&["init", "-q", "-b", "main"]);
    desk.git(&["add", "baselines"]);
    desk.git(&["commit", "-qm", "baselines"]);
    desk.git(&["checkout", "-qb", "branch"]);
    desk.put("baselines/shop-a/home@240x200.png", &changed("shop-a").png());
    desk.git(&["commit", "-qam", "approve"]);
    let told = desk.run(&["status", "--base", "main"]);
    assert_eq!(told.out, "  changed  shop-a/home@240x200\n", "{}", told.err);
    let review = desk.run(&["review", "--base", "main", "--html", "review.html"]);
    assert_eq!(review.code, 0, "{}", review.err);
    assert!(String::from_utf8(desk.file("review.html")).unwrap().contains("shop-a/home@240x200"));
    let unknown = desk.run(&["status", "--base", "--output=x"]);
    assert_eq!(unknown.code, 2, "{}", unknown.err);
}

/// One request of our own making; gives the status and the whole answer.
fn ask(port: u16, request: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    let form = "content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n";
    write!(stream, "{request}\r\n{form}content-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, answer)
}

#[test]
fn the_review_page_takes_decisions_from_itself_alone() {
    let desk = Desk::new();
    let server = Server::start(desk.command(&["review", "--by", "Ann"]));
    let port = u16::try_from(server.ready["port"].as_u64().unwrap()).unwrap();
    let page = server.ready_text("page").to_owned();
    let path = page.split_once(&port.to_string()).unwrap().1;
    let token = path.trim_matches('/');
    let host = format!("host: 127.0.0.1:{port}");
    let (status, html) = ask(port, &format!("GET {path} HTTP/1.1\r\n{host}"), "");
    assert_eq!(status, 200);
    assert!(html.contains("Approve all 2 with this change") && html.contains("form-action 'self'"));

    let body =
        |verb: &str| format!("token={token}&name=shop-a%2Fhome%40240x200&verb={verb}&why=a+square");
    let post = |path: &str, headers: &str, body: &str| {
        ask(port, &format!("POST {path}decide HTTP/1.1\r\n{headers}"), body).0
    };
    for (what, path, headers, body, expected) in [
        ("another host's name", path, "host: evil.example".to_owned(), body("approve"), 403),
        (
            "another page",
            path,
            format!("{host}\r\norigin: http://evil.example"),
            body("approve"),
            403,
        ),
        ("no origin", path, format!("{host}\r\norigin: null"), body("approve"), 403),
        (
            "another site",
            path,
            format!("{host}\r\nsec-fetch-site: cross-site"),
            body("approve"),
            403,
        ),
        ("no token in the path", "/x/", host.clone(), body("approve"), 404),
        ("no token in the form", path, host.clone(), body("approve").replace(token, "x"), 403),
        ("no such decision", path, host.clone(), body("delete"), 409),
    ] {
        assert_eq!(post(path, &headers, &body), expected, "{what}");
    }
    assert_eq!(desk.states("coalmine-artifacts"), all("open"), "nobody decided anything");

    let ours = format!("{host}\r\norigin: http://127.0.0.1:{port}\r\nsec-fetch-site: same-origin");
    assert_eq!(post(path, &ours, &body("approve-group")), 303);
    let states: Vec<String> =
        desk.states("coalmine-artifacts").into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["approved", "open", "approved"]);
    server.signal(rustix::process::Signal::INT);
    assert_eq!(server.wait(), 1, "one picture is left to decide");

    let open = desk.run(&["review", "--listen", "0.0.0.0:0", "--by", "Ann"]);
    assert_eq!(open.code, 2, "{}", open.err);
}
