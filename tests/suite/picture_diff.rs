//! `coalmine diff`, called as a user calls it.

use std::path::Path;

use crate::golden;
use crate::picture_drawing::Page;
use crate::program::{Finished, run_in};

fn page() -> Page {
    Page::with_text(240, 200)
}

fn recoloured() -> Page {
    let mut page = page();
    page.fill([20, 100, 30, 30], [220, 38, 38]);
    page
}

/// A folder with pictures: the approved ones under `old`, those taken now under `new`.
fn folder(old: &[(&str, Vec<u8>)], new: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (side, files) in [("old", old), ("new", new)] {
        for (name, bytes) in files {
            let path = folder.path().join(side).join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    folder
}

fn diff(folder: &Path, arguments: &[&str]) -> Finished {
    run_in(folder, &[&["diff"], arguments].concat())
}

#[test]
fn a_pair_ends_with_0_1_or_2() {
    let moved = page().pushed_down(30, 5, [255; 3]);
    let old = [("a.png", page().png())];
    let new = [
        ("same.png", page().png()),
        ("red.png", recoloured().png()),
        ("moved.png", moved.png()),
        ("broken.png", b"broken".to_vec()),
    ];
    let folder = folder(&old, &new);
    for (name, code) in [("same", 0), ("red", 1), ("moved", 1), ("broken", 2), ("absent", 2)] {
        let finished = diff(folder.path(), &["old/a.png", &format!("new/{name}.png")]);
        assert_eq!(finished.code, code, "{name}: {}{}", finished.out, finished.err);
    }
    let masked = diff(folder.path(), &["old/a.png", "new/red.png", "--mask", "18,98,40,40"]);
    assert_eq!((masked.code, masked.out.as_str()), (0, "red.png: same\n"));
    let unwritable = diff(folder.path(), &["old/a.png", "new/red.png", "--out", "old/a.png/x.png"]);
    assert_eq!(unwritable.code, 4, "{}", unwritable.err);
}

#[test]
fn folders_are_compared_name_by_name() {
    let broken = b"broken".to_vec();
    let old = [
        ("deep/er/same.png", page().png()),
        ("gone.png", page().png()),
        ("red.png", page().png()),
        ("broken.png", page().png()),
    ];
    let new = [
        ("deep/er/same.png", page().png()),
        ("come.png", page().png()),
        ("red.png", recoloured().png()),
        ("broken.png", broken),
        ("notes.txt", Vec::new()),
    ];
    let folder = folder(&old, &new);
    let finished = diff(folder.path(), &["old", "new"]);
    assert_eq!(finished.code, 2, "an unusable picture weighs most");
    golden::check("tests/ui/cli/diff-folders.txt", &finished.out);
    assert_eq!(diff(folder.path(), &["old", "new/red.png"]).code, 2);
}

#[test]
fn a_result_is_one_json_object() {
    let old = [("a.png", page().png())];
    let folder = folder(&old, &[("b.png", page().pushed_down(24, 30, [253, 230, 138]).png())]);
    let finished = diff(folder.path(), &["old/a.png", "new/b.png", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&finished.out).unwrap();
    let pretty = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
    golden::check("tests/ui/cli/diff.json", &pretty);
}

#[test]
fn a_sidecar_names_the_element_and_the_text() {
    let sidecar = |text: &str| {
        let run = r##""box": [20, 100, 30, 30], "owner": "#total""##;
        format!(r##"{{"version": 1, "size": [240, 200], "texts": [{{"text": "{text}", {run}}}]}}"##)
            .into_bytes()
    };
    let old = [("a.png", page().png()), ("a.dom.json", sidecar("3.50"))];
    let new = [("a.png", recoloured().png()), ("a.dom.json", sidecar("8.50"))];
    let folder = folder(&old, &new);
    let finished = diff(folder.path(), &["old/a.png", "new/a.png"]);
    assert!(finished.out.contains("#total: \"3.50\" -> \"8.50\""), "{}", finished.out);
    assert!(finished.out.contains("30x30 at 20,100  #total"), "{}", finished.out);
}

#[test]
fn the_report_is_one_file_that_loads_nothing_and_hides_no_markup() {
    let old = [("a<b>.png", page().png())];
    let folder = folder(&old, &[("a<b>.png", recoloured().png())]);
    let finished = diff(folder.path(), &["old", "new", "--html", "out/report.html"]);
    assert_eq!(finished.code, 1);
    let html = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(html.contains("a&lt;b&gt;.png") && !html.contains("a<b>"));
    for outside in ["src=\"http", "href=\"http", "url(http", "@import", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn the_difference_is_written_as_a_picture() {
    let old = [("a.png", page().png())];
    let folder = folder(&old, &[("a.png", recoloured().png())]);
    diff(folder.path(), &["old/a.png", "new/a.png", "--out", "d.png"]);
    let drawn = image::open(folder.path().join("d.png")).unwrap().into_rgb8();
    assert_eq!(drawn.dimensions(), (240, 200));
    assert_eq!(drawn.get_pixel(30, 110).0, [255, 0, 96]);
}
