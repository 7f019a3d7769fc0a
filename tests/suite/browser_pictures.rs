//! Pictures of pages in a real Chromium: the same page gives the same bytes.

use coalmine::canary::secret::{Redactor, SecretText};
use coalmine::runner::browser::{
    FieldText, Observable, Selector, Shot, ShotExtent, ShotRequest, har,
};
use coalmine::visual::{Rect, size_of};
use serde_json::{Value, json};

use crate::browser_pages::{limit, run, showing};

const LIVELY: &str = "<style>\
    @keyframes spin { to { transform: rotate(360deg) } } @keyframes in { from { opacity: 0 } }\
    #dot { width: 40px; height: 40px; background: teal; animation: spin 1s infinite linear }\
    #fade { animation: in 20s } input { caret-color: red }</style>\
    <h1 id=fade>Shop</h1><div id=dot></div><input autofocus value=x><p class=clock></p>\
    <script>document.querySelector('.clock').textContent = performance.now()</script>";

fn size(shot: &Shot) -> (u32, u32) {
    let size = size_of(&shot.png).expect("a shot is a picture");
    (size.width, size.height)
}

#[test]
fn a_lively_page_gives_the_same_bytes_in_every_run() {
    run(async {
        let mut shots = Vec::new();
        for _run in 0..2 {
            let (mut page, _site) = showing(LIVELY).await;
            let clock = "document.querySelector('.clock').textContent = 'noon'";
            page.evaluate(clock, limit()).await.unwrap();
            shots.push(page.shot(&ShotRequest::default(), limit()).await.unwrap());
        }
        let (one, two) = (&shots[0], &shots[1]);
        assert_eq!(one.unsteady, Vec::<String>::new());
        assert_eq!(size(one), (1280, 720));
        assert!(one.png == two.png, "{} and {} bytes", one.png.len(), two.png.len());
        assert_eq!(one.environment, two.environment);
        assert_eq!(one.environment.browser, "chromium");
        assert!(one.environment.browser_major > 100);
    });
}

#[test]
fn a_page_goes_on_after_its_picture() {
    run(async {
        let (mut page, _site) = showing(LIVELY).await;
        page.shot(&ShotRequest::default(), limit()).await.unwrap();
        let ask = "return document.getAnimations().filter(a => a.playState === 'running').length \
                   + '/' + document.querySelectorAll('style').length";
        assert_eq!(page.evaluate(ask, limit()).await.unwrap(), json!("1/1"));
    });
}

#[test]
fn what_never_holds_still_is_named() {
    run(async {
        let (mut page, _site) = showing(
            "<div id=runner style='position:absolute;width:9px;height:9px;background:red'></div>\
             <script>let x = 0; setInterval(() => { runner.style.left = (x += 3) + 'px' }, 5)\
             </script>",
        )
        .await;
        let shot = page.shot(&ShotRequest::default(), limit()).await.unwrap();
        assert_eq!(shot.unsteady, ["<div id=\"runner\">"]);
    });
}

#[test]
fn an_element_is_cut_out_and_masks_lie_in_its_own_pixels() {
    run(async {
        let (mut page, _site) = showing(
            "<body style='margin:0'><div style='height:2000px'></div>\
             <div id=card style='margin-left:10.5px;width:200px;height:100px;background:#eee'>\
             <b class=price style='position:relative;left:20px;top:30px;display:block;\
             width:50px;height:10px'>9.99</b></div>",
        )
        .await;
        let request = ShotRequest {
            extent: ShotExtent::Element(Selector::css("#card")),
            ignore: vec![Selector::css(".price")],
            ignore_rectangles: vec![[0, 90, 500, 20]],
        };
        let shot = page.shot(&request, limit()).await.unwrap();
        assert_eq!(size(&shot), (201, 100));
        let rect = |x, y, width, height| Rect { x, y, width, height };
        assert_eq!(shot.ignore, [rect(20, 30, 51, 10), rect(0, 90, 201, 10)]);
        let sidecar: Value = serde_json::from_slice(&shot.sidecar).unwrap();
        let text = &sidecar["texts"][0];
        assert_eq!(text["text"], json!("9.99"));
        assert_eq!((&text["box"][0], &text["box"][1]), (&json!(20.5), &json!(30.0)));
        assert_eq!(text["looks"]["font_weight"], json!("700"));
        assert_eq!(sidecar["size"], json!([201.0, 100.0]));
    });
}

#[test]
fn a_whole_page_is_one_picture_even_where_the_browser_draws_no_further() {
    for (height, expected) in [("3000px", 3000), ("17000px", 17_000)] {
        let body = format!(
            "<body style='margin:0'><div style='height:{height};background:linear-gradient(\
             red,blue)'></div>"
        );
        run(async {
            let (mut page, _site) = showing(Box::leak(body.into_boxed_str())).await;
            let request = ShotRequest { extent: ShotExtent::FullPage, ..Default::default() };
            let shot = page.shot(&request, limit()).await.unwrap();
            let picture = image::load_from_memory(&shot.png).unwrap().to_rgb8();
            assert_eq!(picture.dimensions(), (1280, expected));
            let bottom = picture.get_pixel(640, expected - 2).0;
            assert!(bottom[2] > 250 && bottom[0] < 5, "{bottom:?}");
        });
    }
}

#[test]
fn a_secret_is_covered_in_pictures_and_written_in_no_sidecar() {
    run(async {
        let form = "<style>body{margin:0}input{font:20px monospace;width:300px;height:30px;\
                    border:0;padding:0}</style><input id=a><script>\
                    fetch('/?q=1', {headers: {authorization: 'x'}})</script>";
        let mut shots = Vec::new();
        for secret in ["hunter2 hunter2", "swordfish"] {
            let (mut page, _site) = showing(form).await;
            let text = FieldText::Secret(SecretText::new(secret));
            page.fill(&Selector::css("#a"), &text, limit()).await.unwrap();
            let value = page.observe(&Observable::Value(Selector::css("#a")), limit()).await;
            assert_eq!(value.unwrap(), Some(json!(secret)));
            let shot = page.shot(&ShotRequest::default(), limit()).await.unwrap();
            assert!(!String::from_utf8_lossy(&shot.sidecar).contains(secret));
            assert!(page.failure_shot(limit().step).await.is_some());
            let archive = har(page.exchanges(), &Redactor::default());
            assert_eq!(archive["log"]["entries"][1]["request"]["method"], json!("GET"));
            assert!(!archive.to_string().contains("\"value\":\"x\""));
            shots.push(shot.png);
        }
        assert!(shots[0] == shots[1], "the picture depends on the secret");
    });
}

#[test]
fn a_page_is_measured_once_and_its_traffic_is_counted() {
    run(async {
        let (mut page, _site) = showing(
            "<h1>Hello</h1><script>setTimeout(() => console.error('late', 7), 0); \
             setTimeout(() => { throw new Error('boom') }, 0)</script>",
        )
        .await;
        let names = |measures: Vec<coalmine::canary::report::Measure>| -> Vec<String> {
            measures.iter().map(|measure| measure.name.to_string()).collect()
        };
        let first = names(page.measures(limit().step).await.unwrap());
        for name in ["TimeToFirstByte", "FirstContentfulPaint", "CumulativeLayoutShift"] {
            assert!(first.iter().any(|found| found == name), "{name} in {first:?}");
        }
        assert!(first.contains(&"TransferredBytes".to_owned()), "{first:?}");
        assert_eq!(names(page.measures(limit().step).await.unwrap()), Vec::<String>::new());
        let console = page.observe(&Observable::Console, limit()).await.unwrap().unwrap();
        let lines: Vec<&str> =
            console.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(lines, ["error: late 7", "error: Error: boom"]);
        page.wait_network_idle(limit()).await.unwrap();
    });
}
