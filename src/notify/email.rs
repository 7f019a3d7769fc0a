use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::{DeliveryFault, DeliveryOutcome, EmailSecurity, EmailSettings, Notification};
use crate::time::{Clock, Deadline};

/// Mails a notification once.
pub(super) async fn send(
    settings: &EmailSettings,
    notification: &Notification,
    clock: &dyn Clock,
) -> DeliveryOutcome {
    match message(settings, notification) {
        Ok(message) => hand_over(settings, message, clock).await,
        Err(source) => DeliveryOutcome::Rejected { fault: DeliveryFault::MailForm { source } },
    }
}

/// Mails a text once, to another receiver than the channel's own.
pub(super) async fn send_text(
    settings: &EmailSettings,
    (to, subject, text): (&str, &str, &str),
    clock: &dyn Clock,
) -> DeliveryOutcome {
    let written = || -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
        let builder = Message::builder().from(settings.from.parse()?).to(to.parse()?);
        let builder = builder.subject(subject).header(ContentType::TEXT_PLAIN);
        Ok(builder.body(text.to_owned())?)
    };
    match written() {
        Ok(message) => hand_over(settings, message, clock).await,
        Err(source) => DeliveryOutcome::Rejected { fault: DeliveryFault::MailForm { source } },
    }
}

async fn hand_over(
    settings: &EmailSettings,
    message: Message,
    clock: &dyn Clock,
) -> DeliveryOutcome {
    let transport = match transport(settings) {
        Ok(transport) => transport,
        Err(source) => return DeliveryOutcome::retry(DeliveryFault::Mail { source }),
    };
    let deadline = Deadline::after(clock, settings.timeout);
    match deadline.bound(transport.send(message)).await {
        Ok(Ok(_accepted)) => DeliveryOutcome::Delivered,
        Ok(Err(source)) if source.is_permanent() => {
            DeliveryOutcome::Rejected { fault: DeliveryFault::Mail { source } }
        }
        Ok(Err(source)) => DeliveryOutcome::retry(DeliveryFault::Mail { source }),
        Err(_passed) => DeliveryOutcome::retry(DeliveryFault::Late { timeout: settings.timeout }),
    }
}

/// The headline as subject, the facts as text. Mails of one incident share a thread.
fn message(
    settings: &EmailSettings,
    notification: &Notification,
) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
    let from: Mailbox = settings.from.parse()?;
    let domain = from.email.domain().to_owned();
    let mut builder = Message::builder()
        .from(from)
        .subject(notification.headline())
        // COMPAT: a retry has the same id, so that a mail server that has it drops the second one.
        .message_id(Some(format!("<{}@{domain}>", notification.key)))
        .references(format!("<{}@{domain}>", notification.incident))
        .header(ContentType::TEXT_PLAIN);
    for receiver in &settings.to {
        builder = builder.to(receiver.parse()?);
    }
    let mut message = builder.body(notification.text())?;
    let automatic = HeaderName::new_from_ascii("Auto-Submitted".to_owned())?;
    message.headers_mut().insert_raw(HeaderValue::new(automatic, "auto-generated".to_owned()));
    Ok(message)
}

fn transport(
    settings: &EmailSettings,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
    let (tls, port) = match settings.security {
        EmailSecurity::Tls => (Tls::Wrapper(TlsParameters::new(settings.host.clone())?), 465),
        EmailSecurity::StartTls => (Tls::Required(TlsParameters::new(settings.host.clone())?), 587),
        EmailSecurity::None => (Tls::None, 25),
    };
    let mut builder =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.clone())
            .port(settings.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(settings.timeout));
    if let Some((user, password)) = &settings.login {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        builder = builder.credentials(credentials);
    }
    Ok(builder.build())
}
