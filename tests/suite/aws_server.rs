//! The API on a free port over a store in a folder of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use coalmine::api::{ApiSettings, ApiState, guarded, router, sampling_router};
use coalmine::bus::{Bus, BusParts, BusSettings};
use coalmine::monitor::{Monitor, MonitorParts, MonitorSettings};
use coalmine::notify::Notifier;
use coalmine::otlp::{self, XrayDaemon};
use coalmine::runner::{Runner, RunnerSettings};
use coalmine::store::{Store, StoreSettings};
use coalmine::task::TaskGroup;
use coalmine::time::{Clock, SystemClock};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    daemon: SocketAddr,
    doors: TaskGroup,
    bus: Bus,
    monitor: Monitor,
    /// What it answers from.
    pub(crate) store: Store,
    engines: TaskGroup,
    folder: TempDir,
}

impl Server {
    /// Anonymous, with the default settings.
    pub(crate) async fn start() -> Self {
        Self::with(ApiSettings::default()).await
    }

    /// With settings.
    pub(crate) async fn with(settings: ApiSettings) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (doors, engines) = (TaskGroup::new(), TaskGroup::new());
        let store = Store::open(StoreSettings::new(folder.path()), Arc::clone(&clock), &engines)
            .await
            .expect("an empty folder is a store");
        let bus_parts = BusParts {
            store: store.clone(),
            notifier: Notifier::new(BTreeMap::new(), Arc::clone(&clock)).expect("no channels"),
            clock: Arc::clone(&clock),
        };
        let bus = Bus::start(BusSettings::default(), bus_parts, &engines)
            .await
            .expect("an empty store is read");
        let parts = MonitorParts {
            store: store.clone(),
            runner: Runner::new(RunnerSettings::default(), Arc::clone(&clock)),
            notifier: Notifier::new(BTreeMap::new(), Arc::clone(&clock)).expect("no channels"),
            bus: Some(bus.handle().clone()),
            clock: Arc::clone(&clock),
        };
        let monitor = Monitor::start(MonitorSettings::default(), parts, &engines)
            .await
            .expect("an empty store is read");
        let state = ApiState {
            bus: bus.handle().clone(),
            store: store.clone(),
            monitor: monitor.handle().clone(),
            tasks: doors.clone(),
            clock,
            settings: Arc::new(settings),
        };
        let (segments, sampling) = both_protocols().await;
        let daemon = segments.address();
        segments.start(store.clone(), Arc::clone(&state.clock), &doors);
        serve(&doors, sampling, sampling_router(state.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let rules = state.monitor.logs().clone();
        let telemetry = otlp::router(store.clone(), rules, Arc::clone(&state.clock));
        let telemetry = guarded(telemetry, &otlp::SIGNED_FOR, &state);
        serve(&doors, listener, router(state).merge(telemetry));
        Self { address, daemon, doors, bus, monitor, store, engines, folder }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its X-Ray daemon is.
    pub(crate) fn daemon(&self) -> String {
        self.daemon.to_string()
    }

    /// Where its data lies.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Doors first, the store last.
    pub(crate) async fn stop(self) {
        self.doors.shutdown(Duration::from_secs(10)).await;
        self.monitor.stop().await;
        self.bus.stop().await;
        self.store.close().await.expect("it was open");
        self.engines.shutdown(Duration::from_secs(10)).await;
    }

    /// Sends one request as it is written and reads the whole answer.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        // A server that refuses early may close before all is sent.
        drop(stream.write_all(request).await);
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes).await);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Posts a body.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let line = |(name, value): &(&str, &str)| format!("{name}: {value}\r\n");
        let head = headers.iter().map(line).collect::<String>();
        let has_host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = if has_host { String::new() } else { format!("host: {}\r\n", self.address) };
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nconnection: close\r\n{host}{head}\
             content-length: {length}\r\n\r\n"
        );
        self.raw(&[request.as_bytes(), body].concat()).await
    }
}

fn serve(doors: &TaskGroup, listener: TcpListener, app: Router) {
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    doors.spawn("api", |stop| async move {
        let stopped = async move { stop.cancelled().await };
        axum::serve(listener, app).with_graceful_shutdown(stopped).await.expect("it serves");
    });
}

/// A number that is free for UDP may be taken for TCP; another is free for both.
async fn both_protocols() -> (XrayDaemon, TcpListener) {
    loop {
        let any = "127.0.0.1:0".parse().expect("an address");
        let daemon = XrayDaemon::bind(any).expect("loopback has a free port");
        if let Ok(listener) = TcpListener::bind(daemon.address()).await {
            return (daemon, listener);
        }
    }
}
