//! What a stranger can write into a canary or a target can say, against the program as a user
//! starts it: `reliability.md` T29 to T32.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::program::{Finished, coalmine};
use crate::target::{Target, answer, header};

/// Runs the program beside the servers of a test.
async fn program(folder: &Path, arguments: &[&str], environment: &[(String, String)]) -> Finished {
    let mut command = coalmine(folder, arguments);
    command.envs(environment.iter().cloned());
    let ended = tokio::task::spawn_blocking(move || command.output()).await;
    ended.unwrap().unwrap().into()
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Says back everything that it is told, in its body, a cookie and a redirect.
async fn echo() -> (Target, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let hears = Arc::clone(&heard);
    let target = Target::http(move |head| {
        hears.lock().unwrap().push(head.to_owned());
        let path = head.split(' ').nth(1).unwrap_or("/");
        if let Some(rest) = path.strip_prefix("/redirect") {
            return answer("302 Found", &format!("location: /landed{rest}\r\n"), b"");
        }
        let cookie = format!("set-cookie: echo={}; Path=/\r\n", path.len());
        answer("200 OK", &cookie, head.as_bytes())
    })
    .await;
    (target, heard)
}

const SECRETS: &[&str] = &[
    "hunter2-hunter2",
    "p@ss/word+1=&?#",
    "ünïcødé-sécret-ß",
    "quo\"te'd<secret>&",
    "spaces in a secret",
    "back\\slash\\secret",
    "100%25percent%41",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "-----BEGIN-PRIVATE-KEY-----abc",
    "日本語の秘密です",
    "🔑🔑🔑🔑",
    "tab\tinside\tsecret",
    "colon:and;semi,comma",
    "{\"json\":\"secret\"}",
    "{{ not a template }}",
    "$(shell) `ticks` ${VAR}",
    "::add-mask::secret",
    "UPPERCASE-SECRET-1",
    "..//..//etc//secret",
    "<script>secret()</script>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "=?utf-8?B?c2VjcmV0?=",
];

/// The forms in which a secret would be found by somebody who looks for it.
fn forms(secret: &str) -> BTreeSet<String> {
    let all = percent_encoding::NON_ALPHANUMERIC;
    let percent = percent_encoding::utf8_percent_encode(secret, all).to_string();
    let json = serde_json::to_string(secret).unwrap();
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    [
        secret.to_owned(),
        percent.to_lowercase(),
        percent,
        json[1..json.len() - 1].to_owned(),
        html.replace('"', "&quot;"),
        html,
        STANDARD.encode(secret).trim_end_matches('=').to_owned(),
        hex::encode(secret),
        hex::encode_upper(secret),
    ]
    .into()
}

/// Writes canaries that show each secret wherever they can, and gives the environment they need.
fn leaks(folder: &Path, base: &str) -> Vec<(String, String)> {
    let mut environment = Vec::new();
    for (at, secret) in SECRETS.iter().enumerate() {
        let name = format!("S{at}");
        environment.push((name.clone(), (*secret).to_owned()));
        let used = format!("{{{{ secret.{name} }}}}");
        let yaml = format!(
            r#"
canary: leak-{at}
secrets: [{name}]
steps:
  - step: everywhere
    http:
      post: "{base}/redirect/{used}?key={used}&coded={{{{ secret.{name} | base64 }}}}"
      headers: {{ x-coded: "{{{{ secret.{name} | base64 }}}}" }}
      json: {{ password: "{used}", note: "it is {used}!" }}
    capture: {{ seen: {{ body: true }}, where: {{ url: true }} }}
    emit: {{ log: "I know {used}", annotations: {{ a: "{used}" }} }}
  - step: form
    http: {{ post: "{base}/form", form: {{ field: "{used}" }}, auth: {{ basic: {{ user: ann,
     password: "{used}" }} }} }}
    emit: {{ log: "{{{{ seen }}}} {{{{ where }}}}" }}
  - step: wrong
    http: {{ post: "{base}/body", body: "line\n{used}\n{{{{ secret.{name} | base64 }}}}" }}
    expect: {{ body: "other\n{used}\nand long enough to have a difference shown of it" }}
teardown:
  - step: nowhere
    http: "http://nowhere.invalid/{used}?{used}"
"#
        );
        write(folder, &format!("canaries/leak-{at}.yaml"), &yaml);
        let lua = format!(
            "step('leak', function()\n  local key = secret '{name}'\n  \
             log(key, crypto.base64(key), crypto.hex(key), json.encode {{ key }})\n  \
             http.post('{base}/lua', {{ body = key, headers = {{ [\"x-b\"] = crypto.base64(key) \
              }} }})\n  \
             error('it is ' .. key)\nend)"
        );
        write(folder, &format!("canaries/lua-{at}.lua"), &lua);
    }
    environment
}

/// T30: every secret in every place of a request, every kind of report, a store: nothing shows it.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_runs_leave() {
    let (target, heard) = echo().await;
    let folder = tempfile::tempdir().unwrap();
    let base = target.url("");
    let environment = leaks(folder.path(), &base);
    let mut arguments = vec!["run", "canaries", "--verbose", "--store", "data", "--jobs", "4"];
    let kinds = ["terminal", "json", "junit", "github", "tap", "markdown", "html", "har"];
    let reports: Vec<String> = kinds.iter().map(|kind| format!("{kind}=out/{kind}")).collect();
    arguments.extend(reports.iter().flat_map(|report| ["--report", report]));
    arguments.extend(["--report", "terminal"]);
    let finished = program(folder.path(), &arguments, &environment).await;
    assert_eq!(finished.code, 2, "{}{}", finished.out, finished.err);
    let told = heard.lock().unwrap().join("\n");
    assert!(told.contains("hunter2-hunter2"), "the secrets were sent");
    let dry = program(folder.path(), &["run", "canaries", "--dry-run"], &environment).await;
    let find = ["events", "find", "--since", "1h", "--data-dir", "data"];
    let events = program(folder.path(), &find, &environment).await;
    assert!(events.out.contains("leak"), "{}{}", events.out, events.err);
    let mut seen: Vec<(String, Vec<u8>)> = files(folder.path())
        .into_iter()
        .filter(|path| !path.starts_with(folder.path().join("canaries")))
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    assert!(seen.len() > 25 + kinds.len(), "bodies were kept as evidence");
    for finished in [finished, dry, events] {
        seen.push(("output".to_owned(), finished.out.into_bytes()));
        seen.push(("errors".to_owned(), finished.err.into_bytes()));
    }
    for (at, secret) in SECRETS.iter().enumerate() {
        for form in forms(secret) {
            for (place, bytes) in &seen {
                let found = memchr::memmem::find(bytes, form.as_bytes());
                assert!(found.is_none(), "secret {at} as {form} is in {place}");
            }
        }
    }
}

/// What a pull request may try; the placeholders are filled with what must not be reached.
const ATTACKS: &[(&str, &str)] = &[
    ("body-above", "http: { post: 'ALLOWED', file: ../outside/planted.txt }"),
    ("body-absolute", "http: { post: 'ALLOWED', file: 'OUTSIDE/planted.txt' }"),
    ("body-link", "http: { post: 'ALLOWED', file: link.txt }"),
    ("body-link-folder", "http: { post: 'ALLOWED', file: linked/planted.txt }"),
    ("part-above", "http: { post: 'ALLOWED', multipart: { f: { file: ../outside/planted.txt } } }"),
    ("part-link", "http: { post: 'ALLOWED', multipart: { f: { file: link.txt } } }"),
    (
        "key-above",
        "http: { get: 'https://ALLOWEDHOST/', certificate: { cert: ../outside/planted.txt, key: \
         ../outside/planted.txt } }",
    ),
    (
        "descriptors-above",
        "grpc: { url: 'ALLOWED', call: a.B/C, descriptors: ../outside/planted.txt }",
    ),
    ("environment", "http: { post: 'ALLOWED', body: '{{ env.TOKEN }}' }"),
    ("environment-default", "http: { post: 'ALLOWED', body: \"{{ env.TOKEN | default('x') }}\" }"),
    ("secret", "http: { post: 'ALLOWED', body: '{{ secret.TOKEN }}' }"),
    ("inside", "http: 'INSIDE'"),
    ("inside-decimal", "http: 'http://2130706433:PORT/'"),
    ("inside-hex", "http: 'http://0x7f.1:PORT/'"),
    ("inside-octal", "http: 'http://0177.0.0.1:PORT/'"),
    ("inside-short", "http: 'http://127.1:PORT/'"),
    ("inside-mapped", "http: 'http://[::ffff:127.0.0.1]:PORT/'"),
    ("inside-any", "http: 'http://0.0.0.0:PORT/'"),
    ("inside-user", "http: 'http://example.com@127.0.0.1:PORT/'"),
    ("inside-wide", "http: 'http://①②⑦.⓪.⓪.①:PORT/'"),
    ("inside-name", "http: 'http://localhost:PORT/'"),
    ("inside-name-dot", "http: 'http://localhost.:PORT/'"),
    ("inside-redirect", "http: 'ALLOWED/to-inside'"),
    ("inside-websocket", "websocket: 'ws://127.0.0.1:PORT/'"),
    ("inside-tcp", "tcp: '127.0.0.1:PORT'"),
    ("inside-tls", "tls: '127.0.0.1:PORT'"),
    ("inside-grpc", "grpc: 'INSIDE'"),
    ("inside-proxy", "http: { get: 'http://example.com/', proxy: 'INSIDE' }"),
    (
        "inside-token",
        "http: { get: 'ALLOWED', auth: { oauth2: { token_url: 'INSIDE', client_id: a, \
         client_secret: b } } }",
    ),
    ("inside-resolver", "dns: { name: example.com, resolver: '127.0.0.1:PORT', tcp: true }"),
    ("ping", "icmp: 127.0.0.1"),
    ("metadata", "http: 'http://169.254.169.254/latest/meta-data/'"),
    ("file-url", "http: 'file:///etc/passwd'"),
    ("limits", "http: 'ALLOWED/'\n    timeout: 99999d"),
];

const WHOLE_FILES: &[(&str, &str)] = &[
    ("use-above.yaml", "canary: use-above\nuse: ../outside/steps.yaml\nsteps: []\n"),
    ("use-link.yaml", "canary: use-link\nuse: link.yaml\nsteps: []\n"),
    (
        "rows-above.yaml",
        "canary: rows-above\nrows: ../outside/rows.csv\nsteps: [{ step: a, http: 'ALLOWED/{{ \
         name }}' }]\n",
    ),
    ("use-loop.yaml", "canary: use-loop\nuse: use-loop.yaml\nsteps: []\n"),
    ("name.yaml", "canary: ../../name\nsteps: [{ step: a, http: 'ALLOWED/' }]\n"),
    (
        "shot.yaml",
        "canary: shot\nsteps: [{ step: a, browser: [{ open: 'ALLOWED/' }, { screenshot: \
         ../../planted }] }]\n",
    ),
    ("long.yaml", "canary: LONG\nsteps: [{ step: a, http: 'ALLOWED/' }]\n"),
    (
        "matrix.yaml",
        "canary: matrix\nmatrix: { a: [NUMBERS], b: [NUMBERS], c: [NUMBERS] }\nsteps: [{ step: \
         a, http: 'ALLOWED/' }]\n",
    ),
    (
        "bomb.yaml",
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c \
         [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n",
    ),
    (
        "require-above.lua",
        "step('a', function() http.post('ALLOWED', { body = require('../outside/planted') }) \
         end)\n",
    ),
    ("require-link.lua", "step('a', function() require('link') end)\n"),
    ("require-early.lua", "local text = require('link')\nstep('a', function() end)\n"),
    (
        "environment.lua",
        "step('a', function() http.post('ALLOWED', { body = canary.env('TOKEN') }) end)\n",
    ),
    ("inside.lua", "step('a', function() http.get('INSIDE') end)\n"),
    ("redirect.lua", "step('a', function() http.get('ALLOWED/to-inside') end)\n"),
    ("socket.lua", "step('a', function() tcp('127.0.0.1:PORT') end)\n"),
    (
        "body.lua",
        "step('a', function() http.post('ALLOWED', { file = '../outside/planted.txt' }) end)\n",
    ),
];

/// T31: each attack alone ends as a fault of the file, a refusal or a failure, and does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_reads_reaches_and_writes_nothing_it_must_not() {
    let inside = Target::http(|_head| answer("200 OK", "", b"inside")).await;
    let to_inside = format!("location: {}\r\n", inside.url("/"));
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let hears = Arc::clone(&heard);
    let allowed = Target::http(move |head| {
        hears.lock().unwrap().push(head.to_owned());
        match head.contains("/to-inside") {
            true => answer("302 Found", &to_inside, b""),
            false => answer("200 OK", "", b"fine"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("repository/outside");
    for name in ["planted.txt", "planted.lua", "steps.yaml", "rows.csv"] {
        write(&outside, name, "name\nPLANTED-TEXT\n");
    }
    let canaries = folder.path().join("repository/canaries");
    std::fs::create_dir_all(&canaries).unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, canaries.join(name)).unwrap();
    link("../outside/planted.txt", "link.txt");
    link("../outside/planted.lua", "link.lua");
    link("../outside/steps.yaml", "link.yaml");
    link("../outside", "linked");
    let numbers: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let fill = |text: &str| {
        text.replace("ALLOWEDHOST", &allowed.address.to_string())
            .replace("ALLOWED", &allowed.url(""))
            .replace("INSIDE", &inside.url("/"))
            .replace("OUTSIDE", &outside.display().to_string())
            .replace("PORT", &inside.address.port().to_string())
            .replace("NUMBERS", &numbers.join(","))
            .replace("LONG", &"x".repeat(300))
    };
    let of_steps = ATTACKS.iter().map(|(name, step)| {
        let secrets = if *name == "secret" { "secrets: [TOKEN]\n" } else { "" };
        let step = fill(step);
        let yaml =
            format!("canary: {name}\ntimeout: 5s\n{secrets}steps:\n  - step: s\n    {step}\n");
        (format!("{name}.yaml"), yaml)
    });
    let whole = WHOLE_FILES.iter().map(|(name, text)| ((*name).to_owned(), fill(text)));
    let environment = [("TOKEN".to_owned(), "PLANTED-TOKEN".to_owned())];
    let before = files(folder.path()).len();
    let repository = folder.path().join("repository");
    let allow = allowed.address.to_string();
    for (name, text) in of_steps.chain(whole) {
        let file = format!("canaries/{name}");
        write(&repository, &file, &text);
        let arguments = ["run", &file, "--trust", "pr", "--allow-net", &allow, "--verbose"];
        let ran = program(&repository, &arguments, &environment).await;
        let said = format!("{name}: {}{}", ran.out, ran.err);
        // A canary that asks for more time than there is gets what there is.
        let expected: &[i32] = if name == "limits.yaml" { &[0, 2] } else { &[1, 2, 3] };
        assert!(expected.contains(&ran.code), "{}: {said}", ran.code);
        assert!(!said.contains("PLANTED"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(inside.connections(), 0, "{said}");
        std::fs::remove_file(canaries.join(&name)).unwrap();
        // What runs leave stays in one folder.
        std::fs::remove_dir_all(repository.join("coalmine-artifacts")).ok();
        assert_eq!(files(folder.path()).len(), before, "{said}");
    }
    let told = heard.lock().unwrap().join("\n");
    assert!(!told.contains("PLANTED"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_does_not_keep_the_other_canaries_from_running() {
    let target = Target::http(|_head| answer("200 OK", "", b"fine")).await;
    let folder = tempfile::tempdir().unwrap();
    let step =
        |name: &str, url: &str| format!("canary: {name}\nsteps: [{{ step: a, http: '{url}' }}]\n");
    write(folder.path(), "canaries/bad.yaml", &step("bad", "http://10.0.0.1/"));
    write(folder.path(), "canaries/broken.yaml", "canary: broken\nstep: []\n");
    write(folder.path(), "canaries/good.yaml", &step("good", &target.url("/")));
    write(folder.path(), "coalmine.toml", "");
    let allow = target.address.to_string();
    let arguments = ["run", "canaries", "--trust", "pr", "--allow-net", &allow, "--report", "tap"];
    let ran = program(folder.path(), &arguments, &[]).await;
    assert!(ran.out.contains("ok") && ran.out.contains("good"), "{}", ran.out);
    assert_eq!(target.connections(), 1);
    assert!([2, 3].contains(&ran.code), "{}", ran.code);
}

/// T32: what a target says is never read as a template, a header or a request.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_says_stays_a_text() {
    let payloads: Vec<String> = payloads();
    let (said, heard) = (payloads.clone(), Arc::<Mutex<Vec<String>>>::default());
    let hears = Arc::clone(&heard);
    let target = Target::http(move |head| {
        let path = head.split(' ').nth(1).unwrap_or("/");
        if let Some(number) = path.strip_prefix("/say/") {
            let text = &said[number.parse::<usize>().unwrap()];
            return answer("200 OK", "", text.as_bytes());
        }
        hears.lock().unwrap().push(head.to_owned());
        answer("200 OK", "", b"")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<String> = (0..payloads.len()).map(|number| number.to_string()).collect();
    let mut yaml = format!("canary: hear\nmatrix: {{ n: [{}] }}\nsteps:\n", numbers.join(", "));
    let base = target.url("");
    // Writing to a String cannot fail.
    write!(
        yaml,
        "  - step: say\n    http: '{base}/say/{{{{ n }}}}'\n    capture: {{ p: {{ body: true }} \
         }}\n  \
         - step: body\n    http: {{ post: '{base}/body/{{{{ n }}}}', body: '{{{{ p }}}}' }}\n  \
         - step: path\n    http: '{base}/path/{{{{ n }}}}/{{{{ p }}}}?q={{{{ p }}}}'\n  \
         - step: header\n    http: {{ get: '{base}/header/{{{{ n }}}}', headers: {{ x-p: '{{{{ \
          p }}}}' }} }}\n"
    )
    .unwrap();
    write(folder.path(), "hear.yaml", &yaml);
    let environment = [("TOKEN".to_owned(), "PLANTED-TOKEN".to_owned())];
    let arguments = ["run", "hear.yaml", "--jobs", "1", "--report", "json"];
    let ran = program(folder.path(), &arguments, &environment).await;
    assert!(!ran.out.contains("panicked") && !ran.out.contains("PLANTED"), "{}", ran.err);
    let heard = heard.lock().unwrap();
    for (at, payload) in payloads.iter().enumerate() {
        let of = |kind: &str| {
            let start = format!("/{kind}/{at}");
            let is_it = |head: &&String| {
                head.split(' ')
                    .nth(1)
                    .is_some_and(|path| path == start || path.starts_with(&format!("{start}/")))
            };
            heard.iter().filter(is_it).collect::<Vec<_>>()
        };
        let bodies = of("body");
        assert_eq!(bodies.len(), 1, "{payload:?}");
        assert!(bodies[0].ends_with(&format!("\r\n\r\n{payload}")), "{payload:?}: {}", bodies[0]);
        assert!(of("path").len() <= 1, "{payload:?}");
        let has_line_end = payload.contains(['\r', '\n', '\0']);
        match of("header").as_slice() {
            [] => assert!(has_line_end || !payload.is_ascii(), "{payload:?} was not sent"),
            [head] => {
                assert!(!has_line_end, "{payload:?} was sent: {head}");
                assert_eq!(header(head, "x-p"), Some(payload.trim()), "{payload:?}");
            }
            _ => panic!("{payload:?} was sent twice"),
        }
    }
    for head in heard.iter() {
        let fields = head.split("\r\n\r\n").next().unwrap_or(head);
        assert!(header(fields, "injected").is_none(), "{head}");
        assert!(!head.contains("PLANTED"), "{head}");
    }
}

/// Fifty texts that would do harm where they are read as something else.
fn payloads() -> Vec<String> {
    let templates = [
        "{{ env.TOKEN }}",
        "{{env.TOKEN}}",
        "{{{ env.TOKEN }}}",
        "{{ '{{ env.TOKEN }}' }}",
        "{{ secret.TOKEN }}",
        "{{ n }}",
        "{{ 7 * 7 }}",
        "{{ p }}",
        "{% raw %}{{ n }}{% endraw %}",
        "{{ n | default('x') }}",
        "}} {{ env.TOKEN }}",
        "{{",
        "}}",
        "{{ env.TOKEN",
        "${env.TOKEN}",
        "${TOKEN}",
        "$TOKEN",
        "$(cat /etc/passwd)",
        "`id`",
        "#{7*7}",
        "<%= 7 * 7 %>",
        "[[${7*7}]]",
        "{{constructor.constructor('return 1')()}}",
        "${{ github.token }}",
        "%TOKEN%",
        "~{TOKEN}",
        "{{ env['TOKEN'] }}",
        "{{\u{a0}env.TOKEN }}",
        "\\{{ env.TOKEN }}",
        "&#123;&#123; n }}",
    ];
    let breaks = [
        "a\r\ninjected: 1",
        "a\ninjected: 1",
        "a\rinjected: 1",
        "a\r\n\r\nGET /smuggled HTTP/1.1",
        "a\0b",
        "a\r\n injected: 1",
        "\r\ninjected: 1",
        "a\n\ninjected: 1",
        "a%0d%0ainjected:%201",
        "a\u{2028}injected: 1",
        "a\u{85}injected: 1",
        "a\u{560a}injected: 1",
    ];
    let paths = [
        "../../etc/passwd",
        "a/../b",
        "..%2f..",
        "//other.example/",
        "a?x=1#f",
        "a b",
        "%00",
        "a&b=c",
    ];
    templates.iter().chain(&breaks).chain(&paths).map(|text| (*text).to_owned()).collect()
}
