use serde_json::{Value, json};

use super::{EventPattern, InputTransformer, PatternSet, Variables};

fn matches(pattern: &Value, event: &Value) -> bool {
    EventPattern::parse(&pattern.to_string()).expect("a pattern").matches(event)
}

#[test]
fn operators_follow_the_reference() {
    let event = json!({
        "source": "aws.ec2",
        "detail": {
            "state": "Running", "count": 300.0, "on": true, "none": null, "empty": "",
            "ip": "10.1.2.3", "name": "Café", "tags": ["a", "b"], "list": [], "path": "dir/*.txt"
        }
    });
    for (leaf, expected) in [
        (json!({"state": ["Running"]}), true),
        (json!({"state": ["running"]}), false),
        (json!({"state": ["stopped", "Running"]}), true),
        (json!({"count": [300]}), true),
        (json!({"count": [3.0e2]}), true),
        (json!({"count": ["300"]}), false),
        (json!({"on": [true]}), true),
        (json!({"none": [null]}), true),
        (json!({"missing": [null]}), false),
        (json!({"empty": [""]}), true),
        (json!({"state": [{"prefix": "Run"}]}), true),
        (json!({"state": [{"suffix": "ing"}]}), true),
        (json!({"state": [{"prefix": {"equals-ignore-case": "rUN"}}]}), true),
        (json!({"state": [{"suffix": {"equals-ignore-case": "ING"}}]}), true),
        (json!({"name": [{"equals-ignore-case": "CAFÉ"}]}), true),
        (json!({"state": [{"wildcard": "R*n*g"}]}), true),
        (json!({"path": [{"wildcard": "dir/\\*.*"}]}), true),
        (json!({"state": [{"anything-but": "Running"}]}), false),
        (json!({"state": [{"anything-but": ["a", "b"]}]}), true),
        (json!({"missing": [{"anything-but": "a"}]}), false),
        (json!({"state": [{"anything-but": {"prefix": "Run"}}]}), false),
        (json!({"state": [{"anything-but": {"wildcard": ["*x*", "*unn*"]}}]}), false),
        (json!({"count": [{"anything-but": 300}]}), false),
        (json!({"tags": [{"anything-but": "a"}]}), true),
        (json!({"count": [{"numeric": [">", 0, "<=", 300]}]}), true),
        (json!({"count": [{"numeric": ["=", 299]}]}), false),
        (json!({"ip": [{"cidr": "10.0.0.0/8"}]}), true),
        (json!({"ip": [{"cidr": "10.2.0.0/16"}]}), false),
        (json!({"state": [{"exists": true}]}), true),
        (json!({"missing": [{"exists": false}]}), true),
        (json!({"list": [{"exists": false}]}), true),
        (json!({"tags": ["b"]}), true),
        (json!({"$or": [{"state": ["x"]}, {"count": [300]}]}), true),
        (json!({"$or": [{"state": ["x"]}, {"count": [1]}]}), false),
    ] {
        assert_eq!(matches(&json!({"detail": leaf}), &event), expected, "{leaf}");
    }
}

#[test]
fn conditions_on_one_array_hold_inside_one_element() {
    let exists = json!([{"exists": true}]);
    let absent = json!([{"exists": false}]);
    let both = json!({"d": {"a": exists, "b": exists}});
    let without = json!({"d": {"a": exists, "b": absent}});
    let tag = json!({"u": {"t": {"k": ["color"], "v": ["blue"]}}});
    for (pattern, event, expected) in [
        (&both, json!({"d": [{"a": 1, "b": 1}]}), true),
        (&both, json!({"d": [{"a": 1}, {"b": 1}]}), false),
        (&both, json!({"d": [{"a": 1}, {"b": 1}, {"a": 1, "b": 1}]}), true),
        (&tag, json!({"u": [{"t": [{"k": "color"}, {"v": "blue"}]}]}), false),
        (&tag, json!({"u": [{"t": [{"k": "color", "v": "blue"}]}]}), true),
        (&without, json!({"d": [{"a": 1}]}), true),
        (&without, json!({"d": [{"a": 1, "b": 1}]}), false),
        (&json!({"d": {"name": exists}}), json!({"d": {"name": []}}), false),
        (&json!({"d": {"name": exists}}), json!({"d": []}), false),
        (&json!({"d": {"name": absent}}), json!({"d": {"name": {"x": 1}}}), true),
        (
            &json!({"a": {"x": [1], "y": [4]}}),
            json!({"a": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}),
            false,
        ),
        (&json!({"t": ["x"], "c": ["y"]}), json!({"t": ["w", "x"], "c": ["y", "z"]}), true),
    ] {
        assert_eq!(matches(pattern, &event), expected, "{pattern} on {event}");
    }
}

#[test]
fn a_key_with_a_dot_is_the_same_as_a_path() {
    for pattern in [json!({"a.b": ["x"]}), json!({"a": {"b": ["x"]}})] {
        for event in [json!({"a": {"b": "x"}}), json!({"a.b": "x"})] {
            assert!(matches(&pattern, &event), "{pattern} on {event}");
        }
    }
}

#[test]
fn what_eventbridge_refuses_is_refused_with_a_reason() {
    for (pattern, reason) in [
        ("{}", "empty objects are not allowed"),
        ("{\"a\": []}", "empty arrays are not allowed"),
        ("{\"a\": \"x\"}", "\"a\" must be an object or an array"),
        ("{\"a\": [{\"foo\": 1}]}", "unrecognized match type foo"),
        (
            "{\"a\": [{\"prefix\": \"x\", \"suffix\": \"y\"}]}",
            "only one key is allowed in a match expression",
        ),
        ("{\"a\": [{\"wildcard\": \"a**b\"}]}", "consecutive wildcard characters are not allowed"),
        ("{\"a\": [{\"wildcard\": \"a\\\\b\"}]}", "invalid escape character in wildcard"),
        (
            "{\"a\": [{\"cidr\": \"10.0.0.0/32\"}]}",
            "cidr must be an address and a mask, such as 10.0.0.0/8",
        ),
        ("{\"a\": [{\"exists\": \"yes\"}]}", "exists must be true or false"),
        ("{", "not valid JSON at line 1, column 1"),
    ] {
        let error = EventPattern::parse(pattern).expect_err(pattern);
        assert_eq!(error.reason.to_string(), reason, "{pattern}");
    }
    for numeric in
        [json!(["<", 5, ">", 1]), json!([">", 5, "<", 1]), json!(["=", 1, "<", 2]), json!([])]
    {
        let pattern = json!({"a": [{"numeric": numeric}]}).to_string();
        assert!(EventPattern::parse(&pattern).is_err(), "{pattern}");
    }
    let choice = json!([{"x": [1]}, {"x": [2]}, {"x": [3]}, {"x": [4]}, {"x": [5]}]);
    let level = |name: &str| json!({name: {"$or": choice}});
    let mut wide = serde_json::Map::new();
    for name in ["a", "b", "c", "d", "e"] {
        wide.insert(name.to_owned(), level(name)[name].clone());
    }
    let error =
        EventPattern::parse(&Value::Object(wide).to_string()).expect_err("3125 combinations");
    assert_eq!(error.reason.to_string(), "the rule is too complex");
}

#[test]
fn a_set_finds_what_each_pattern_alone_would() {
    let patterns = [
        json!({"source": ["aws.ec2"]}),
        json!({"source": [{"prefix": "aws."}], "detail": {"n": [{"numeric": [">", 5]}]}}),
        json!({"detail": {"state": [{"suffix": "ing"}]}}),
        json!({"detail": {"state": [{"wildcard": "*unn*"}]}}),
        json!({"detail": {"gone": [{"exists": false}]}}),
        json!({"$or": [{"source": ["x"]}, {"detail": {"n": [7]}}]}),
        json!({"detail": {"state": [{"anything-but": "x"}]}}),
        json!({"detail": {"items": {"id": [2]}}}),
        json!({"detail.state": ["running"]}),
        json!({"detail": {"ip": ["::1"]}}),
    ];
    let parse = |pattern: &Value| EventPattern::parse(&pattern.to_string()).unwrap();
    let set: PatternSet<usize> = patterns.iter().map(parse).enumerate().collect();
    for event in [
        json!({"source": "aws.ec2", "detail": {"state": "running", "n": 7, "ip": "0::0:1"}}),
        json!({"source": "x", "detail": {"state": "x", "items": [{"id": 1}, {"id": 2}]}}),
        json!({"source": ["aws.s3", "aws.ec2"], "detail": {}}),
        json!({"detail.state": "running"}),
        json!({}),
    ] {
        let alone: Vec<usize> =
            (0..patterns.len()).filter(|i| matches(&patterns[*i], &event)).collect();
        let together: Vec<usize> = set.matching(&event).into_iter().copied().collect();
        assert_eq!(together, alone, "{event}");
    }
}

#[test]
fn a_transformer_fills_its_template() {
    let event = json!({"detail": {"instance": "i-1", "n": 3, "list": ["a", "b"]}, "id": "e"});
    let variables =
        Variables { rule_arn: "arn:r", rule_name: "r", ingestion_time: "2026-01-01T00:00:00Z" };
    let paths = [
        ("instance", "$.detail.instance"),
        ("n", "$.detail.n"),
        ("second", "$.detail.list[1]"),
        ("gone", "$.detail.gone"),
    ];
    for (template, expected) in [
        ("{\"i\": <instance>, \"n\": <n>}", "{\"i\": \"i-1\", \"n\": 3}"),
        ("\"instance <instance> has <n><gone>\"", "\"instance i-1 has 3\""),
        ("{\"x\": <second>}", "{\"x\": \"b\"}"),
        ("\"<aws.events.rule-name>: 1 < 2\"", "\"r: 1 < 2\""),
        ("<aws.events.event>", "{\"id\":\"e\"}"),
    ] {
        let transformer = InputTransformer::parse(paths, template).unwrap();
        assert_eq!(transformer.apply(&event, &variables), expected, "{template}");
    }
    let unknown = InputTransformer::parse([], "<nope>").unwrap_err();
    assert_eq!(unknown.to_string(), "the template's placeholder nope is not defined");
}
