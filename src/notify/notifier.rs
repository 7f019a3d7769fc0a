use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use super::{
    ChannelSettings, CommandSettings, DeliveryFault, DeliveryOutcome, EmailSettings, Notification,
    command, email, webhook,
};
use crate::time::Clock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why no notifier could be made.
#[derive(Debug, Error)]
pub enum NotifierError {
    /// The TLS library refused our settings.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refused our settings.
    #[error("cannot set up the HTTP client")]
    Client(#[from] reqwest::Error),
}

/// Sends notifications to named channels, one attempt at a time.
#[derive(Clone, Debug)]
pub struct Notifier {
    channels: Arc<BTreeMap<Arc<str>, ChannelSettings>>,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Notifier {
    /// A notifier for these channels.
    pub fn new(
        channels: BTreeMap<Arc<str>, ChannelSettings>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, NotifierError> {
        let client = web_client(CONNECT_TIMEOUT)?;
        Ok(Self { channels: Arc::new(channels), client, clock })
    }

    /// Names of the channels.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<str>> {
        self.channels.keys()
    }

    /// The HTTP client of webhooks: no redirects, no proxy, the system's roots.
    pub const fn http(&self) -> &Client {
        &self.client
    }

    /// Runs a command once, with `input` on its standard input and `facts` in its environment.
    ///
    /// Cancel safety: dropping the future kills the command's whole process group.
    pub async fn run_command(
        &self,
        settings: &CommandSettings,
        input: &str,
        facts: Vec<(&'static str, String)>,
    ) -> DeliveryOutcome {
        command::run_with(settings, (input, facts), self.clock.as_ref()).await
    }

    /// Whether some channel knows a mail server.
    pub fn has_mail(&self) -> bool {
        self.mail_settings().is_some()
    }

    /// Mails a text to `to` once, by the server of the first mail channel.
    ///
    /// Cancel safety: the receiver may have it or not.
    pub async fn mail(&self, to: &str, subject: &str, text: &str) -> DeliveryOutcome {
        let Some(settings) = self.mail_settings() else {
            let channel = "mail".to_owned();
            return DeliveryOutcome::Rejected { fault: DeliveryFault::UnknownChannel { channel } };
        };
        email::send_text(settings, (to, subject, text), self.clock.as_ref()).await
    }

    fn mail_settings(&self) -> Option<&EmailSettings> {
        self.channels.values().find_map(|channel| match channel {
            ChannelSettings::Email(settings) => Some(settings),
            ChannelSettings::Webhook(_) | ChannelSettings::Command(_) => None,
        })
    }

    /// Sends `notification` to `channel`, once.
    ///
    /// Cancel safety: as after [`DeliveryOutcome::Retry`], the receiver may have it or not.
    pub async fn deliver(&self, channel: &str, notification: &Notification) -> DeliveryOutcome {
        let clock = self.clock.as_ref();
        match self.channels.get(channel) {
            Some(ChannelSettings::Webhook(settings)) => {
                webhook::post(&self.client, settings, notification, clock).await
            }
            Some(ChannelSettings::Command(settings)) => {
                command::run(settings, notification, clock).await
            }
            Some(ChannelSettings::Email(settings)) => {
                email::send(settings, notification, clock).await
            }
            None => {
                let channel = channel.to_owned();
                DeliveryOutcome::Rejected { fault: DeliveryFault::UnknownChannel { channel } }
            }
        }
    }
}

/// A client for signed bodies.
///
/// No redirects: a receiver that moved is a setting to correct, and a redirect could send the
/// signed body to somebody else. No proxy from the environment: settings say what is.
pub(crate) fn web_client(connect_timeout: Duration) -> Result<Client, NotifierError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(connect_timeout)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("coalmine/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// The system's roots, and Mozilla's where the system has none.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
