use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::{Map, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::command::{DurabilityChoice, ServeCommand};
use super::reset::{self, Gate};
use super::{credentials, http};
use crate::api::{self, Access, ApiSettings, ApiState};
use crate::bus::{Bus, BusParts, BusSettings};
use crate::cli::ExitStatus;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::cli::ready::Ready;
use crate::config::{self, Channels, Functions};
use crate::monitor::{Monitor, MonitorParts, MonitorSettings, RunFollower};
use crate::notify::Notifier;
use crate::otlp::{self, DaemonError, OtlpExporter, XrayDaemon};
use crate::runner::{NewPicture, Runner};
use crate::store::{Durability, Store, StoreSettings};
use crate::task::{TaskGroup, TaskPanic};

/// Everything that `serve` keeps running, in the order it was started in.
#[derive(Debug)]
pub(super) struct House {
    data_dir: std::path::PathBuf,
    store: Store,
    store_tasks: TaskGroup,
    runner: Runner,
    bus: Bus,
    bus_tasks: TaskGroup,
    monitor: Monitor,
    monitor_tasks: TaskGroup,
    api_tasks: TaskGroup,
    router: Router,
    daemon: Option<Daemon>,
}

/// The TCP half of the X-Ray daemon; the UDP half is a task.
#[derive(Debug)]
struct Daemon {
    address: SocketAddr,
    listener: TcpListener,
    router: Router,
}

/// What a house is built by, to be built again after a reset.
#[derive(Debug)]
pub(super) struct Plans<'a> {
    pub(super) context: &'a Context,
    pub(super) command: &'a ServeCommand,
    pub(super) api: ApiSettings,
    pub(super) address: SocketAddr,
}

/// What the flags say about who may call, and whether that suits the address.
pub(super) fn api_settings(command: &ServeCommand) -> Result<ApiSettings, Fatal> {
    let access = match &command.credentials {
        Some(path) => Access::Signed(credentials::read(path)?),
        None => Access::Anonymous,
    };
    let hosts = command.host.iter().cloned().collect();
    let settings = ApiSettings { access, hosts, ..ApiSettings::default() };
    settings.check_listener(command.listen).map_err(|exposed| {
        Fatal::new(ExitStatus::Refused, "refused")
            .because(&exposed)
            .hint("give access keys with --credentials FILE, or listen on 127.0.0.1 behind a proxy")
    })?;
    Ok(settings)
}

impl House {
    /// Opens the store, then starts what works on it.
    ///
    /// Errors: with exit status 5 when the data folder cannot be used.
    pub(super) async fn build(
        context: &Context,
        command: &ServeCommand,
        (api, address): (ApiSettings, SocketAddr),
    ) -> Result<Self, Fatal> {
        let notifier = Notifier::new(channels(context)?, Arc::clone(&context.clock));
        let notifier = notifier.map_err(|error| {
            Fatal::new(ExitStatus::OurSide, "cannot notify anybody").because(&error)
        })?;
        let (store_tasks, bus_tasks, monitor_tasks, api_tasks) =
            (TaskGroup::new(), TaskGroup::new(), TaskGroup::new(), TaskGroup::new());
        let store = open_store(context, command, &store_tasks).await?;
        let bus = open_bus(context, (&store, &notifier), address, &bus_tasks).await?;
        let runner = command.runner.runner(context, command.jobs.get(), NewPicture::Refuse);
        let parts = MonitorParts {
            store: store.clone(),
            runner: runner.clone(),
            notifier,
            bus: Some(bus.handle().clone()),
            clock: Arc::clone(&context.clock),
        };
        let settings = MonitorSettings {
            canaries: command.canaries.clone(),
            run_slots: command.jobs.get(),
            grace: command.grace,
            link_base: Some(format!("http://{address}").into()),
            follower: follower(command, &api_tasks)?,
            ..MonitorSettings::default()
        };
        let monitor = Monitor::start(settings, parts, &monitor_tasks).await.map_err(|error| {
            Fatal::new(ExitStatus::DataFolder, "cannot start the monitor").because(&error)
        })?;
        let state = ApiState {
            store: store.clone(),
            bus: bus.handle().clone(),
            monitor: monitor.handle().clone(),
            tasks: api_tasks.clone(),
            clock: Arc::clone(&context.clock),
            settings: Arc::new(api),
        };
        let (router, daemon) = doors(state, command.xray_daemon).await?;
        Ok(Self {
            data_dir: command.data_dir.clone(),
            store,
            store_tasks,
            runner,
            bus,
            bus_tasks,
            monitor,
            monitor_tasks,
            api_tasks,
            router,
            daemon,
        })
    }

    /// What is said once clients are answered.
    pub(super) fn ready(&self, address: SocketAddr) -> Ready {
        let mut extra = Map::new();
        extra.insert("data_dir".to_owned(), json!(self.data_dir));
        if let Some(daemon) = &self.daemon {
            extra.insert("xray_daemon".to_owned(), json!(daemon.address));
        }
        Ready { what: "coalmine", address, extra }
    }

    /// Answers clients until asked to stop or until a task has panicked, then stops in order. Gives
    /// the panic, where there was one.
    pub(super) async fn live(
        mut self,
        plans: Plans<'_>,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> Option<TaskPanic> {
        let (gate, mut resets) = Gate::before(self.router.clone());
        let router = if plans.command.allow_reset { gate.router() } else { self.router.clone() };
        let serving = http::serve(listener, router, stop.clone());
        let daemon = self.daemon.take();
        let sampling = async {
            if let Some(Daemon { listener, router, .. }) = daemon {
                http::serve(listener, router, stop.clone()).await;
            }
        };
        let leading = async {
            let mut house = self;
            loop {
                let asked = tokio::select! {
                    panic = house.panicked() => {
                        tracing::error!(task = %panic.task, "stopping, because a task panicked");
                        stop.cancel();
                        return (Some(house), Some(panic));
                    }
                    () = stop.cancelled() => return (Some(house), None),
                    Some(asked) = resets.recv() => asked,
                };
                let built = house.anew(&plans).await;
                // A caller that does not wait any more does not undo the reset.
                asked.send(built.is_ok()).unwrap_or(());
                match built {
                    Ok(built) => house = built,
                    Err(fatal) => {
                        tracing::error!(fault = ?fatal, "stopping, because a reset failed");
                        stop.cancel();
                        return (None, None);
                    }
                }
                gate.open(house.router.clone());
            }
        };
        let ((), (), (house, panic)) = tokio::join!(serving, sampling, leading);
        if let Some(house) = house {
            house.stop().await;
        }
        panic
    }

    async fn panicked(&self) -> TaskPanic {
        tokio::select! {
            panic = self.store_tasks.panicked() => panic,
            panic = self.bus_tasks.panicked() => panic,
            panic = self.monitor_tasks.panicked() => panic,
            panic = self.api_tasks.panicked() => panic,
        }
    }

    /// Stops everything, empties the data folder and starts everything again.
    async fn anew(self, plans: &Plans<'_>) -> Result<Self, Fatal> {
        self.stop().await;
        let folder = self.data_dir.clone();
        drop(self);
        let emptied = tokio::task::spawn_blocking(move || reset::empty(&folder)).await;
        let emptied = emptied.map_err(std::io::Error::other).and_then(|emptied| emptied);
        emptied.map_err(|error| {
            Fatal::new(ExitStatus::DataFolder, "cannot empty the data folder").because(&error)
        })?;
        let api = (plans.api.clone(), plans.address);
        Box::pin(Self::build(plans.context, plans.command, api)).await
    }

    /// ORDER: no client is answered any more; then no run starts, and those in work end and are
    /// kept; then browsers end and audit records are written; the store last, so that everything
    /// above could write.
    async fn stop(&self) {
        const GRACE: Duration = Duration::from_secs(5);
        self.monitor.stop().await;
        self.bus.stop().await;
        self.runner.close().await;
        for (part, tasks) in [
            ("bus", &self.bus_tasks),
            ("monitor", &self.monitor_tasks),
            ("api", &self.api_tasks),
            ("store", &self.store_tasks),
        ] {
            tracing::debug!(part, "stopping");
            tasks.shutdown(GRACE).await;
        }
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "the store did not close in order; it recovers at next start");
        }
    }
}

/// Tells a collector what runs leave, where there is one.
fn follower(command: &ServeCommand, tasks: &TaskGroup) -> Result<Option<RunFollower>, Fatal> {
    let Some(sender) = command.otlp.sender()? else { return Ok(None) };
    let (queue, exporter) = OtlpExporter::new(sender);
    tasks.spawn("send to the collector", |stop| exporter.run(stop));
    Ok(Some(RunFollower(Arc::new(move |batch| queue.offer(batch)))))
}

async fn open_bus(
    context: &Context,
    (store, notifier): (&Store, &Notifier),
    address: SocketAddr,
    tasks: &TaskGroup,
) -> Result<Bus, Fatal> {
    let parts = BusParts {
        store: store.clone(),
        notifier: notifier.clone(),
        clock: Arc::clone(&context.clock),
    };
    let settings = BusSettings {
        functions: functions(context)?,
        link_base: Some(format!("http://{address}").into()),
    };
    Bus::start(settings, parts, tasks).await.map_err(|error| {
        Fatal::new(ExitStatus::DataFolder, "cannot start the event bus").because(&error)
    })
}

/// The doors on the one port, and the X-Ray daemon's where it is wanted.
async fn doors(
    state: ApiState,
    daemon: Option<SocketAddr>,
) -> Result<(Router, Option<Daemon>), Fatal> {
    let daemon = match daemon {
        Some(address) => Some(start_daemon(address, &state).await?),
        None => None,
    };
    let rules = state.monitor.logs().clone();
    let telemetry = otlp::router(state.store.clone(), rules, Arc::clone(&state.clock));
    let telemetry = api::guarded(telemetry, &otlp::SIGNED_FOR, &state);
    Ok((api::router(state).merge(telemetry), daemon))
}

/// Listens on UDP and on TCP of the same number.
async fn start_daemon(address: SocketAddr, state: &ApiState) -> Result<Daemon, Fatal> {
    /// Where any port will do, one that is free for UDP may be taken for TCP.
    const TRIES: usize = 16;
    let mut tries = 0;
    loop {
        tries += 1;
        let daemon = XrayDaemon::bind(address).map_err(|error| {
            let status = match error {
                DaemonError::Exposed(_) => ExitStatus::Refused,
                DaemonError::Bind { .. } => ExitStatus::OurSide,
            };
            Fatal::new(status, "cannot be the X-Ray daemon").because(&error)
        })?;
        let taken = daemon.address();
        match TcpListener::bind(taken).await {
            Ok(listener) => {
                let (store, clock) = (state.store.clone(), Arc::clone(&state.clock));
                daemon.start(store, clock, &state.tasks);
                let router = api::sampling_router(state.clone());
                return Ok(Daemon { address: taken, listener, router });
            }
            Err(_taken) if address.port() == 0 && tries < TRIES => {}
            Err(error) => {
                let message = format!("cannot listen on tcp {taken}");
                return Err(Fatal::new(ExitStatus::OurSide, message).because(&error));
            }
        }
    }
}

async fn open_store(
    context: &Context,
    command: &ServeCommand,
    tasks: &TaskGroup,
) -> Result<Store, Fatal> {
    let durability = match command.durability {
        DurabilityChoice::Sync => Durability::Sync,
        DurabilityChoice::Os => Durability::Os,
    };
    let settings = StoreSettings { durability, ..StoreSettings::new(&command.data_dir) };
    Store::open(settings, Arc::clone(&context.clock), tasks).await.map_err(|error| {
        Fatal::new(ExitStatus::DataFolder, "cannot open the store").because(&error)
    })
}

fn functions(context: &Context) -> Result<Functions, Fatal> {
    let Some(config) = &context.config else { return Ok(Functions::new()) };
    config::functions(config.source()).map_err(|faults| {
        for fault in &faults {
            context.screen.diagnostic(fault, config.source());
        }
        let message = format!("{} has functions that cannot be used", config.source().name());
        Fatal::new(ExitStatus::Usage, message)
    })
}

fn channels(context: &Context) -> Result<Channels, Fatal> {
    let Some(config) = &context.config else { return Ok(Channels::new()) };
    let environment = |name: &str| context.environment.get(name).cloned();
    config::channels(config.source(), &environment).map_err(|faults| {
        for fault in &faults {
            context.screen.diagnostic(fault, config.source());
        }
        let message = format!("{} has channels that cannot be used", config.source().name());
        Fatal::new(ExitStatus::Usage, message)
    })
}
