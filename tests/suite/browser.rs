//! Page actions in a real Chromium, against pages on loopback.

use coalmine::canary::report::Verdict;
use coalmine::runner::browser::{FieldText, Observable, PageFault, SelectBy, Selector};
use serde_json::json;

use crate::browser_pages::{Site, limit, run, session, short, showing};

fn css(selector: &str) -> Selector {
    Selector::css(selector)
}

fn text(words: &str) -> Selector {
    Selector { by: SelectBy::Text(words.to_owned()), nth: None }
}

fn role(role: &str, name: &str) -> Selector {
    let by = SelectBy::Role { role: role.to_owned(), name: Some(name.to_owned()) };
    Selector { by, nth: None }
}

fn label(words: &str) -> Selector {
    Selector { by: SelectBy::Label(words.to_owned()), nth: None }
}

const FORM: &str = r#"<!doctype html><title>Form</title>
<label>Name <input id=name value=old></label>
<label for=day>Day</label><input id=day type=date>
<select id=colour aria-label=Colour><option value=r>Red</option>
  <option value=b>Blue</option></select>
<label><input id=terms type=checkbox> I agree</label>
<textarea placeholder="Your message"></textarea>
<button onclick="document.title = [...document.querySelectorAll('input,select,textarea')]
  .map(e => e.type === 'checkbox' ? e.checked : e.value).join('|')">Send it</button>
<script>name.oninput = () => 0; document.querySelector('#name').oninput =
  e => document.body.dataset.typed = e.target.value</script>"#;

#[test]
fn a_form_is_filled_and_sent_as_a_visitor_would() {
    run(async {
        let (mut page, _site) = showing(FORM).await;
        let plain = |text: &str| FieldText::Plain(text.to_owned());
        page.fill(&label("Name"), &plain("Ann ä😀"), limit()).await.unwrap();
        page.fill(&label("Day"), &plain("2026-11-24"), limit()).await.unwrap();
        page.select(&role("combobox", "Colour"), &["Blue".to_owned()], limit()).await.unwrap();
        page.check(&label("I agree"), true, limit()).await.unwrap();
        page.fill(&css("textarea"), &plain("line 1\nline 2"), limit()).await.unwrap();
        page.click(&role("button", "send it"), limit()).await.unwrap();
        let title = page.observe(&Observable::Title, limit()).await.unwrap();
        let expected = "Ann ä😀|2026-11-24|b|true|line 1 line 2";
        assert_eq!(title, Some(json!(expected)));
        let typed = Observable::Attribute(css("body"), "data-typed".to_owned());
        assert_eq!(page.observe(&typed, limit()).await.unwrap(), Some(json!("Ann ä😀")));
    });
}

#[test]
fn filling_with_nothing_empties_a_field() {
    run(async {
        let (mut page, _site) = showing(FORM).await;
        page.fill(&css("#name"), &FieldText::Plain(String::new()), limit()).await.unwrap();
        let value = page.observe(&Observable::Value(css("#name")), limit()).await.unwrap();
        assert_eq!(value, Some(json!("")));
    });
}

#[test]
fn keys_and_chords_reach_the_focused_element() {
    run(async {
        let (mut page, _site) = showing(
            "<input id=q autofocus><script>q.onkeydown = e => document.title += \
             (e.ctrlKey && e.key !== 'Control' ? 'C-' : '') + e.key + ','</script>",
        )
        .await;
        page.press(Some(&css("#q")), "Enter", limit()).await.unwrap();
        page.press(None, "Control+a", limit()).await.unwrap();
        let title = page.observe(&Observable::Title, limit()).await.unwrap();
        assert_eq!(title, Some(json!("Enter,Control,C-a,")));
        let fault = page.press(None, "Entr", limit()).await.unwrap_err();
        assert_eq!(
            (fault.to_string().as_str(), fault.verdict()),
            ("\"Entr\" is no key", Verdict::Canary)
        );
    });
}

#[test]
fn an_element_that_comes_late_is_waited_for() {
    run(async {
        let (mut page, _site) = showing(
            "<p id=out></p><script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', \
             '<button onclick=\"out.textContent = 1\">Late</button>'), 400)</script>",
        )
        .await;
        page.click(&text("Late"), limit()).await.unwrap();
        let out = page.observe(&Observable::Text(css("#out")), limit()).await.unwrap();
        assert_eq!(out, Some(json!("1")));
    });
}

#[test]
fn what_stands_in_the_way_is_named() {
    let body = "<style>#veil{position:fixed;inset:0}#run{animation:m 1s infinite}\
        @keyframes m{to{margin-left:200px}}</style>\
        <button id=off disabled>Off</button><button id=gone style='display:none'>Gone</button>\
        <button id=under>Under</button><button id=run>Run</button><div id=veil></div>";
    for (selector, obstacle) in [
        ("#off", "visible, enabled, still and uncovered, but it is disabled"),
        ("#gone", "but it is not visible"),
        ("#under", "but it is covered by <div id=\"veil\">"),
        ("#run", "but it is moving"),
        ("#none", "but no element matches"),
    ] {
        run(async {
            let (mut page, _site) = showing(Box::leak(body.to_owned().into_boxed_str())).await;
            let fault = page.click(&css(selector), short()).await.unwrap_err();
            let message = fault.to_string();
            assert!(message.contains(obstacle), "{selector}: {message}");
            assert!(message.starts_with("waited "), "{message}");
            assert_eq!(fault.verdict(), Verdict::Target);
        });
    }
}

#[test]
fn two_matches_are_a_fault_that_shows_both() {
    run(async {
        let (mut page, _site) =
            showing("<button id=a>Buy lamp</button><button id=b>Buy desk</button>").await;
        let fault = page.click(&role("button", "buy"), limit()).await.unwrap_err();
        let PageFault::Ambiguous { total: 2, matches, .. } = &fault else { panic!("{fault:?}") };
        let expected = ["<button id=\"a\">Buy lamp</button>", "<button id=\"b\">Buy desk</button>"];
        assert_eq!(matches, &expected);
        let second = Selector { nth: Some(1), ..role("button", "buy") };
        page.click(&second, limit()).await.unwrap();
        page.click(&role("button", "Buy lamp"), limit()).await.unwrap();
    });
}

#[test]
fn a_selector_that_does_not_parse_is_the_canarys_fault() {
    run(async {
        let (mut page, _site) = showing("<p>x").await;
        let fault = page.click(&css("p["), limit()).await.unwrap_err();
        assert_eq!(fault.verdict(), Verdict::Canary, "{fault}");
        let fault = page.observe(&Observable::Count(css("p[")), limit()).await.unwrap_err();
        assert_eq!(fault.verdict(), Verdict::Canary, "{fault}");
    });
}

#[test]
fn runs_share_a_browser_and_see_nothing_of_each_other() {
    run(async {
        let site = Site::with(&[("/", "<title>home</title>")]).await;
        let keep = "localStorage.setItem('k', 'v'); document.cookie = 'c=1'; return 1";
        let look = "return document.cookie + localStorage.getItem('k')";
        let (mut one, mut two) = (session().await, session().await);
        one.open(&site.url("/"), limit()).await.unwrap();
        two.open(&site.url("/"), limit()).await.unwrap();
        one.evaluate(keep, limit()).await.unwrap();
        assert_eq!(one.evaluate(look, limit()).await.unwrap(), json!("c=1v"));
        assert_eq!(two.evaluate(look, limit()).await.unwrap(), json!("null"));
        drop(one);
        let mut three = session().await;
        three.open(&site.url("/"), limit()).await.unwrap();
        assert_eq!(three.evaluate(look, limit()).await.unwrap(), json!("null"));
    });
}

#[test]
fn a_dialog_is_answered_or_dismissed_and_never_hangs_a_run() {
    run(async {
        let (mut page, _site) = showing(
            "<button id=ask onclick=\"document.title = prompt('Who?')\">Ask</button>\
             <button id=tell onclick=\"alert('Hello'); document.title = 'told'\">Tell</button>",
        )
        .await;
        page.click(&css("#ask"), limit()).await.unwrap();
        page.answer_dialog(true, Some("Ann"), limit()).await.unwrap();
        assert_eq!(page.observe(&Observable::Title, limit()).await.unwrap(), Some(json!("Ann")));
        page.click(&css("#tell"), limit()).await.unwrap();
        assert_eq!(page.observe(&Observable::Title, limit()).await.unwrap(), Some(json!("told")));
        let fault = page.answer_dialog(true, None, short()).await.unwrap_err();
        assert!(fault.to_string().contains("for a dialog, but none opened"), "{fault}");
    });
}

#[test]
fn frames_and_shadow_roots_are_worked_in() {
    run(async {
        let (mut page, _site) = showing(
            "<iframe srcdoc='<button onclick=\"this.textContent = 9\">In</button>'></iframe>\
             <div id=host></div><script>host.attachShadow({mode:'open'}).innerHTML = \
             '<button class=deep onclick=\"document.title = 7\">Deep</button>'</script>",
        )
        .await;
        page.click(&css(".deep"), limit()).await.unwrap();
        assert_eq!(page.observe(&Observable::Title, limit()).await.unwrap(), Some(json!("7")));
        page.enter_frame(Some(&css("iframe")), limit()).await.unwrap();
        page.click(&text("In"), limit()).await.unwrap();
        let inside = page.observe(&Observable::Text(css("button")), limit()).await.unwrap();
        assert_eq!(inside, Some(json!("9")));
        page.enter_frame(None, limit()).await.unwrap();
        let frames = page.observe(&Observable::Count(css("iframe")), limit()).await.unwrap();
        assert_eq!(frames, Some(json!(1)));
    });
}

#[test]
fn a_site_that_is_not_there_is_no_answer() {
    run(async {
        let mut page = session().await;
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", closed.local_addr().unwrap());
        drop(closed);
        for url in [url.as_str(), "http://127.0.0.1:1/"] {
            let fault = page.open(url, limit()).await.unwrap_err();
            assert!(fault.to_string().contains("net::ERR_"), "{fault}");
            assert_eq!(fault.verdict(), Verdict::NoAnswer);
        }
    });
}

#[test]
fn a_page_whose_script_never_ends_is_given_up_in_time() {
    run(async {
        let (mut page, site) =
            showing("<button onclick='for (;;) {}'>Spin</button><p id=x>x").await;
        drop(page.click(&text("Spin"), short()).await);
        let fault = page.click(&css("#x"), short()).await.unwrap_err();
        assert_eq!(fault.verdict(), Verdict::NoAnswer, "{fault:?}");
        drop(page);
        let mut next = session().await;
        next.open(&site.url("/"), limit()).await.unwrap();
    });
}
