use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use clap::Args;
use futures_util::StreamExt;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use tower::ServiceExt;
use url::Url;

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use crate::api::{self, ApiSettings, ApiState, AuditSelection};
use crate::bus::BusHandle;
use crate::monitor::MonitorHandle;
use crate::notify::web_client;
use crate::runner::{RequestToSign, SigningKey, sign};
use crate::store::{OpenError, ReadError, Store, StoreSettings};
use crate::task::TaskGroup;
use crate::telemetry::Scope;
use crate::time::Clock;

/// Where commands that ask find what they ask for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Where to look")]
pub(super) struct SourceFlags {
    /// The data folder to look into; one that `serve` has open is asked with --url instead
    #[arg(long, global = true, value_name = "DIR", default_value = "coalmine-data")]
    #[arg(env = "COALMINE_DATA_DIR", hide_env_values = true)]
    data_dir: PathBuf,

    /// A server to ask, instead of a folder: http://127.0.0.1:4586
    #[arg(long, global = true, value_name = "URL", env = "COALMINE_URL", hide_env_values = true)]
    url: Option<Url>,

    /// Sign requests with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in AWS_REGION
    #[arg(long, global = true)]
    sign: bool,
}

/// One of the services that are asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    /// What `X-Amz-Target` begins with; none for REST.
    target: Option<&'static str>,
    content_type: &'static str,
    signing_name: &'static str,
}

impl Service {
    pub(super) const CLOUDWATCH: Self = Self {
        target: Some("GraniteServiceVersion20100801"),
        content_type: "application/x-amz-json-1.0",
        signing_name: "monitoring",
    };
    pub(super) const COALMINE: Self = Self::json("Coalmine", "coalmine");
    pub(super) const LOGS: Self = Self::json("Logs_20140328", "logs");
    /// REST: operations are called by their paths.
    pub(super) const XRAY: Self =
        Self { target: None, content_type: "application/json", signing_name: "xray" };

    const fn json(target: &'static str, signing_name: &'static str) -> Self {
        let content_type = "application/x-amz-json-1.1";
        Self { target: Some(target), content_type, signing_name }
    }
}

/// A data folder or a server, asked in the same words: AWS's.
#[derive(Debug)]
pub(super) enum Source {
    /// The API in this process, on a folder.
    Local(Box<Local>),
    /// The API of a server.
    Remote(Box<Remote>),
}

#[derive(Debug)]
pub(super) struct Local {
    store: Store,
    tasks: TaskGroup,
    router: Router,
}

#[derive(Debug)]
pub(super) struct Remote {
    client: reqwest::Client,
    url: Url,
    keys: Option<Keys>,
    clock: Arc<dyn Clock>,
}

struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
    region: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// BOUND: no answer that a person reads is longer.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long a server may take for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
const CONNECT_WAIT: Duration = Duration::from_secs(5);

impl Source {
    /// Opens what the flags name, has it asked, and closes it whatever came of that.
    pub(super) fn ask(
        context: &Context,
        flags: &SourceFlags,
        work: impl AsyncFnOnce(&Self) -> Result<ExitStatus, Fatal>,
    ) -> Result<ExitStatus, Fatal> {
        context.block_on(async {
            let source = Self::open(context, flags).await?;
            let done = work(&source).await;
            source.close().await;
            done
        })?
    }

    /// Opens the folder, or gets ready to ask the server.
    async fn open(context: &Context, flags: &SourceFlags) -> Result<Self, Fatal> {
        match &flags.url {
            Some(url) => Remote::new(context, url, flags.sign).map(|r| Self::Remote(Box::new(r))),
            None => Local::open(context, &flags.data_dir).await.map(|l| Self::Local(Box::new(l))),
        }
    }

    /// A data folder to write to, made when absent.
    pub(super) async fn folder(context: &Context, folder: &Path) -> Result<Self, Fatal> {
        Local::make(context, folder).await.map(|local| Self::Local(Box::new(local)))
    }

    /// A server to write to; signed where the environment has the keys and it is wanted.
    pub(super) fn server(context: &Context, url: &Url) -> Result<Self, Fatal> {
        let signs = context.environment.contains_key("AWS_ACCESS_KEY_ID");
        Remote::new(context, url, signs).map(|remote| Self::Remote(Box::new(remote)))
    }

    /// Calls an operation of a JSON service.
    ///
    /// Errors: what the service refuses is a wrong flag; the rest is the folder's or our own fault.
    pub(super) async fn call(
        &self,
        service: Service,
        operation: &str,
        input: &Value,
    ) -> Result<Value, Fatal> {
        let path = if service.target.is_some() { "/" } else { operation };
        let target = service.target.map(|prefix| format!("{prefix}.{operation}"));
        let body = input.to_string();
        let (status, answer) = match self {
            Self::Local(local) => local.send(service, (path, target), body).await?,
            Self::Remote(remote) => remote.send(service, (path, target), body).await?,
        };
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| {
            let message = format!("{operation}: the answer is no JSON (HTTP {status})");
            Fatal::new(ExitStatus::OurSide, message).because(&error)
        })?;
        if status.is_success() {
            return Ok(answer);
        }
        let text = |key: &str| answer.get(key).and_then(Value::as_str);
        let code = text("__type").map(|kind| kind.rsplit('#').next().unwrap_or(kind));
        let why = text("message").or_else(|| text("Message")).or(code).unwrap_or("refused");
        let end = if status.is_server_error() { ExitStatus::OurSide } else { ExitStatus::Usage };
        Err(Fatal::new(end, why.to_owned()))
    }

    /// Everything that an operation lists under `list`, page after page.
    pub(super) async fn pages(
        &self,
        service: Service,
        operation: &str,
        input: &Value,
        list: &str,
    ) -> Result<Vec<Value>, Fatal> {
        let mut input = input.clone();
        let mut found = Vec::new();
        loop {
            let mut answer = self.call(service, operation, &input).await?;
            let items = answer.get_mut(list).and_then(Value::as_array_mut);
            found.extend(items.map(std::mem::take).unwrap_or_default());
            // Services spell the first letter as they spell their other members.
            let token = ["NextToken", "nextToken"].into_iter().find_map(|name| {
                let token = answer.get(name)?.as_str().filter(|token| !token.is_empty())?;
                Some((name, token.to_owned()))
            });
            let (Some((name, token)), Some(members)) = (token, input.as_object_mut()) else {
                return Ok(found);
            };
            members.insert(name.to_owned(), token.into());
        }
    }

    /// Ends in order: what was opened is closed.
    pub(super) async fn close(self) {
        let Self::Local(local) = self else { return };
        const GRACE: Duration = Duration::from_secs(2);
        local.tasks.shutdown(GRACE).await;
        if let Err(error) = local.store.close().await {
            tracing::warn!(%error, "the store did not close in order");
        }
    }
}

impl Local {
    async fn open(context: &Context, folder: &Path) -> Result<Self, Fatal> {
        let shown = folder.display();
        if !folder.join("format").exists() {
            let message = format!("{shown} is no data folder");
            let hint = "name one with --data-dir, or a server with --url http://127.0.0.1:4586";
            return Err(Fatal::new(ExitStatus::DataFolder, message).hint(hint));
        }
        Self::make(context, folder).await
    }

    async fn make(context: &Context, folder: &Path) -> Result<Self, Fatal> {
        let tasks = TaskGroup::new();
        let clock = Arc::clone(&context.clock);
        let settings = StoreSettings::new(folder);
        let store = Store::open(settings, clock, &tasks).await.map_err(|error| {
            let fatal =
                Fatal::new(ExitStatus::DataFolder, "cannot open the data folder").because(&error);
            match error {
                OpenError::Locked { .. } => fatal.hint(
                    "a running `coalmine serve` answers for its folder: ask it with --url URL, \
                     the url of its ready line",
                ),
                _ => fatal,
            }
        })?;
        let monitor = MonitorHandle::at_rest(&store, Scope::default(), &context.clock).await;
        let monitor = monitor.map_err(unreadable)?;
        let bus = BusHandle::at_rest(&store, &context.clock).await.map_err(unreadable)?;
        // Looking is no event of the folder's own history.
        let audit = AuditSelection { management_reads: false, data_events: false };
        let settings = Arc::new(ApiSettings { audit, ..ApiSettings::default() });
        let state = ApiState {
            store: store.clone(),
            bus,
            monitor,
            tasks: tasks.clone(),
            clock: Arc::clone(&context.clock),
            settings,
        };
        Ok(Self { store, tasks, router: api::router(state) })
    }

    async fn send(
        &self,
        service: Service,
        (path, target): (&str, Option<String>),
        body: String,
    ) -> Result<(StatusCode, Vec<u8>), Fatal> {
        let unheard = |error: &dyn std::error::Error| {
            Fatal::new(ExitStatus::OurSide, "cannot ask the folder").because(error)
        };
        let mut request = Request::post(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, service.content_type);
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        let request = request.body(Body::from(body)).map_err(|error| unheard(&error))?;
        let Ok(answer) = self.router.clone().oneshot(request).await;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| unheard(&*error))?;
        Ok((status, body.to_bytes().to_vec()))
    }
}

impl Remote {
    fn new(context: &Context, url: &Url, signs: bool) -> Result<Self, Fatal> {
        let client = web_client(CONNECT_WAIT).map_err(|error| {
            Fatal::new(ExitStatus::OurSide, "cannot make an HTTP client").because(&error)
        })?;
        let keys = if signs { Some(keys(context)?) } else { None };
        Ok(Self { client, url: url.clone(), keys, clock: Arc::clone(&context.clock) })
    }

    async fn send(
        &self,
        service: Service,
        (path, target): (&str, Option<String>),
        body: String,
    ) -> Result<(StatusCode, Vec<u8>), Fatal> {
        let unheard = |error: &dyn std::error::Error| {
            let message = format!("cannot ask {}", self.url);
            Fatal::new(ExitStatus::OurSide, message).because(error)
        };
        let url = self.url.join(path).map_err(|error| unheard(&error))?;
        let mut request =
            self.client.post(url.clone()).header(header::CONTENT_TYPE, service.content_type);
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        if let Some(keys) = &self.keys {
            let signed = RequestToSign {
                method: "POST",
                url: &url,
                content_type: Some(service.content_type),
                body: body.as_bytes(),
            };
            let key = SigningKey {
                access_key_id: &keys.id,
                secret_access_key: &keys.secret,
                session_token: keys.token.as_deref(),
                region: &keys.region,
                service: service.signing_name,
            };
            for (name, value) in sign(signed, &key, self.clock.now()) {
                request = request.header(name, value);
            }
        }
        let request = request.timeout(ANSWER_WAIT).body(body);
        let answer = request.send().await.map_err(|error| unheard(&error))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        let mut parts = answer.bytes_stream();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part.map_err(|error| unheard(&error))?);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(Fatal::new(ExitStatus::OurSide, "the answer is too long"));
            }
        }
        Ok((status, bytes))
    }
}

fn unreadable(error: ReadError) -> Fatal {
    Fatal::new(ExitStatus::DataFolder, "cannot read the data folder").because(&error)
}

fn keys(context: &Context) -> Result<Keys, Fatal> {
    let given = |name: &str| context.environment.get(name).cloned();
    let wanted = |name: &str| {
        let message = format!("--sign needs {name}");
        given(name).ok_or_else(|| Fatal::new(ExitStatus::Usage, message))
    };
    Ok(Keys {
        id: wanted("AWS_ACCESS_KEY_ID")?,
        secret: wanted("AWS_SECRET_ACCESS_KEY")?,
        token: given("AWS_SESSION_TOKEN"),
        region: given("AWS_REGION").unwrap_or_else(|| Scope::default().region.to_string()),
    })
}
