//! A driver that stalls, floods or babbles: runs end in time, and nothing of them is left.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coalmine::canary::page::HistoryMove;
use coalmine::runner::browser::{
    ActionLimit, BrowserPool, BrowserSession, BrowserSettings, FieldText, PageFault, PageSettings,
    Selector, ShotRequest,
};
use coalmine::task::TaskGroup;
use coalmine::time::{Clock, Deadline, SystemClock};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::browser_pages::{eventually, run};

/// What the driver does at its one bad endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vice {
    /// It never answers.
    Stalls,
    /// It answers with more than anyone wants.
    Floods,
    /// Its answer is no JSON.
    Babbles,
    /// Its answer is no text.
    Garbles,
    /// It closes the connection.
    HangsUp,
}

/// A driver that is bad at one endpoint and good at all others.
struct Driver {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    sessions: Arc<AtomicUsize>,
    tasks: TaskGroup,
}

impl Driver {
    async fn bad_at(endpoint: &'static str, vice: Vice) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (connections, sessions) = (Arc::<AtomicUsize>::default(), Arc::default());
        let tasks = TaskGroup::new();
        let (open, alive) = (Arc::clone(&connections), Arc::clone(&sessions));
        let serving = tasks.clone();
        tasks.spawn("driver", move |stop| async move {
            loop {
                let stream = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => stream,
                        Err(_) => return,
                    },
                };
                let (open, alive) = (Arc::clone(&open), Arc::clone(&alive));
                open.fetch_add(1, Ordering::SeqCst);
                serving.spawn("connection", move |stop| async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        _ = serve(stream, (endpoint, vice), &alive) => {}
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, connections, sessions, tasks }
    }

    fn pool(&self) -> BrowserPool {
        let remote = format!("http://{}/wd/hub", self.address).parse().expect("it is a URL");
        let settings = BrowserSettings { remote: Some(remote), ..BrowserSettings::default() };
        BrowserPool::new(settings, Arc::new(SystemClock), &self.tasks)
    }
}

async fn serve(
    stream: TcpStream,
    bad: (&'static str, Vice),
    sessions: &AtomicUsize,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let length = head.to_ascii_lowercase();
        let length = length.split_once("content-length: ").map(|(_, rest)| rest.to_owned());
        let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let (method, path) = {
            let mut words = head.split(' ');
            (words.next().unwrap_or_default(), words.next().unwrap_or_default())
        };
        let endpoint = path.trim_start_matches("/wd/hub/").trim_start_matches("session/s1");
        let endpoint = format!("{method} {}", endpoint.trim_start_matches('/'));
        match endpoint.as_str() {
            "POST session" => drop(sessions.fetch_add(1, Ordering::SeqCst)),
            "DELETE " => drop(sessions.fetch_sub(1, Ordering::SeqCst)),
            _ => {}
        }
        if endpoint == bad.0 && !misbehave(&mut stream, bad.1).await? {
            return Ok(());
        } else if endpoint != bad.0 {
            let value = answer(&endpoint, &body);
            respond(&mut stream, json!({ "value": value }).to_string().as_bytes()).await?;
        }
    }
}

/// Whether the connection goes on.
async fn misbehave(stream: &mut BufReader<TcpStream>, vice: Vice) -> std::io::Result<bool> {
    match vice {
        // Until the client has gone, which is what shall be seen.
        Vice::Stalls => stream.read(&mut [0; 64]).await.map(|_gone| false),
        Vice::Babbles => respond(stream, b"<html>not a driver</html>").await.map(|()| true),
        Vice::Garbles => respond(stream, b"{\"value\": \"\xff\xfe\"}").await.map(|()| true),
        Vice::HangsUp => Ok(false),
        Vice::Floods => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                        content-length: 400000000\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            let piece = vec![b'x'; 1 << 20];
            for _ in 0..400 {
                stream.write_all(&piece).await?;
            }
            Ok(true)
        }
    }
}

async fn respond(stream: &mut BufReader<TcpStream>, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}

fn answer(endpoint: &str, body: &[u8]) -> Value {
    let body = String::from_utf8_lossy(body);
    match endpoint {
        "POST session" => json!({ "sessionId": "s1", "capabilities": { "browserName": "fake" } }),
        "POST execute/sync" if body.contains("\"op\":\"ready\"") => {
            let element = json!({ "element-6066-11e4-a52e-4f735466cecf": "e1" });
            json!({ "state": "ready", "element": element })
        }
        "POST execute/sync" if body.contains("location.protocol") => json!("http:"),
        // One transparent pixel.
        "GET screenshot" => json!("iVBORw0KGgo="),
        "GET alert/text" => json!("Hello"),
        _ => Value::Null,
    }
}

/// Every command that a run sends, in one go.
async fn journey(page: &mut BrowserSession, limit: ActionLimit) -> Result<(), PageFault> {
    let field = Selector::css("#a");
    page.open("http://shop.test/", limit).await?;
    page.click(&field, limit).await?;
    page.fill(&field, &FieldText::Plain("x".to_owned()), limit).await?;
    page.press(None, "Enter", limit).await?;
    page.answer_dialog(true, None, limit).await?;
    page.enter_frame(Some(&field), limit).await?;
    page.set_cookie("a", &FieldText::Plain("b".to_owned()), limit).await?;
    page.travel(HistoryMove::Back, limit).await?;
    page.shot(&ShotRequest::default(), limit).await?;
    Ok(())
}

const TIMEOUT: Duration = Duration::from_secs(2);

/// One run against a driver; how it ended and how much later than its deadline.
async fn run_once(pool: &BrowserPool) -> (Result<(), String>, Duration) {
    let begun = SystemClock.monotonic();
    let step = Deadline::after(&SystemClock, TIMEOUT);
    let limit = ActionLimit { timeout: None, step };
    let ended = match pool.session(&PageSettings::default(), step).await {
        Ok(mut page) => journey(&mut page, limit).await.map_err(|fault| format!("{fault:?}")),
        Err(error) => Err(format!("{error:?}")),
    };
    let took = SystemClock.monotonic().since(begun);
    (ended, took.saturating_sub(TIMEOUT))
}

#[test]
fn a_driver_that_stalls_anywhere_holds_no_run_beyond_its_deadline() {
    let endpoints = [
        "POST session",
        "POST window/rect",
        "POST timeouts",
        "POST url",
        "POST execute/sync",
        "POST element/e1/click",
        "POST element/e1/value",
        "POST actions",
        "GET alert/text",
        "POST alert/accept",
        "POST frame",
        "POST cookie",
        "POST back",
        "GET screenshot",
    ];
    run(async {
        let runs = endpoints.map(|endpoint| async move {
            let driver = Driver::bad_at(endpoint, Vice::Stalls).await;
            let pool = driver.pool();
            let (ended, late) = run_once(&pool).await;
            let fault = ended.clone().unwrap_err();
            assert!(fault.contains("TimedOut"), "{endpoint}: {fault}");
            assert!(late < Duration::from_secs(2), "{endpoint}: {late:?} late, {ended:?}");
            (endpoint, driver)
        });
        for (endpoint, driver) in futures_util::future::join_all(runs).await {
            let open = || driver.connections.load(Ordering::SeqCst) == 0;
            eventually(&format!("{endpoint}: no connection is left"), open).await;
            if endpoint != "POST session" {
                assert_eq!(driver.sessions.load(Ordering::SeqCst), 0, "{endpoint}");
            }
        }
    });
}

#[test]
fn a_driver_that_does_not_end_sessions_costs_two_seconds_and_no_connection() {
    run(async {
        let driver = Driver::bad_at("DELETE ", Vice::Stalls).await;
        let pool = driver.pool();
        let (ended, late) = run_once(&pool).await;
        assert_eq!((ended, late), (Ok(()), Duration::ZERO));
        let open = || driver.connections.load(Ordering::SeqCst) == 0;
        eventually("no connection is left", open).await;
        assert_eq!(pool.status().places_free, BrowserSettings::default().sessions_max);
    });
}

#[test]
fn what_is_not_webdriver_is_our_sides_fault_and_no_panic() {
    for vice in [Vice::Floods, Vice::Babbles, Vice::Garbles, Vice::HangsUp] {
        for endpoint in ["POST session", "POST url", "GET screenshot"] {
            run(async {
                let driver = Driver::bad_at(endpoint, vice).await;
                let (ended, late) = run_once(&driver.pool()).await;
                let fault = ended.unwrap_err();
                // On a slow machine the flood is still rising when time is up.
                let is_told =
                    fault.contains("Broken") || vice == Vice::Floods && fault.contains("TimedOut");
                assert!(is_told, "{vice:?} at {endpoint}: {fault}");
                assert!(late < Duration::from_secs(2), "{vice:?} at {endpoint}: {late:?}");
                let open = || driver.connections.load(Ordering::SeqCst) == 0;
                eventually("no connection is left", open).await;
            });
        }
    }
}

#[test]
fn many_sessions_leave_no_connection() {
    run(async {
        let driver = Driver::bad_at("nothing", Vice::Stalls).await;
        let pool = driver.pool();
        for _session in 0..200 {
            let (ended, _) = run_once(&pool).await;
            assert_eq!(ended, Ok(()));
        }
        let open = || driver.connections.load(Ordering::SeqCst) == 0;
        eventually("no connection is left", open).await;
        assert_eq!(driver.sessions.load(Ordering::SeqCst), 0);
    });
}
