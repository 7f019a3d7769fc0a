use std::fmt::Write;
use std::fs;

use axum::extract::State;
use http::header;

use crate::store::{CounterKind, Counters, Store};

/// Source: Prometheus, "Exposition formats".
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Source: proc(5): times are counted in hundredths of a second on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// What the server tells of itself, as Prometheus reads it.
pub(super) async fn answer(
    State(store): State<Store>,
) -> ([(header::HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], page(&store.counters(), &Process::now()))
}

/// What the system tells of this process; absent where it tells nothing.
#[derive(Debug, Default)]
struct Process {
    resident_bytes: Option<u64>,
    open_descriptors: Option<usize>,
    cpu_seconds: Option<f64>,
}

impl Process {
    fn now() -> Self {
        Self {
            resident_bytes: fs::read_to_string("/proc/self/status").ok().and_then(|text| {
                let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
                Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
            }),
            // Reading the folder takes a descriptor of its own.
            open_descriptors: fs::read_dir("/proc/self/fd").ok().map(|open| open.count() - 1),
            cpu_seconds: fs::read_to_string("/proc/self/stat").ok().and_then(|text| {
                // The name of the program may hold anything, even a parenthesis.
                let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
                let mut time = || fields.next()?.parse::<u32>().ok().map(f64::from);
                Some((time()? + time()?) / TICKS_A_SECOND)
            }),
        }
    }
}

fn page(counters: &Counters, process: &Process) -> String {
    let mut page = String::new();
    for (name, help, kind, value) in counters.each() {
        let (suffix, kind) = match kind {
            CounterKind::Total => ("_total", "counter"),
            CounterKind::Now => ("", "gauge"),
        };
        put(&mut page, &format!("coalmine_store_{name}{suffix}"), (help.trim(), kind), value);
    }
    if let Some(bytes) = process.resident_bytes {
        let told = ("Memory that is resident.", "gauge");
        put(&mut page, "process_resident_memory_bytes", told, bytes);
    }
    if let Some(open) = process.open_descriptors {
        put(&mut page, "process_open_fds", ("Descriptors that are open.", "gauge"), open);
    }
    if let Some(seconds) = process.cpu_seconds {
        let told = ("CPU time in all threads.", "counter");
        put(&mut page, "process_cpu_seconds_total", told, seconds);
    }
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("coalmine_build_info{{version=\"{version}\"}}");
    page.push_str(
        "# HELP coalmine_build_info What is running.\n# TYPE coalmine_build_info gauge\n",
    );
    line(&mut page, &name, 1);
    page
}

fn put(page: &mut String, name: &str, (help, kind): (&str, &str), value: impl std::fmt::Display) {
    for comment in [format!("HELP {name} {help}"), format!("TYPE {name} {kind}")] {
        line(page, "#", comment);
    }
    line(page, name, value);
}

fn line(page: &mut String, name: &str, value: impl std::fmt::Display) {
    // A string takes whatever is written.
    let _ok = writeln!(page, "{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_its_help_its_type_and_one_value() {
        let counters = Counters { commits: 3, read_only: 1, ..Counters::default() };
        let process = Process { cpu_seconds: Some(1.5), ..Process::default() };
        let page = page(&counters, &process);
        let commits = "# HELP coalmine_store_commits_total Commits of the ingest log; many batches \
                       share one.\n# TYPE coalmine_store_commits_total counter\n\
                       coalmine_store_commits_total 3\n";
        assert!(page.contains(commits), "{page}");
        assert!(page.contains("gauge\ncoalmine_store_read_only 1\n"), "{page}");
        assert!(page.contains("counter\nprocess_cpu_seconds_total 1.5\n"), "{page}");
        assert!(!page.contains("process_open_fds"), "{page}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_of_the_process() {
        let process = Process::now();
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 1_000_000), "{process:?}");
        assert!(process.open_descriptors.is_some_and(|open| open > 2), "{process:?}");
        assert!(process.cpu_seconds.is_some(), "{process:?}");
    }
}
