use clap::Args;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::ExitStatus;
use super::fatal::Fatal;
use crate::otlp::OtlpSender;

/// Flags of every command that can send what runs measured to a collector.
#[derive(Clone, Debug, Args)]
pub(super) struct OtlpFlags {
    /// Send what runs measured to this OpenTelemetry collector, as OTLP over HTTP
    ///
    /// Traces, metrics and logs, as protobuf, each to its own path below this address:
    /// `/v1/traces`, `/v1/metrics`, `/v1/logs`. A collector that is busy or gone is asked again for
    /// a while; what does not reach it is said.
    #[arg(long, value_name = "URL", env = "COALMINE_OTLP", hide_env_values = true)]
    #[arg(help_heading = "What is reported", value_parser = endpoint)]
    otlp: Option<Url>,

    /// A header for the collector, such as its key; may be repeated
    #[arg(long, value_name = "NAME=VALUE", requires = "otlp", value_parser = header)]
    #[arg(help_heading = "What is reported")]
    otlp_header: Vec<(HeaderName, HeaderValue)>,
}

impl OtlpFlags {
    /// The sender, where there is a collector.
    pub(super) fn sender(&self) -> Result<Option<OtlpSender>, Fatal> {
        let Some(endpoint) = &self.otlp else { return Ok(None) };
        let made = OtlpSender::new(endpoint.clone(), self.otlp_header.iter().cloned());
        let failed =
            |error| Fatal::new(ExitStatus::OurSide, "cannot send to a collector").because(&error);
        made.map(Some).map_err(failed)
    }
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" if url.host().is_some() => Ok(url),
        _ => Err("expected http://HOST:PORT or https://HOST".to_owned()),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
    let mut value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok((name, value))
}
