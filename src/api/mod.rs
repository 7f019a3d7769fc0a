//! AWS wire protocols on one port: what an unmodified AWS client talks to.
//!
//! Main function: [`router`]. A request passes four gates, each in its own module: may it come here
//! (`auth`), is it small and whole (`body`), which operation is it (`address`), is its input what
//! the operation takes (`wire`). Then one file does the work: `<service>/<operation>.rs`, with
//! typed input and output and one `async fn run(Call, Input) -> Answer<Output>` that knows no
//! protocol. A new operation is that file and one line in its service's table.
//!
//! A door only translates: names, shapes, limits and messages are here; what they mean is in the
//! layers below. What is not supported is refused by name, never answered with an empty success.

mod address;
mod audit;
mod auth;
mod body;
mod call;
mod cloudtrail;
mod cloudwatch;
mod coalmine;
mod error;
mod events;
mod fault;
mod gate;
mod health;
mod logs;
mod page;
mod router;
mod schemas;
mod self_metrics;
mod service;
mod settings;
mod sns;
mod sqs;
mod sts;
mod synthetics;
mod tags;
mod wire;
mod xray;

use std::sync::Arc;

pub use auth::{Credential, Credentials, SecretKey};
pub use gate::guarded;
pub use router::{router, sampling_router};
pub use settings::{Access, ApiSettings, AuditSelection, ExposedListener};

use crate::bus::BusHandle;
use crate::monitor::MonitorHandle;
use crate::store::Store;
use crate::task::TaskGroup;
use crate::time::Clock;

/// What the door works on.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// What is read and written.
    pub store: Store,
    /// Rules, queues and topics.
    pub bus: BusHandle,
    /// Alarms and canaries.
    pub monitor: MonitorHandle,
    /// Owns the task that writes audit records; to be stopped before the store.
    pub tasks: TaskGroup,
    /// Tells when a call comes.
    pub clock: Arc<dyn Clock>,
    /// What the operator chose.
    pub settings: Arc<ApiSettings>,
}

/// What is answered here: each service by its title, with the names of its operations.
pub fn operations() -> Vec<(&'static str, Vec<&'static str>)> {
    let names = |service: &service::Service| {
        let mut names =
            service.operations.iter().map(|operation| operation.name).collect::<Vec<_>>();
        names.sort_unstable();
        (service.title, names)
    };
    services().iter().map(names).collect()
}

/// Every service that is answered here.
fn services() -> Vec<service::Service> {
    vec![
        cloudtrail::service(),
        cloudwatch::service(),
        coalmine::service(),
        events::service(),
        logs::service(),
        sns::service(),
        sqs::service(),
        sts::service(),
        synthetics::service(),
        // After Synthetics, whose paths for tags are the same: unsigned requests keep theirs.
        schemas::service(),
        xray::service(),
    ]
}
