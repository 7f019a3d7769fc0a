//! What is left of browsers when things end badly: nothing. Ours are told by their mark.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use axum::routing::get;
use coalmine::runner::browser::{BrowserPool, BrowserSettings, PageSettings, marked_processes};
use coalmine::task::{Shutdown, TaskGroup};
use rustix::process::{Pid, Signal, kill_process};

use crate::browser_pages::{Site, eventually, limit, pool, run, settings, within};

/// A pool of its own, with a folder of its own.
struct Own {
    pool: BrowserPool,
    tasks: TaskGroup,
    mark: String,
    scratch: tempfile::TempDir,
}

impl Own {
    fn pool() -> Self {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        // The browser's user must be able to pass through.
        let everyone = Permissions::from_mode(0o711);
        std::fs::set_permissions(scratch.path(), everyone).expect("it is ours");
        let settings = BrowserSettings { scratch_root: scratch.path().into(), ..settings() };
        let (mark, tasks) = (settings.mark.clone(), TaskGroup::new());
        Self { pool: pool(settings, &tasks), tasks, mark, scratch }
    }

    fn processes(&self) -> Vec<i32> {
        marked_processes(&self.mark)
    }

    /// The first process of ours whose command line holds `word`.
    fn process(&self, word: &str) -> Option<i32> {
        self.processes().into_iter().find(|pid| {
            let path = format!("/proc/{pid}/cmdline");
            std::fs::read_to_string(path).is_ok_and(|line| line.contains(word))
        })
    }

    async fn nothing_is_left(&self) {
        eventually("all processes are gone", || self.processes().is_empty()).await;
        eventually("all folders are gone", || is_empty(self.scratch.path())).await;
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn kill(pid: i32) {
    let pid = Pid::from_raw(pid).expect("a process has a positive number");
    kill_process(pid, Signal::KILL).expect("the process exists and is ours");
}

#[test]
fn a_closed_pool_leaves_no_process_and_no_folder() {
    run(async {
        let own = Own::pool();
        let site = Site::with(&[("/", "<p>x")]).await;
        let mut page = own.pool.session(&PageSettings::default(), within(60)).await.unwrap();
        page.open(&site.url("/"), limit()).await.unwrap();
        // Guard, driver, browser, two crash handlers, zygotes, GPU, network, renderer.
        assert!(own.processes().len() >= 8, "{:?}", own.processes());
        drop(page);
        let shutdown = own.tasks.shutdown(std::time::Duration::from_secs(12)).await;
        assert_eq!(shutdown, Shutdown::Complete);
        own.nothing_is_left().await;
    });
}

#[test]
fn a_killed_driver_takes_its_browser_along_and_the_next_run_gets_another() {
    run(async {
        let own = Own::pool();
        let site = Site::with(&[("/", "<p>x")]).await;
        let mut page = own.pool.session(&PageSettings::default(), within(60)).await.unwrap();
        let driver = own.process("chromedriver\0--port").unwrap();
        let guard = own.process("browser-guard").unwrap();
        kill(driver);
        page.open(&site.url("/"), limit()).await.unwrap_err();
        eventually("the guard has ended", || !own.processes().contains(&guard)).await;
        drop(page);
        let mut next = own.pool.session(&PageSettings::default(), within(60)).await.unwrap();
        next.open(&site.url("/"), limit()).await.unwrap();
        drop(next);
        own.pool.close().await;
        own.nothing_is_left().await;
    });
}

#[test]
fn a_crashed_page_and_a_dropped_navigation_cost_their_run_and_no_other() {
    run(async {
        let own = Own::pool();
        let never = get(std::future::pending::<&'static str>);
        let router = axum::Router::new().route("/never", never).route("/", get(|| async { "x" }));
        let site = Site::serving(router).await;
        for turn in 0..6 {
            let session = own.pool.session(&PageSettings::default(), within(60)).await;
            let mut page = session.unwrap_or_else(|fault| panic!("turn {turn}: {fault:?}"));
            page.open(&site.url("/"), limit()).await.unwrap();
            match turn % 3 {
                0 => {
                    let url = site.url("/never");
                    let opening = page.open(&url, limit());
                    let dropped = std::time::Duration::from_millis(300);
                    assert!(tokio::time::timeout(dropped, opening).await.is_err());
                }
                1 => {
                    for pid in own.processes() {
                        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
                        if line.is_ok_and(|line| line.contains("--type=renderer")) {
                            kill(pid);
                        }
                    }
                    page.evaluate("return 1", limit()).await.unwrap_err();
                }
                _ => {
                    let script = "onbeforeunload = (e) => e.preventDefault(); alert('hello')";
                    drop(
                        page.evaluate(&format!("setTimeout(() => {{ {script} }})"), limit()).await,
                    );
                }
            }
        }
        own.pool.close().await;
        own.nothing_is_left().await;
    });
}

#[test]
fn a_killed_guard_is_swept_up_by_the_next_one() {
    run(async {
        let own = Own::pool();
        let page = own.pool.session(&PageSettings::default(), within(60)).await.unwrap();
        let orphan = own.process("--type=zygote").unwrap();
        kill(own.process("browser-guard").unwrap());
        drop(page);
        let page = own.pool.session(&PageSettings::default(), within(60)).await.unwrap();
        eventually("the orphans are gone", || !own.processes().contains(&orphan)).await;
        drop(page);
        own.pool.close().await;
        own.nothing_is_left().await;
    });
}

/// A killed process's pipes are closed by the kernel, so closing ours is all that a kill is to the
/// guard.
#[test]
fn when_our_end_of_the_pipe_closes_the_guard_ends_even_what_fled_into_another_session() {
    let mark = format!("pipe-{}", std::process::id());
    let scratch = tempfile::tempdir().unwrap();
    let order = serde_json::json!({
        "mark": mark, "scratch_root": scratch.path(), "program": "/bin/sh",
        "arguments": ["-c", "setsid sh -c 'sleep 600 & sleep 600' & exec sleep 600"],
        "search_path": "/bin:/usr/bin", "run_as": null,
    });
    let mut guard = Command::new(env!("CARGO_BIN_EXE_coalmine"))
        .args(["browser-guard", &order.to_string()])
        .env("COALMINE_BROWSER", &mark)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    run(async {
        eventually("the tree stands", || marked_processes(&mark).len() >= 4).await;
        drop(guard.stdin.take());
        eventually("the tree is gone", || {
            guard.try_wait().unwrap().is_some() && marked_processes(&mark).is_empty()
        })
        .await;
    });
    assert!(is_empty(scratch.path()));
}

#[test]
fn a_driver_that_lost_the_race_for_its_port_is_started_again() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let driver = folder.path().join("driver");
        let lost = folder.path().join("lost");
        let script = format!(
            "#!/bin/sh\nmkdir {} 2>&- && echo 'IPv4 port not available. Exiting...' && exit 1\n\
             exec chromedriver \"$@\"\n",
            lost.display(),
        );
        std::fs::write(&driver, script).unwrap();
        std::fs::set_permissions(&driver, Permissions::from_mode(0o755)).unwrap();
        let tasks = TaskGroup::new();
        let pool = pool(BrowserSettings { driver, ..settings() }, &tasks);
        let session = pool.session(&PageSettings::default(), within(60)).await;
        drop(session.expect("the second start succeeds"));
        assert!(lost.is_dir(), "the first start lost its port");
        pool.close().await;
    });
}
