use clap::{Args, Subcommand};

use super::backtest::{self, BacktestCommand};
use super::listing::{self, HistoryCommand, ListCommand};
use crate::cli::ExitStatus;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::cli::source::{Source, SourceFlags};

/// Look at alarms: list them, read their history, try another threshold on what is stored
#[derive(Debug, Args)]
pub(in crate::cli) struct AlarmsCommand {
    #[command(flatten)]
    source: SourceFlags,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Backtest(BacktestCommand),
    List(ListCommand),
    History(HistoryCommand),
}

pub(in crate::cli) fn execute(
    context: &Context,
    command: &AlarmsCommand,
) -> Result<ExitStatus, Fatal> {
    context.block_on(async {
        // Faults of files are told before anything is opened.
        let prepared = match &command.command {
            Command::Backtest(command) => Some(backtest::prepare(context, command)?),
            Command::List(_) | Command::History(_) => None,
        };
        let source = Source::open(context, &command.source).await?;
        let done = match (&command.command, prepared) {
            (Command::Backtest(command), Some(prepared)) => {
                backtest::execute(context, command, &source, prepared).await
            }
            (Command::List(command), _) => listing::list(context, command, &source).await,
            (Command::History(command), _) => listing::history(context, command, &source).await,
            (Command::Backtest(_), None) => Ok(ExitStatus::Usage),
        };
        source.close().await;
        done
    })?
}
