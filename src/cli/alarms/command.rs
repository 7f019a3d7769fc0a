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
    match &command.command {
        Command::Backtest(backtest) => {
            // Faults of files are told before anything is opened.
            let prepared = backtest::prepare(context, backtest)?;
            Source::ask(context, &command.source, async |source| {
                backtest::execute(context, backtest, source, prepared).await
            })
        }
        Command::List(list) => Source::ask(context, &command.source, async |source| {
            listing::list(context, list, source).await
        }),
        Command::History(history) => Source::ask(context, &command.source, async |source| {
            listing::history(context, history, source).await
        }),
    }
}
