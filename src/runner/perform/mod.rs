//! From a step's action to a probe's request: templates rendered, secrets held to their hosts.

mod body;
mod dialogue;
mod grpc;
mod http;
mod page;
mod plan;
mod probes;
mod rendering;
mod sign_in;

pub(super) use plan::uses_stand_ins;

use super::attempt::Attempt;
use super::step::StepRecord;
use crate::canary::action::Action;
use crate::canary::definition::Step;
use crate::canary::observation::Observation;
use crate::canary::report::Failure;
use crate::time::Deadline;

impl Attempt {
    /// Does what a step does; `None` when there is nothing to judge afterwards.
    ///
    /// Errors: a failure that says whose fault it is.
    pub(super) async fn perform(
        &mut self,
        step: &Step,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Option<Observation>, Box<Failure>> {
        match &step.action {
            Action::Http(action) => self.http(step, action, record, deadline).await.map(Some),
            Action::Tcp(action) => self.tcp(step, action, record, deadline).await.map(Some),
            Action::Tls(action) => self.tls(step, action, record, deadline).await.map(Some),
            Action::Dns(action) => self.dns(step, action, record, deadline).await.map(Some),
            Action::Icmp(action) => self.icmp(step, action, record, deadline).await.map(Some),
            Action::WebSocket(action) => {
                self.websocket(step, action, record, deadline).await.map(Some)
            }
            Action::Grpc(action) => self.grpc(step, action, record, deadline).await.map(Some),
            Action::Browser(actions) => {
                Box::pin(self.browser(step, actions, record, deadline)).await.map(|()| None)
            }
        }
    }
}
