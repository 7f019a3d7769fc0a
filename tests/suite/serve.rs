//! `coalmine serve`, started as a user starts it. AWS clients are tried in tests/clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use coalmine::time::{Clock, SystemClock};
use rustix::process::Signal;

use crate::program::{Server, coalmine, run, run_in};

fn serve(folder: &Path) -> Server {
    Server::start(coalmine(folder, &["serve", "--listen", "0", "--data-dir", "data"]))
}

/// One request with `connection: close`; the whole answer.
fn ask(server: &Server, method: &str, path: &str, (kind, body): (&str, &str)) -> String {
    let address = server.ready_text("url").strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn what_was_acknowledged_is_there_after_a_kill_and_a_stop_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let put = "Action=PutMetricData&Version=2010-08-01&Namespace=Shop\
               &MetricData.member.1.MetricName=Orders&MetricData.member.1.Value=7";
    let list = "Action=ListMetrics&Version=2010-08-01&Namespace=Shop";
    let server = serve(folder.path());
    assert!(ask(&server, "GET", "/healthz", (FORM, "")).contains(r#"{"status":"ok""#));
    let answer = ask(&server, "POST", "/", (FORM, put));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.signal(Signal::KILL);
    assert_eq!(server.wait(), -1);
    let server = serve(folder.path());
    let answer = ask(&server, "POST", "/", (FORM, list));
    assert!(answer.contains("<MetricName>Orders</MetricName>"), "{answer}");
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), 0);
}

#[test]
fn a_data_folder_in_use_or_not_ours_ends_with_5_and_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let _first = serve(folder.path());
    let second = run_in(folder.path(), &["serve", "--listen", "0", "--data-dir", "data"]);
    assert_eq!(second.code, 5);
    assert!(second.err.contains("in use by another process"), "{}", second.err);
    std::fs::create_dir(folder.path().join("other")).unwrap();
    std::fs::write(folder.path().join("other/mine.txt"), "mine").unwrap();
    let third = run_in(folder.path(), &["serve", "--listen", "0", "--data-dir", "other"]);
    assert_eq!(third.code, 5, "{}", third.err);
    assert_eq!(std::fs::read_dir(folder.path().join("other")).unwrap().count(), 1);
}

#[test]
fn anonymous_access_from_other_machines_is_refused_with_3() {
    let refused = run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("anonymous access on 0.0.0.0:0"), "{}", refused.err);
    assert!(refused.err.contains("--credentials"), "{}", refused.err);
}

#[test]
fn a_reset_forgets_everything_and_only_where_it_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let put = "Action=PutMetricData&Version=2010-08-01&Namespace=Shop\
               &MetricData.member.1.MetricName=Orders&MetricData.member.1.Value=7";
    let list = "Action=ListMetrics&Version=2010-08-01&Namespace=Shop";
    let server = serve(folder.path());
    let refused = ask(&server, "POST", "/_coalmine/reset", (FORM, ""));
    assert!(!refused.starts_with("HTTP/1.1 200"), "{refused}");
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), 0);
    let arguments = ["serve", "--allow-reset", "--listen", "0", "--data-dir", "data"];
    let server = Server::start(coalmine(folder.path(), &arguments));
    for _ in 0..2 {
        assert!(ask(&server, "POST", "/", (FORM, put)).starts_with("HTTP/1.1 200"));
        assert!(ask(&server, "POST", "/", (FORM, list)).contains("Orders"));
        let answer = ask(&server, "POST", "/_coalmine/reset", (FORM, ""));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let answer = ask(&server, "POST", "/", (FORM, list));
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("Orders"), "{answer}");
    }
    let answer = ask(&server, "POST", "/_coalmine/reset?account=111122223333", (FORM, ""));
    assert!(answer.starts_with("HTTP/1.1 501"), "{answer}");
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), 0);
}

/// T21: runs in flight, more coming, clients writing.
#[test]
fn a_server_that_is_told_to_stop_ends_fifty_runs_in_time_and_keeps_each_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    std::fs::create_dir(folder.path().join("canaries")).unwrap();
    for number in 0..50 {
        let yaml = format!(
            "canary: c{number}\nschedule: rate(1 minute)\ntimeout: 50s\n\
             steps: [{{ step: wait, http: '{url}' }}]\n"
        );
        std::fs::write(folder.path().join(format!("canaries/c{number}.yaml")), yaml).unwrap();
    }
    let arguments = ["serve", "--listen", "0", "--data-dir", "data", "--canaries", "canaries"];
    let more = ["--jobs", "64", "--grace", "2s"];
    let server = Server::start(coalmine(folder.path(), &[&arguments[..], &more].concat()));
    // Each run holds its connection: runs of a minute are spread over its first seconds.
    let held: Vec<TcpStream> = (0..50).map(|_| silent.accept().unwrap().0).collect();
    let put = "Action=PutMetricData&Version=2010-08-01&Namespace=Shop\
               &MetricData.member.1.MetricName=Orders&MetricData.member.1.Value=7";
    assert!(ask(&server, "POST", "/", (FORM, put)).starts_with("HTTP/1.1 200"));
    let address = server.ready_text("url").strip_prefix("http://").unwrap().to_owned();
    let begun = SystemClock.monotonic();
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), 0);
    let took = SystemClock.monotonic().since(begun);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(TcpStream::connect(address).is_err(), "something still listens");
    for mut stream in held {
        // The request, then the end: nobody holds the other side any more.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
    }
    let traces = run_in(folder.path(), &["traces", "find", "--since", "1h", "--data-dir", "data"]);
    assert_eq!(traces.out.lines().count(), 1 + 50, "{}{}", traces.out, traces.err);
    let orders = ["metrics", "list", "--data-dir", "data"];
    let orders = run_in(folder.path(), &orders);
    assert!(orders.out.contains("Orders"), "{}{}", orders.out, orders.err);
}
