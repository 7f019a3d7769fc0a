//! Steps that hold a dialogue: TCP and WebSocket.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use url::Url;

use super::probes::{asked, seen};
use super::rendering::Rendering;
use crate::canary::action::{DialogueLine, TcpAction, WebSocketAction};
use crate::canary::assertion::{Mismatch, Predicate, Seen};
use crate::canary::definition::Step;
use crate::canary::observation::{Answer, Observation};
use crate::canary::report::{FailedAssertion, Failure};
use crate::runner::attempt::Attempt;
use crate::runner::judge::wrong_answer;
use crate::runner::probe::{
    DialogueMove, Ended, Expectation, Heard, TcpRequest, TlsOptions, Unmet, WebSocketRequest,
    duration_text,
};
use crate::runner::step::StepRecord;
use crate::time::Deadline;

/// A dialogue whose texts are final, with the predicates behind its expectations.
struct Script {
    moves: Vec<DialogueMove>,
    predicates: Vec<Option<Predicate>>,
}

impl Attempt {
    pub(super) async fn tcp(
        &self,
        step: &Step,
        action: &TcpAction,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let rendering = &mut Rendering::new(step, &self.scope);
        let host = rendering.plain(&action.host)?;
        let port = rendering.port(&action.port)?;
        let script = script(&action.dialogue, rendering)?;
        self.hold_to_hosts(rendering, &host)?;
        let asked = asked("TCP", format!("tcp://{host}:{port}"));
        let tls = action.tls.then(TlsOptions::default);
        let request = TcpRequest { host, port, tls, dialogue: script.moves };
        let mut trail = self.trail();
        let heard = self.run.parts.network.tcp(&request, &mut trail, deadline).await;
        let (heard, unmet) = parted(heard);
        let seen = seen(record, asked, trail, heard)?;
        check(step, &script.predicates, unmet).map(|()| seen)
    }

    pub(super) async fn websocket(
        &self,
        step: &Step,
        action: &WebSocketAction,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let rendering = &mut Rendering::new(step, &self.scope);
        let text = rendering.url(&action.url)?;
        let url = Url::parse(&text).map_err(|error| {
            rendering.broken(format!("the URL is not valid: {error}"), action.url.span())
        })?;
        let mut headers = Vec::new();
        for (name, text) in &action.headers {
            let (value, _sensitive) = rendering.header(text)?;
            let pair = (HeaderName::try_from(&**name), HeaderValue::try_from(value));
            let (Ok(name), Ok(value)) = pair else {
                let message = format!("`{name}` and its value are no header");
                return Err(rendering.broken(message, text.span()));
            };
            headers.push((name, value));
        }
        let script = script(&action.dialogue, rendering)?;
        self.hold_to_hosts(rendering, url.host_str().unwrap_or_default())?;
        let asked = asked("WebSocket", url.to_string());
        let request = WebSocketRequest { url, headers, dialogue: script.moves };
        let mut trail = self.trail();
        let heard = self.run.parts.network.websocket(&request, &mut trail, deadline).await;
        let (heard, unmet) = parted(heard);
        let seen = seen(record, asked, trail, heard)?;
        check(step, &script.predicates, unmet).map(|()| seen)
    }
}

fn script(
    dialogue: &[DialogueLine],
    rendering: &mut Rendering<'_>,
) -> Result<Script, Box<Failure>> {
    let mut script = Script { moves: Vec::new(), predicates: Vec::new() };
    for line in dialogue {
        let (next, predicate) = match line {
            DialogueLine::Send(text) => {
                (DialogueMove::Send(Bytes::from(rendering.plain(text)?)), None)
            }
            DialogueLine::StartTls => (DialogueMove::StartTls, None),
            DialogueLine::Expect(predicate) => {
                let predicate = rendering.predicate(predicate)?;
                let tested = predicate.clone();
                let holds = move |heard: &str| tested.check(&Seen::Text(heard.into())).is_ok();
                (DialogueMove::Expect(Expectation::new(holds)), Some(predicate))
            }
        };
        script.moves.push(next);
        script.predicates.push(predicate);
    }
    Ok(script)
}

fn parted<E>(heard: Result<Heard, E>) -> (Result<Answer, E>, Option<Unmet>) {
    match heard {
        Ok(Heard { received, unmet }) => (Ok(Answer::Dialogue { received }), unmet),
        Err(error) => (Err(error), None),
    }
}

/// The failure of an expectation that was not fulfilled: what came instead, and why no more came.
fn check(
    step: &Step,
    predicates: &[Option<Predicate>],
    unmet: Option<Unmet>,
) -> Result<(), Box<Failure>> {
    let Some(Unmet { position, came, ended }) = unmet else { return Ok(()) };
    let came = String::from_utf8_lossy(&came);
    let predicate = predicates.get(position).and_then(Option::as_ref);
    let mismatch = predicate.and_then(|predicate| predicate.check(&Seen::Text(came.clone())).err());
    let Mismatch { expected, actual, place, diff } = mismatch.unwrap_or_default();
    let silence = match ended {
        Ended::Closed => "the server closed the connection".to_owned(),
        Ended::Silent(waited) => format!("nothing for {}", duration_text(waited)),
        Ended::TooMuch => "far too much more".to_owned(),
    };
    let actual = match (came.is_empty(), ended) {
        (true, Ended::Closed) => format!("nothing, {silence}"),
        (true, _) => silence,
        (false, _) => format!("{actual}, then {silence}"),
    };
    let answers = predicates.iter().take(position + 1).flatten().count();
    Err(Box::new(wrong_answer(vec![FailedAssertion {
        subject: format!("answer {answers}"),
        expected,
        actual,
        place,
        diff,
        location: Some(step.locate(step.span)),
    }])))
}
