use std::future::Future;
use std::io;
use std::pin::pin;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::ExitStatus;
use super::fatal::Fatal;

/// The signals that ask us to stop.
#[derive(Debug)]
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopSignal {
    /// A person, with Ctrl-C.
    Interrupt,
    /// Whoever runs us as a service.
    Terminate,
}

/// How work ended that could be asked to stop.
#[derive(Debug)]
pub(super) enum Ended<T> {
    /// By itself.
    Alone(T),
    /// In order, after it was asked to.
    Asked(StopSignal, T),
    /// A second signal came before it had ended; the work was dropped where it stood.
    Abandoned,
}

impl StopSignals {
    /// Takes over both signals. Call inside a runtime.
    pub(super) fn take() -> Result<Self, Fatal> {
        let take = |kind| {
            signal(kind).map_err(|error: io::Error| {
                Fatal::new(ExitStatus::OurSide, "cannot listen for signals").because(&error)
            })
        };
        let interrupt = take(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: take(SignalKind::terminate())? })
    }

    /// Waits for the next signal.
    ///
    /// Cancel safety: yes.
    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
        }
    }

    /// Runs `work`; the first signal cancels `stop`, the second abandons the work.
    pub(super) async fn guard<F: Future>(
        &mut self,
        stop: &CancellationToken,
        work: F,
    ) -> Ended<F::Output> {
        let mut work = pin!(work);
        let signal = tokio::select! {
            output = work.as_mut() => return Ended::Alone(output),
            signal = self.next() => signal,
        };
        tracing::info!(?signal, "stopping");
        stop.cancel();
        tokio::select! {
            output = work => Ended::Asked(signal, output),
            _ = self.next() => Ended::Abandoned,
        }
    }
}

impl<T> Ended<T> {
    /// The exit status of a server, whose work is to go on until asked to stop.
    pub(super) fn of_server(self) -> ExitStatus {
        match self {
            Self::Alone(_) | Self::Asked(StopSignal::Terminate, _) => ExitStatus::Passed,
            Self::Asked(StopSignal::Interrupt, _) | Self::Abandoned => ExitStatus::Interrupted,
        }
    }
}
