use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::canary::secret::SecretText;
use crate::diagnostic::{Diagnostic, SourceFile, Span, did_you_mean};
use crate::notify::{
    ChannelSettings, CommandSettings, EmailSecurity, EmailSettings, WebhookPreset, WebhookSettings,
};

/// The section that notification channels stand in.
pub(super) const SECTION: &str = "notify";

/// Channels by name.
pub type Channels = BTreeMap<Arc<str>, ChannelSettings>;

/// Reads the notification channels of a configuration file: one table a channel.
///
/// ```toml
/// [notify.oncall]
/// webhook = "https://hooks.example.com/T0/B0"
/// preset = "slack"
/// secret = "env:HOOK_SECRET"
///
/// [notify.pager]
/// command = ["/usr/local/bin/page", "--team", "shop"]
///
/// [notify.mail]
/// email = ["ann@example.com"]
/// from = "coalmine@example.com"
/// host = "mail.example.com"
/// ```
///
/// A secret is written as `env:NAME` and looked up by `environment`; anything else is the secret
/// itself.
/// Errors: every fault of the section; faults of the file's syntax are those of the whole file.
pub fn channels(
    source: &SourceFile,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Channels, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    if !errors.is_empty() {
        return Err(errors.iter().map(super::file::syntax_fault).collect());
    }
    let mut reading = Reading { environment, faults: Vec::new() };
    let mut channels = Channels::new();
    for (name, value) in
        table.get_ref().get(SECTION).into_iter().flat_map(|section| match section.get_ref() {
            DeValue::Table(section) => section.iter().collect::<Vec<_>>(),
            _ => Vec::new(),
        })
    {
        let DeValue::Table(fields) = value.get_ref() else {
            reading.fault("wrong-type", "a channel is a table", value.span().into(), |fault| {
                fault.help(format!("write [notify.{}]", name.get_ref()))
            });
            continue;
        };
        if let Some(channel) = reading.channel(name.span().into(), fields) {
            channels.insert(name.get_ref().as_ref().into(), channel);
        }
    }
    if reading.faults.is_empty() { Ok(channels) } else { Err(reading.faults) }
}

struct Reading<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<Diagnostic>,
}

type Fields<'a> = DeTable<'a>;

const WEBHOOK_KEYS: &[&str] = &["webhook", "preset", "routing_key", "secret", "headers", "timeout"];
const COMMAND_KEYS: &[&str] = &["command", "environment", "timeout"];
const EMAIL_KEYS: &[&str] =
    &["email", "from", "host", "port", "security", "user", "password", "timeout"];

impl Reading<'_> {
    fn channel(&mut self, name: Span, fields: &Fields<'_>) -> Option<ChannelSettings> {
        let has = |key: &str| fields.contains_key(key);
        let kinds = [has("webhook"), has("command"), has("email")];
        match kinds {
            [true, false, false] => {
                self.known_keys(fields, WEBHOOK_KEYS);
                self.webhook(fields).map(ChannelSettings::Webhook)
            }
            [false, true, false] => {
                self.known_keys(fields, COMMAND_KEYS);
                self.command(fields).map(ChannelSettings::Command)
            }
            [false, false, true] => {
                self.known_keys(fields, EMAIL_KEYS);
                self.email(name, fields).map(ChannelSettings::Email)
            }
            _ => {
                let message = "a channel has exactly one of `webhook`, `command` and `email`";
                self.fault("notify-channel", message, name, |fault| fault);
                None
            }
        }
    }

    fn webhook(&mut self, fields: &Fields<'_>) -> Option<WebhookSettings> {
        let (text, span) = self.text(fields, "webhook")?;
        let url = match text.parse::<url::Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url,
            _ => {
                self.fault("notify-url", "not an http or https URL", span, |fault| fault);
                return None;
            }
        };
        let preset = self.preset(fields);
        let secret = self.secret(fields, "secret");
        let headers = self.headers(fields);
        let timeout = self.timeout(fields, WebhookSettings::TIMEOUT);
        Some(WebhookSettings { url, preset: preset?, secret, headers, timeout })
    }

    fn preset(&mut self, fields: &Fields<'_>) -> Option<WebhookPreset> {
        const PRESETS: &[&str] = &["json", "slack", "teams", "discord", "pagerduty"];
        let Some((text, span)) = self.text(fields, "preset") else {
            return Some(WebhookPreset::Json);
        };
        match text.as_str() {
            "json" => Some(WebhookPreset::Json),
            "slack" => Some(WebhookPreset::Slack),
            "teams" => Some(WebhookPreset::Teams),
            "discord" => Some(WebhookPreset::Discord),
            "pagerduty" => {
                let Some(key) = self.secret(fields, "routing_key") else {
                    let message = "the pagerduty preset needs a `routing_key`";
                    self.fault("missing-key", message, span, |fault| fault);
                    return None;
                };
                Some(WebhookPreset::PagerDuty { routing_key: key.expose().to_owned() })
            }
            other => {
                let message = format!("`{other}` is no preset");
                let meant = did_you_mean(other, PRESETS.iter().copied());
                let meant = meant.map(|meant| format!("did you mean `{meant}`?"));
                self.fault("notify-preset", &message, span, |fault| {
                    fault.maybe_help(meant.or_else(|| Some(format!("use {}", PRESETS.join(", ")))))
                });
                None
            }
        }
    }

    fn headers(&mut self, fields: &Fields<'_>) -> Vec<(String, SecretText)> {
        let Some(value) = fields.get("headers") else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.fault("wrong-type", "headers are a table", value.span().into(), |fault| fault);
            return Vec::new();
        };
        let names: Vec<String> = table.keys().map(|name| name.get_ref().to_string()).collect();
        let mut headers = Vec::new();
        for name in names {
            if http::HeaderName::try_from(&name).is_err() {
                let message = format!("`{name}` is no header name");
                self.fault("notify-header", &message, value.span().into(), |fault| fault);
                continue;
            }
            if let Some(secret) = self.secret(table, &name) {
                headers.push((name, secret));
            }
        }
        headers
    }

    fn command(&mut self, fields: &Fields<'_>) -> Option<CommandSettings> {
        let (words, span) = self.texts(fields, "command")?;
        let Some((program, arguments)) = words.split_first() else {
            self.fault("notify-command", "the program is missing", span, |fault| fault);
            return None;
        };
        let mut environment = BTreeMap::new();
        if let Some(DeValue::Table(table)) = fields.get("environment").map(Spanned::get_ref) {
            let names: Vec<String> = table.keys().map(|name| name.get_ref().to_string()).collect();
            for name in names {
                if let Some(value) = self.secret(table, &name) {
                    environment.insert(name, value.expose().to_owned());
                }
            }
        }
        Some(CommandSettings {
            program: program.into(),
            arguments: arguments.to_vec(),
            environment,
            timeout: self.timeout(fields, CommandSettings::TIMEOUT),
        })
    }

    fn email(&mut self, name: Span, fields: &Fields<'_>) -> Option<EmailSettings> {
        let (to, _) = self.texts(fields, "email")?;
        let from = self.needed(fields, "from", name);
        let host = self.needed(fields, "host", name);
        let port = match fields.get("port").map(|value| (value.get_ref(), value.span())) {
            None => None,
            Some((DeValue::Integer(number), span)) => {
                let port = number.to_string().parse().ok().filter(|port| *port > 0);
                if port.is_none() {
                    self.fault("wrong-type", "not a port number", span.into(), |fault| fault);
                }
                port
            }
            Some((_, span)) => {
                self.fault("wrong-type", "not a port number", span.into(), |fault| fault);
                None
            }
        };
        let security = match self.text(fields, "security") {
            None => EmailSecurity::default(),
            Some((text, span)) => match text.as_str() {
                "tls" => EmailSecurity::Tls,
                "starttls" => EmailSecurity::StartTls,
                "none" => EmailSecurity::None,
                _ => {
                    let message = "security is `tls`, `starttls` or `none`";
                    self.fault("notify-security", message, span, |fault| fault);
                    return None;
                }
            },
        };
        let login = self.text(fields, "user").map(|(user, _)| user);
        let login = login.zip(self.secret(fields, "password"));
        let timeout = self.timeout(fields, EmailSettings::TIMEOUT);
        Some(EmailSettings { host: host?, port, security, login, from: from?, to, timeout })
    }

    fn known_keys(&mut self, fields: &Fields<'_>, known: &[&str]) {
        for key in fields.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let message = format!("`{name}` is not a key of such a channel");
            let meant = did_you_mean(name, known.iter().copied());
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("its keys are {}", known.join(", ")),
            };
            self.fault("unknown-key", &message, key.span().into(), |fault| fault.help(help));
        }
    }

    fn needed(&mut self, fields: &Fields<'_>, key: &'static str, at: Span) -> Option<String> {
        if !fields.contains_key(key) {
            let message = format!("the channel needs `{key}`");
            self.fault("missing-key", &message, at, |fault| fault);
            return None;
        }
        self.text(fields, key).map(|(text, _)| text)
    }

    fn text(&mut self, fields: &Fields<'_>, key: &str) -> Option<(String, Span)> {
        let value = fields.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some((text.to_string(), value.span().into())),
            _ => {
                let message = format!("`{key}` is a text");
                self.fault("wrong-type", &message, value.span().into(), |fault| fault);
                None
            }
        }
    }

    /// One text, or a list of them.
    fn texts(&mut self, fields: &Fields<'_>, key: &str) -> Option<(Vec<String>, Span)> {
        let value = fields.get(key)?;
        let texts = match value.get_ref() {
            DeValue::String(text) => Some(vec![text.to_string()]),
            DeValue::Array(items) => items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if texts.is_none() {
            let message = format!("`{key}` is a list of texts");
            self.fault("wrong-type", &message, value.span().into(), |fault| fault);
        }
        texts.map(|texts| (texts, value.span().into()))
    }

    fn secret(&mut self, fields: &Fields<'_>, key: &str) -> Option<SecretText> {
        let (text, span) = self.text(fields, key)?;
        let Some(name) = text.strip_prefix("env:") else { return Some(SecretText::new(text)) };
        let found = (self.environment)(name);
        if found.is_none() {
            let message = format!("the environment has no variable `{name}`");
            self.fault("undefined-secret", &message, span, |fault| fault);
        }
        found.map(SecretText::new)
    }

    fn timeout(&mut self, fields: &Fields<'_>, usual: Duration) -> Duration {
        let Some((text, span)) = self.text(fields, "timeout") else { return usual };
        let number = |suffix| text.strip_suffix(suffix).and_then(|n| n.trim().parse::<u64>().ok());
        let timeout = match (number("ms"), number("s"), number("m")) {
            (Some(millis), _, _) => Some(Duration::from_millis(millis)),
            (None, Some(seconds), _) => Some(Duration::from_secs(seconds)),
            (None, None, Some(minutes)) => Some(Duration::from_secs(minutes.saturating_mul(60))),
            _ => None,
        };
        timeout.filter(|timeout| !timeout.is_zero()).unwrap_or_else(|| {
            let message = format!("`{text}` is no duration");
            self.fault("wrong-type", &message, span, |fault| fault.help("write 500ms, 10s or 1m"));
            usual
        })
    }

    fn fault(
        &mut self,
        code: &'static str,
        message: &str,
        span: Span,
        more: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        self.faults.push(more(Diagnostic::error(code, message, span)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Channels, Vec<Diagnostic>> {
        let environment = |name: &str| (name == "HOOK_SECRET").then(|| "hush".to_owned());
        channels(&SourceFile::new("coalmine.toml", text), &environment)
    }

    #[test]
    fn each_kind_of_channel_is_read_with_its_defaults() {
        let channels = read(
            "color = \"never\"\n\
             [notify.oncall]\nwebhook = \"https://h/x\"\npreset = \"slack\"\n\
             secret = \"env:HOOK_SECRET\"\nheaders = { Authorization = \"env:HOOK_SECRET\" }\n\
             [notify.pager]\ncommand = [\"page\", \"--now\"]\ntimeout = \"500ms\"\n\
             [notify.mail]\nemail = \"ann@example.com\"\nfrom = \"c@example.com\"\n\
             host = \"mail\"\nport = 2525\nsecurity = \"none\"\n",
        )
        .unwrap();
        let ChannelSettings::Webhook(hook) = &channels["oncall"] else { panic!("no webhook") };
        assert_eq!(hook.preset, WebhookPreset::Slack);
        assert_eq!(hook.secret.as_ref().unwrap().expose(), "hush");
        assert_eq!(hook.timeout, WebhookSettings::TIMEOUT);
        let ChannelSettings::Command(command) = &channels["pager"] else { panic!("no command") };
        assert_eq!(command.arguments, ["--now"]);
        assert_eq!(command.timeout, Duration::from_millis(500));
        let ChannelSettings::Email(mail) = &channels["mail"] else { panic!("no mail") };
        assert_eq!((mail.port, mail.security), (Some(2525), EmailSecurity::None));
    }

    #[test]
    fn every_fault_is_told_at_its_place() {
        let text = "[notify.a]\nwebhook = \"ftp://x\"\npresett = \"slack\"\n\
                    [notify.b]\ncommand = []\nemail = \"x\"\n\
                    [notify.c]\nwebhook = \"http://h/\"\nsecret = \"env:NOWHERE\"\n\
                    [notify.d]\nemail = [\"x\"]\n";
        let faults = read(text).unwrap_err();
        let told: Vec<(&str, &str)> = faults
            .iter()
            .map(|fault| {
                let span = fault.span().unwrap();
                (fault.code, text.get(span.start..span.end).unwrap())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("unknown-key", "presett"),
                ("notify-url", "\"ftp://x\""),
                ("notify-channel", "b"),
                ("undefined-secret", "\"env:NOWHERE\""),
                ("missing-key", "d"),
                ("missing-key", "d"),
            ]
        );
    }
}
