use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::WebhookPreset;
use crate::canary::secret::SecretText;

/// Where a channel's notifications go.
#[derive(Clone, Debug)]
pub enum ChannelSettings {
    /// An HTTP POST.
    Webhook(WebhookSettings),
    /// A program.
    Command(CommandSettings),
    /// A mail.
    Email(EmailSettings),
}

/// A webhook channel.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where to post.
    pub url: Url,
    /// The form of the body.
    pub preset: WebhookPreset,
    /// Signs the body, when given.
    pub secret: Option<SecretText>,
    /// Further headers, by name.
    pub headers: Vec<(String, SecretText)>,
    /// How long one attempt may take, answer included.
    pub timeout: Duration,
}

impl WebhookSettings {
    /// How long one attempt may take unless the channel says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// A plain webhook.
    pub const fn plain(url: Url) -> Self {
        let preset = WebhookPreset::Json;
        Self { url, preset, secret: None, headers: Vec::new(), timeout: Self::TIMEOUT }
    }
}

/// A command channel: the notification as JSON on standard input, its main facts in the
/// environment. No shell is involved.
#[derive(Clone, Debug)]
pub struct CommandSettings {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, as they are.
    pub arguments: Vec<String>,
    /// The environment, beside `COALMINE_*` and a default `PATH`. Nothing is inherited, since our
    /// own environment may hold secrets of canaries.
    pub environment: BTreeMap<String, String>,
    /// How long it may run.
    pub timeout: Duration,
}

impl CommandSettings {
    /// How long a command may run unless the channel says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// `program` without arguments.
    pub fn program(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            timeout: Self::TIMEOUT,
        }
    }
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmailSecurity {
    /// TLS from the first byte, port 465.
    Tls,
    /// TLS after STARTTLS, which the server must offer, port 587.
    #[default]
    StartTls,
    /// Plain text, port 25; for a server on this machine.
    None,
}

/// A mail channel.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// The server's name.
    pub host: String,
    /// Its port; that of `security` unless given.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub security: EmailSecurity,
    /// User name and password.
    pub login: Option<(String, SecretText)>,
    /// The sender: `Coalmine <coalmine@example.com>`.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
    /// How long one attempt may take.
    pub timeout: Duration,
}

impl EmailSettings {
    /// How long one attempt may take unless the channel says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}
