//! `coalmine import`: what is written, read as a person would, and run against the demo shop.

use crate::golden;
use crate::program::{Finished, Server, coalmine};

/// Kind, source, what becomes of it, and where the shop has what the source asks for.
const IMPORTS: &[(&str, &str, &str, &str)] = &[
    ("har", "tests/ui/import/shop.har", "tests/ui/import/har.txt", ""),
    ("curl", "tests/ui/import/shop.curl", "tests/ui/import/curl.txt", ""),
    ("openapi", "tests/ui/import/shop.openapi", "tests/ui/import/openapi.txt", "/api"),
    ("postman", "tests/ui/import/shop.postman", "tests/ui/import/postman.txt", ""),
    ("recorder", "tests/ui/import/shop.recorder", "tests/ui/import/recorder.txt", ""),
];

fn path(of_project: &str) -> String {
    format!("{}/{of_project}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn each_import_reads_as_a_person_would_have_written_it_and_passes_when_run() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Server::start(coalmine(folder.path(), &["demo", "--listen", "0"]));
    for (kind, source, golden, base) in IMPORTS {
        let arguments = ["import", kind, &path(source), "--name", kind, "--verify"];
        let imported = coalmine(folder.path(), &arguments)
            .env("BASE_URL", format!("{}{base}", shop.ready_text("url")))
            .envs([("PASSWORD", "lamplight"), ("SHOP_PASSWORD", "lamplight")])
            .output();
        let imported = Finished::from(imported.unwrap());
        assert_eq!(imported.code, 0, "{kind}: {}{}", imported.out, imported.err);
        let file = folder.path().join(format!("canaries/{kind}.yaml"));
        let written = std::fs::read_to_string(file).unwrap();
        golden::check(golden, &written);
        assert!(!written.contains("lamplight"), "{written}");
    }
    let checked = coalmine(folder.path(), &["check", "--deny-warnings"]).output().unwrap();
    let checked = Finished::from(checked);
    assert_eq!(checked.err, "5 canaries in 5 files: all fine\n");
}

#[test]
fn an_import_overwrites_nothing_and_says_what_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let import = |arguments: &[&str]| -> Finished {
        coalmine(folder.path(), &[&["import"], arguments].concat()).output().unwrap().into()
    };
    let written = import(&["har", &path("tests/ui/import/shop.har")]);
    assert_eq!(written.out, "canaries/shop-test.yaml\n", "{}", written.err);
    assert!(written.err.contains("give it its secrets: PASSWORD"), "{}", written.err);
    let again = import(&["har", &path("tests/ui/import/shop.har")]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("exists and is left alone"), "{}", again.err);
    let shown = import(&["har", &path("tests/ui/import/shop.har"), "--output", "-"]);
    assert!(shown.out.starts_with("# From an HTTP archive: 6 of 10 requests."), "{}", shown.out);
    let wrong = import(&["har", &path("tests/ui/import/shop.curl")]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("this is no HAR file: expected value at line 1"), "{}", wrong.err);
}
