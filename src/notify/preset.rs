use serde_json::{Value, json};

use super::{Notification, NotificationKind};

/// The forms that a webhook's body can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WebhookPreset {
    /// The [`Notification`] itself.
    #[default]
    Json,
    /// Slack's incoming webhook, and what imitates it (Mattermost, Rocket.Chat).
    Slack,
    /// An adaptive card for a Teams workflow.
    Teams,
    /// Discord's webhook.
    Discord,
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// The integration's key.
        routing_key: String,
    },
}

/// Discord's and Slack's limits on one field.
const FIELD_CHARACTERS_MAX: usize = 1_000;

impl WebhookPreset {
    /// The body that carries `notification`.
    pub fn body(&self, notification: &Notification) -> Value {
        match self {
            Self::Json => json!(notification),
            Self::Slack => slack(notification),
            Self::Teams => teams(notification),
            Self::Discord => discord(notification),
            Self::PagerDuty { routing_key } => pager_duty(notification, routing_key),
        }
    }
}

/// Source: Slack API, "Incoming webhooks" and "Secondary message attachments".
fn slack(notification: &Notification) -> Value {
    let field = |(name, value): (&'static str, String)| {
        let short = value.len() < 40;
        json!({"title": name, "value": slack_text(&value), "short": short})
    };
    let fields: Vec<Value> = notification.facts().into_iter().map(field).collect();
    json!({
        "text": slack_text(&notification.headline()),
        "attachments": [{
            "color": format!("#{:06x}", colour(notification.kind)),
            "fields": fields,
            "title": notification.link.as_ref().map(|_| "Look at it"),
            "title_link": notification.link,
            "ts": notification.at.as_secs(),
        }],
    })
}

/// The three characters that Slack gives a meaning to; `<!channel>` would call everybody.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Source: Microsoft Learn, "Post a workflow when a webhook request is received".
fn teams(notification: &Notification) -> Value {
    let fact = |(name, value): (&'static str, String)| json!({"title": name, "value": value});
    let facts: Vec<Value> = notification.facts().into_iter().map(fact).collect();
    let style = match notification.kind {
        NotificationKind::Resolved => "Good",
        NotificationKind::Unknown => "Warning",
        NotificationKind::Alarm | NotificationKind::Reminder => "Attention",
    };
    let open = |link| json!({"type": "Action.OpenUrl", "title": "Look at it", "url": link});
    let actions: Vec<Value> = notification.link.iter().map(open).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    {
                        "type": "TextBlock",
                        "text": notification.headline(),
                        "weight": "Bolder",
                        "wrap": true,
                        "color": style,
                    },
                    {"type": "FactSet", "facts": facts},
                ],
                "actions": actions,
            },
        }],
    })
}

/// Source: Discord Developer Documentation, "Execute webhook", and its limits on embeds.
fn discord(notification: &Notification) -> Value {
    let field = |(name, value): (&'static str, String)| {
        let value = cut(&value, FIELD_CHARACTERS_MAX);
        json!({"name": name, "value": value, "inline": false})
    };
    let fields: Vec<Value> = notification.facts().into_iter().map(field).collect();
    let headline = notification.headline();
    json!({
        "content": headline,
        // Nothing that a target answers may call anybody.
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": cut(&headline, 250),
            "url": notification.link,
            "color": colour(notification.kind),
            "fields": fields,
            "timestamp": notification.at.to_rfc3339(),
        }],
    })
}

/// Source: PagerDuty Developer Documentation, "Send an alert event".
fn pager_duty(notification: &Notification, routing_key: &str) -> Value {
    let action = match notification.kind {
        NotificationKind::Resolved => "resolve",
        _ => "trigger",
    };
    let severity = match notification.kind {
        NotificationKind::Unknown => "warning",
        _ => "critical",
    };
    let links: Vec<Value> =
        notification.link.iter().map(|link| json!({"href": link, "text": "Look at it"})).collect();
    json!({
        "routing_key": routing_key,
        "event_action": action,
        // One incident from the first alarm to its resolution.
        "dedup_key": notification.incident,
        "payload": {
            "summary": notification.headline(),
            "source": notification.canary.as_ref().unwrap_or(&notification.alarm),
            "severity": severity,
            "timestamp": notification.at.to_rfc3339(),
            "custom_details": notification,
        },
        "links": links,
    })
}

const fn colour(kind: NotificationKind) -> u32 {
    match kind {
        NotificationKind::Alarm | NotificationKind::Reminder => 0x00d1_3212,
        NotificationKind::Resolved => 0x001d_8102,
        NotificationKind::Unknown => 0x00ff_9900,
    }
}

fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_slack_message_calls_a_channel() {
        let mut notification = Notification::example();
        notification.run.as_mut().unwrap().message = "<!channel> & <@U1>".into();
        let body = WebhookPreset::Slack.body(&notification).to_string();
        assert!(body.contains("&lt;!channel&gt; &amp; &lt;@U1&gt;"), "{body}");
        assert!(!body.contains("<!"), "{body}");
    }

    #[test]
    fn an_incident_is_opened_and_closed_under_one_key() {
        let preset = WebhookPreset::PagerDuty { routing_key: "r".into() };
        let mut notification = Notification::example();
        let trigger = preset.body(&notification);
        notification.kind = NotificationKind::Resolved;
        let resolve = preset.body(&notification);
        assert_eq!(trigger["event_action"], "trigger");
        assert_eq!(resolve["event_action"], "resolve");
        assert_eq!(trigger["dedup_key"], resolve["dedup_key"]);
        assert_eq!(trigger["payload"]["severity"], "critical");
    }

    #[test]
    fn every_form_carries_headline_facts_and_link() {
        let presets = [WebhookPreset::Slack, WebhookPreset::Teams, WebhookPreset::Discord];
        for preset in presets {
            let body = preset.body(&Notification::example()).to_string();
            for part in ["status is 500", "equals 200", "last good run", "/canaries/shop"] {
                assert!(body.contains(part), "{preset:?} lacks {part}: {body}");
            }
        }
    }

    #[test]
    fn the_plain_form_is_read_back_as_the_notification() {
        let notification = Notification::example();
        let body = WebhookPreset::Json.body(&notification);
        assert_eq!(body["run"]["verdict"], "target");
        assert_eq!(body["state"], "ALARM");
        assert_eq!(serde_json::from_value::<Notification>(body).unwrap(), notification);
    }
}
