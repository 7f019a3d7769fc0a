//! One notification to one channel, against receivers that fail in every way they can.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coalmine::alarm::StateValue;
use coalmine::canary::secret::SecretText;
use coalmine::notify::{
    ChannelSettings, CommandSettings, DeliveryOutcome, EmailSecurity, EmailSettings, Notification,
    NotificationKind, Notifier, WebhookSettings,
};
use coalmine::time::{SystemClock, Timestamp};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::browser_pages::eventually;
use crate::receiver::{Answer, Receiver};

fn notification() -> Notification {
    Notification {
        version: 1,
        key: "0123456789abcdef".into(),
        incident: "shop-down".into(),
        kind: NotificationKind::Alarm,
        alarm: "shop-down".into(),
        alarm_arn: "arn:aws:cloudwatch:us-east-1:123456789012:alarm:shop-down".into(),
        description: None,
        previous: StateValue::Ok,
        state: StateValue::Alarm,
        reason: "Threshold Crossed".into(),
        held: 0,
        at: Timestamp::from_secs(1_700_000_000),
        since: Timestamp::from_secs(1_700_000_000),
        canary: Some("shop".into()),
        run: None,
        last_good_run: None,
        link: None,
    }
}

fn notifier(channel: ChannelSettings) -> Notifier {
    let channels = BTreeMap::from([(Arc::from("oncall"), channel)]);
    Notifier::new(channels, Arc::new(SystemClock)).unwrap()
}

fn webhook(receiver: &Receiver) -> WebhookSettings {
    let timeout = Duration::from_millis(500);
    WebhookSettings { timeout, ..WebhookSettings::plain(receiver.url()) }
}

async fn deliver(channel: ChannelSettings) -> DeliveryOutcome {
    notifier(channel).deliver("oncall", &notification()).await
}

#[tokio::test]
async fn a_webhook_carries_body_key_and_signature() {
    let receiver = Receiver::start(|_| Answer::Status(204)).await;
    let mut settings = webhook(&receiver);
    settings.secret = Some(SecretText::new("key"));
    settings.headers = vec![("authorization".to_owned(), SecretText::new("Bearer b"))];
    let outcome = deliver(ChannelSettings::Webhook(settings)).await;
    assert!(matches!(outcome, DeliveryOutcome::Delivered), "{outcome:?}");
    let received = receiver.received().remove(0);
    assert_eq!(received.key(), "0123456789abcdef");
    assert_eq!(received.header("authorization"), Some("Bearer b"));
    assert!(received.header("x-coalmine-signature").unwrap().contains(",v1="));
    let sent: Notification = serde_json::from_str(&received.body).unwrap();
    assert_eq!(sent, notification());
}

#[tokio::test]
async fn every_way_a_receiver_can_fail_has_its_outcome() {
    for (answer, expected) in [
        (Answer::Status(200), "delivered"),
        (Answer::Status(500), "retry: the receiver answered 500: said"),
        (Answer::Status(404), "rejected: the receiver answered 404: said"),
        (Answer::Status(302), "rejected: the receiver answered 302: said"),
        (Answer::Silence, "retry: no answer within 500 ms"),
        (Answer::Reset, "retry: cannot reach the receiver"),
        (Answer::Endless(200), "delivered"),
        (Answer::Endless(503), "retry: the receiver answered 503: xxxx"),
    ] {
        let receiver = Receiver::start(move |_| answer).await;
        let outcome = deliver(ChannelSettings::Webhook(webhook(&receiver))).await;
        let text = match &outcome {
            DeliveryOutcome::Delivered => "delivered".to_owned(),
            DeliveryOutcome::Retry { fault, .. } => format!("retry: {fault}"),
            DeliveryOutcome::Rejected { fault } => format!("rejected: {fault}"),
        };
        assert!(text.starts_with(expected), "{answer:?}: {text}");
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let receiver = Receiver::start(|_| Answer::Later).await;
    let outcome = deliver(ChannelSettings::Webhook(webhook(&receiver))).await;
    let DeliveryOutcome::Retry { after, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn nobody_listening_is_tried_again() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = WebhookSettings::plain(format!("http://{gone}/").parse().unwrap());
    let outcome = deliver(ChannelSettings::Webhook(settings)).await;
    let DeliveryOutcome::Retry { fault, .. } = outcome else { panic!("{outcome:?}") };
    let text = fault.in_full();
    assert!(text.to_lowercase().contains("connection refused"), "{text}");
}

#[tokio::test]
async fn a_channel_that_is_gone_is_rejected_by_name() {
    let notifier = notifier(ChannelSettings::Command(CommandSettings::program("true")));
    let outcome = notifier.deliver("nobody", &notification()).await;
    let DeliveryOutcome::Rejected { fault } = outcome else { panic!("{outcome:?}") };
    assert_eq!(fault.to_string(), "no channel is called nobody");
}

fn shell(script: &str) -> CommandSettings {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    CommandSettings { arguments, ..CommandSettings::program("sh") }
}

#[tokio::test]
async fn a_command_gets_the_notification_and_none_of_our_environment() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let script = format!("{{ cat; echo; env; }} > {}", out.display());
    let outcome = deliver(ChannelSettings::Command(shell(&script))).await;
    assert!(matches!(outcome, DeliveryOutcome::Delivered), "{outcome:?}");
    let text = std::fs::read_to_string(out).unwrap();
    let (input, environment) = text.split_once('\n').unwrap();
    assert_eq!(serde_json::from_str::<Notification>(input).unwrap(), notification());
    assert!(environment.contains("COALMINE_STATE=ALARM\n"), "{environment}");
    assert!(!environment.contains("CARGO"), "{environment}");
}

#[tokio::test]
async fn a_command_that_fails_says_how() {
    let outcome = deliver(ChannelSettings::Command(shell("echo no modem >&2; exit 3"))).await;
    let fault = outcome.fault().unwrap().to_string();
    assert_eq!(fault, "the command ended with exit status: 3: no modem");
    let missing = CommandSettings::program("/nowhere/pager");
    let outcome = deliver(ChannelSettings::Command(missing)).await;
    assert!(matches!(outcome, DeliveryOutcome::Retry { .. }));
    assert_eq!(outcome.fault().unwrap().to_string(), "cannot run /nowhere/pager");
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_everything_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    // The shell and its child both ignore SIGTERM.
    let script = format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {0}.part; mv {0}.part {0}; \
         while :; do sleep 1; done' & wait",
        pid_file.display()
    );
    let settings = CommandSettings { timeout: Duration::from_millis(500), ..shell(&script) };
    let outcome = deliver(ChannelSettings::Command(settings)).await;
    assert_eq!(outcome.fault().unwrap().to_string(), "no answer within 500 ms");
    let pid = std::fs::read_to_string(pid_file).unwrap();
    // A kill is carried out when the killed process is next scheduled, which on a busy machine is
    // after the sender has returned.
    eventually("the child of the command is gone", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()));
        // Gone, or killed and waiting for whoever adopted it.
        !status.is_ok_and(|status| !status.contains("State:\tZ"))
    })
    .await;
}

#[tokio::test]
async fn a_command_that_says_too_much_is_not_blocked_by_it() {
    let flood = "head -c 10000000 /dev/zero >&2";
    let outcome = deliver(ChannelSettings::Command(shell(flood))).await;
    assert!(matches!(outcome, DeliveryOutcome::Delivered), "{outcome:?}");
}

#[tokio::test]
async fn a_mail_is_handed_to_the_server_with_its_thread() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = EmailSettings {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        security: EmailSecurity::None,
        login: None,
        from: "Coalmine <coalmine@example.com>".to_owned(),
        to: vec!["ann@example.com".to_owned()],
        timeout: EmailSettings::TIMEOUT,
    };
    let (outcome, mail) =
        tokio::join!(deliver(ChannelSettings::Email(settings)), take_mail(&listener));
    assert!(matches!(outcome, DeliveryOutcome::Delivered), "{outcome:?}");
    for part in [
        "Subject: ALARM: shop",
        "To: ann@example.com",
        "Message-ID: <0123456789abcdef@example.com>",
        "References: <shop-down@example.com>",
        "Auto-Submitted: auto-generated",
        "Threshold Crossed",
    ] {
        assert!(mail.contains(part), "{part} is not in:\n{mail}");
    }
}

/// The least a mail server says. Gives the mail it took.
async fn take_mail(listener: &TcpListener) -> String {
    let (mut socket, _) = listener.accept().await.unwrap();
    let (read, mut write) = socket.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 test\r\n").await.unwrap();
    let mut mail = String::new();
    let mut in_data = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let answer: &[u8] = match line.as_str() {
            "." if in_data => {
                in_data = false;
                b"250 taken\r\n"
            }
            _ if in_data => {
                mail.push_str(&line);
                mail.push('\n');
                continue;
            }
            "DATA" => {
                in_data = true;
                b"354 go on\r\n"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await.unwrap();
                break;
            }
            _ => b"250 test\r\n",
        };
        write.write_all(answer).await.unwrap();
        // The transport keeps its connection in a pool; the mail is all that is waited for.
        if !in_data && !mail.is_empty() {
            break;
        }
    }
    mail
}
