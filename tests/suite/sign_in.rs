//! Ways to sign in, each against a server that checks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use coalmine::canary::report::{RunOutcome, Verdict};
use coalmine::runner::{RunRequest, Runner, RunnerSettings};
use coalmine::time::SystemClock;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::run_fixture::{Ran, canary, run, run_yaml, secrets};
use crate::target::{Target, answer, header, ok, read_head};
use crate::tls_target::{Authority, TlsTarget};

/// A server that says yes to one value of one header.
async fn guarded(name: &'static str, expected: &'static str) -> Target {
    Target::http(move |head| match header(head, name) {
        Some(value) if value == expected => ok("in"),
        _ => answer("401 Unauthorized", "", b"out"),
    })
    .await
}

async fn status_with(target: &Target, auth: &str) -> (RunOutcome, Option<u16>) {
    let ran = run_yaml(&format!(
        "canary: auth\nsteps: [{{ step: one, http: {{ get: '{}', auth: {auth} }} }}]\n",
        target.url("/in")
    ))
    .await;
    (ran.outcome(), last_status(&ran))
}

fn last_status(ran: &Ran) -> Option<u16> {
    ran.report.attempts[0].steps[0].exchanges.last().and_then(|exchange| exchange.status)
}

#[tokio::test]
async fn basic_bearer_and_key_are_sent_as_asked() {
    for (name, expected, auth) in [
        ("authorization", "Basic YW5uOnNlY3JldA==", "{ basic: { user: ann, password: secret } }"),
        ("authorization", "Bearer abc.def", "{ bearer: abc.def }"),
        ("x-api-key", "k-123456", "{ api_key: { header: X-Api-Key, key: k-123456 } }"),
    ] {
        let target = guarded(name, expected).await;
        assert_eq!(status_with(&target, auth).await, (RunOutcome::Passed, Some(200)), "{auth}");
    }
}

/// Challenges, and takes an answer only when its response is what RFC 7616 says.
async fn digest_server() -> Target {
    use md5::{Digest, Md5};
    let hash = |text: String| hex::encode(Md5::digest(text));
    Target::http(move |head| {
        let field = |name: &str| {
            let value = header(head, "authorization")?.split(&format!(" {name}=")).nth(1)?;
            Some(value.split(',').next()?.trim_matches('"').to_owned())
        };
        let expected = field("cnonce").map(|cnonce| {
            let secret = hash("ann:shop:secret word".to_owned());
            let asked = hash("GET:/in".to_owned());
            hash(format!("{secret}:n0nce:00000001:{cnonce}:auth:{asked}"))
        });
        if expected.is_some() && field("response") == expected {
            return ok("in");
        }
        let challenge =
            "www-authenticate: Digest realm=\"shop\", nonce=\"n0nce\", qop=\"auth\"\r\n";
        answer("401 Unauthorized", challenge, b"out")
    })
    .await
}

#[tokio::test]
async fn a_digest_challenge_is_answered_once() {
    let target = digest_server().await;
    let auth = |password: &str| format!("{{ digest: {{ user: ann, password: {password} }} }}");
    assert_eq!(status_with(&target, &auth("secret word")).await.1, Some(200));
    assert_eq!(target.connections(), 2);
    assert_eq!(status_with(&target, &auth("wrong word")).await.1, Some(401));
    assert_eq!(target.connections(), 4, "a refused answer is not tried again");
}

/// Gives a token to the right client, in the form only if `in_form`.
async fn token_server(in_form: bool, asked: Arc<AtomicUsize>) -> Target {
    Target::http(move |head| {
        asked.fetch_add(1, Ordering::SeqCst);
        let body = head.split_once("\r\n\r\n").unwrap().1;
        let is_right = if in_form {
            body.contains("client_id=me&client_secret=s3cret-client")
        } else {
            header(head, "authorization") == Some("Basic bWU6czNjcmV0LWNsaWVudA==")
        };
        if is_right && body.contains("grant_type=client_credentials&scope=read") {
            ok(r#"{"access_token":"token-0123456789","token_type":"Bearer","expires_in":3600}"#)
        } else {
            answer("401 Unauthorized", "", br#"{"error":"invalid_client"}"#)
        }
    })
    .await
}

fn oauth2(target: &Target, tokens: &Target) -> String {
    format!(
        "canary: oauth\nsecrets: [CLIENT]\nsteps:\n- step: one\n  http:\n    get: '{}'\n    \
         auth: {{ oauth2: {{ token_url: '{}', client_id: me, \
         client_secret: '{{{{ secret.CLIENT }}}}', scope: read }} }}\n",
        target.url("/"),
        tokens.url("/token")
    )
}

#[tokio::test]
async fn an_oauth2_token_is_asked_for_once_and_kept_for_later_runs() {
    for in_form in [false, true] {
        let asked = Arc::new(AtomicUsize::new(0));
        let tokens = token_server(in_form, Arc::clone(&asked)).await;
        let target = guarded("authorization", "Bearer token-0123456789").await;
        let settings = RunnerSettings {
            secrets: secrets(&[("CLIENT", "s3cret-client")]),
            ..Default::default()
        };
        let runner = Runner::new(settings, Arc::new(SystemClock));
        let canary = canary(&oauth2(&target, &tokens));
        for _ in 0..2 {
            let request = RunRequest::expand(&canary).remove(0);
            let report = runner.run(request, &mut |_event| {}).await;
            assert_eq!(report.outcome, RunOutcome::Passed, "{:?}", report.failure());
            let exchanges = &report.attempts[0].steps[0].exchanges;
            assert_eq!(exchanges.last().unwrap().status, Some(200));
            assert!(!format!("{report:?}").contains("token-0123456789"));
        }
        assert_eq!(asked.load(Ordering::SeqCst), if in_form { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_refused_client_is_the_targets_answer_and_names_the_standards_word() {
    let tokens = token_server(false, Arc::default()).await;
    let target = guarded("authorization", "never").await;
    let settings =
        RunnerSettings { secrets: secrets(&[("CLIENT", "wrong-client")]), ..Default::default() };
    let ran = run(settings, &canary(&oauth2(&target, &tokens))).await;
    assert_eq!(ran.failure().verdict, Verdict::Target);
    assert_eq!(
        ran.failure().message,
        "cannot sign in by OAuth 2: the token endpoint answered 401: invalid_client"
    );
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_request_is_signed_for_aws_and_its_keys_stay_home() {
    let target = Target::http(|head| {
        let signed = header(head, "authorization").unwrap_or_default();
        let is_right = signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            && signed.contains("/eu-central-1/execute-api/aws4_request, ")
            && signed.contains("SignedHeaders=content-type;host;x-amz-date, Signature=")
            && header(head, "x-amz-date").is_some();
        if is_right { ok("in") } else { answer("403 Forbidden", "", b"out") }
    })
    .await;
    let yaml = format!(
        "canary: aws\nsecrets: [KEY]\nsteps:\n- step: one\n  http:\n    post: '{}'\n    \
         json: {{ a: 1 }}\n    auth: {{ sigv4: {{ access_key_id: AKIDEXAMPLE, \
         secret_access_key: '{{{{ secret.KEY }}}}', region: eu-central-1, \
         service: execute-api }} }}\n",
        target.url("/")
    );
    let settings =
        RunnerSettings { secrets: secrets(&[("KEY", "wJalrXUtnFEMI")]), ..Default::default() };
    let ran = run(settings, &canary(&yaml)).await;
    assert_eq!(last_status(&ran), Some(200), "{:?}", ran.report.failure());
}

#[tokio::test]
async fn a_multipart_form_carries_texts_and_files() {
    let target = Target::http(|head| {
        let boundary = header(head, "content-type").unwrap().split("boundary=").nth(1).unwrap();
        let body = head.split_once("\r\n\r\n").unwrap().1;
        ok(&body.replace(boundary, "B"))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "file content").unwrap();
    let yaml = format!(
        "canary: form\nsteps:\n- step: one\n  http:\n    post: '{}'\n    \
         multipart: {{ note: hello, upload: {{ file: a.txt }} }}\n  \
         capture: {{ seen: {{ body: true }} }}\n  emit: {{ log: '{{{{ seen }}}}' }}\n",
        target.url("/")
    );
    let canary = crate::run_fixture::canary_in(folder.path(), &yaml);
    let ran = run(RunnerSettings::default(), &canary).await;
    assert_eq!(
        ran.report.logs[0].message,
        "--B\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
         --B\r\ncontent-disposition: form-data; name=\"upload\"; filename=\"a.txt\"\r\n\
         content-type: application/octet-stream\r\n\r\nfile content\r\n--B--\r\n"
    );
}

#[tokio::test]
async fn a_plain_request_is_handed_to_its_proxy_whole() {
    let proxy = Target::http(|head| {
        ok(&format!(
            "{} {}",
            head.lines().next().unwrap_or_default(),
            header(head, "proxy-authorization").unwrap_or("none")
        ))
    })
    .await;
    let ran = run_yaml(&format!(
        "canary: proxy\nsteps: [{{ step: one, http: {{ get: 'http://far.example/x?y=1', \
         proxy: 'http://ann:pw@{}' }}, capture: {{ seen: {{ body: true }} }}, \
         emit: {{ log: '{{{{ seen }}}}' }} }}]\n",
        proxy.address
    ))
    .await;
    assert_eq!(ran.report.logs[0].message, "GET http://far.example/x?y=1 HTTP/1.1 Basic YW5uOnB3");
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_and_a_refused_tunnel_says_so() {
    let authority = Authority::new();
    let target = TlsTarget::start(authority.leaf(&["localhost"]), &[]).await;
    let port = target.port();
    let proxy = Target::serve(move |mut stream| async move {
        let head = read_head(&mut stream).await.unwrap_or_default();
        if !head.starts_with(&format!("CONNECT localhost:{port} HTTP/1.1\r\n")) {
            drop(stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await);
            return;
        }
        let mut onward = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        drop(stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await);
        drop(copy_bidirectional(&mut stream, &mut onward).await);
    })
    .await;
    let yaml = |port: u16| {
        format!(
            "canary: proxy\nsteps: [{{ step: one, http: {{ get: 'https://localhost:{port}/', \
             proxy: 'http://{}' }} }}]\n",
            proxy.address
        )
    };
    let mut settings = RunnerSettings::default();
    settings.network.extra_roots = vec![authority.certificate()];
    let ran = run(settings.clone(), &canary(&yaml(port))).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let ran = run(settings, &canary(&yaml(1))).await;
    assert_eq!(
        ran.failure().message,
        format!("{} refused a tunnel, as a proxy, with status 403", proxy.address)
    );
}
