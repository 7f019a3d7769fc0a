use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::Map;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use super::ready::Ready;
use super::signal::StopSignals;
use super::values::{duration, listen_address};
use crate::demo::{DemoSettings, Fault, serve};

/// Serve a small shop to try canaries on, with switches that break it
///
/// The shop has a front page, a search, a login, a cart and a checkout, and the same as a JSON API
/// under /api. Its pages are the same to the pixel on every request, but for the element `.clock`.
///
/// Faults are set at the start with --fault, and at any time on the page /_faults or by
/// `curl -d fault=NAME URL/_faults`; a post without a fault repairs the shop.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DemoCommand {
    /// Where to listen; port 0 takes any free one
    ///
    /// When standard output is not a terminal, its first line is one JSON object with the address
    /// that was taken: {"ready":true,"url":"http://127.0.0.1:8600","port":8600}.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8600")]
    #[arg(env = "COALMINE_DEMO_LISTEN", hide_env_values = true, value_parser = listen_address)]
    listen: SocketAddr,

    /// Break the shop from the start; may be repeated
    ///
    /// What each one does is told on the page /_faults.
    #[arg(
        long,
        value_name = "NAME",
        env = "COALMINE_DEMO_FAULT",
        hide_env_values = true,
        value_delimiter = ','
    )]
    #[arg(value_parser = fault_parser())]
    fault: Vec<Fault>,

    /// How late answers come under the fault `slow`
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration)]
    slow_by: Duration,
}

const EXAMPLES: &str = "\
Examples:
  coalmine demo                          # http://127.0.0.1:8600
  coalmine demo --listen 0               # any free port
  coalmine demo --fault slow --slow-by 2s
  curl -d fault=changed-colour http://127.0.0.1:8600/_faults
  curl -d '' http://127.0.0.1:8600/_faults";

fn fault_parser() -> impl TypedValueParser<Value = Fault> {
    let names = PossibleValuesParser::new(Fault::ALL.map(Fault::name));
    names.try_map(|name| name.parse::<Fault>())
}

pub(super) fn execute(context: &Context, command: &DemoCommand) -> Result<ExitStatus, Fatal> {
    context.block_on(open(context, command))?
}

async fn open(context: &Context, command: &DemoCommand) -> Result<ExitStatus, Fatal> {
    let mut signals = StopSignals::take()?;
    let (listener, address) = listen(command.listen).await?;
    let settings = DemoSettings {
        faults: command.fault.clone(),
        slow_by: command.slow_by,
        clock: Arc::clone(&context.clock),
    };
    let ready = Ready { what: "the demo shop", address, extra: Map::new() };
    ready.announce(&context.screen);
    let stop = CancellationToken::new();
    let ended = signals.guard(&stop, serve(listener, settings, stop.clone())).await;
    Ok(ended.of_server())
}

/// Takes the address, or says who may have it.
pub(super) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Fatal> {
    let fatal = |error| {
        Fatal::new(ExitStatus::OurSide, format!("cannot listen on {address}"))
            .because(&error)
            .hint("another program may have the port; --listen 127.0.0.1:0 takes any free one")
    };
    let listener = TcpListener::bind(address).await.map_err(fatal)?;
    let taken = listener.local_addr().map_err(fatal)?;
    Ok((listener, taken))
}
