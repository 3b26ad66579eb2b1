use serde_json::{Value, json};

use super::*;

const SCHEMA: &str = include_str!("../../verdict.schema.json");

fn sample() -> Value {
    let figures = json!({"lines": 3, "invoices": 2, "cancelled_lines": 1, "revenue": "-1.5"});
    let mut sales = figures.clone();
    sales["by_country"] = json!({"EIRE": figures});
    let stock = json!({"items": 2, "levels_digest": "0".repeat(64), "chain_digest": "f".repeat(64)});
    let model = json!({"new": 3, "redelivered": 0, "copy": 1, "late": 1, "conflict": 0, "applied_ahead": 0});
    json!({
        "verdict": "passed", "store": "embedded", "seed": 7, "ttl_seconds": 5.0, "seconds": 61.5,
        "rto_seconds": 6.25, "takeover_seconds": null, "post_takeover_acks": 0,
        "rpo": [{"log": "orders.eu-west-2@eu-west-2/3", "unreplicated_records": 12, "declared_seconds": 1.5,
                 "declared_records": 10, "lost_records": 0}],
        "invariants": [{"id": "F1", "statement": "one owner", "held": true, "checked": 8}],
        "faults": [{"kind": "pause", "at_line": 1200, "fired": true}],
        "stale_writes": [{"resource": "append", "attempted": 100, "refused": 99, "in_doubt": 1,
                          "reasons": {"stale": 98, "closed": 1}}],
        "deliveries": {"eu-west-2": {"sales": model}},
        "write_pause_ms": [{"scope": "orders.eu-west-2", "slice": "s10", "ms": 12.5}],
        "read_models": {"eu-west-2": {"sales": sales, "stock": stock}},
        "peak_memory_mb": {"eu-west-2": 120},
        "steps": [{"id": "take-ownership", "phase": "takeover", "seconds": 0.5, "outcome": "done"}],
    })
}

// The part of JSON Schema that the verdict's schema uses; an unknown keyword is a fault of its own.
fn faults(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        let good = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "properties" => true,
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
                faults(root, target, value, place, found);
                true
            }
            "enum" => rule.as_array().unwrap().contains(value),
            "type" => match rule {
                Value::Array(types) => types.iter().any(|name| is_type(value, name)),
                name => is_type(value, name),
            },
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                items.for_each(|(at, item)| faults(root, rule, item, &format!("{place}/{at}"), found));
                true
            }
            "additionalProperties" => members(root, schema, rule, value, place, found),
            // Patterns are held to in `plain` and in the types of logs and digests; here only that
            // they are given for text.
            "pattern" => value.is_string(),
            other => panic!("the schema uses {other}, which this test does not know"),
        };
        if !good {
            found.push(format!("{place}: {keyword}"));
        }
    }
}

fn members(root: &Value, schema: &Value, rule: &Value, value: &Value, place: &str, found: &mut Vec<String>) -> bool {
    let mut good = true;
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        match schema.get("properties").and_then(|properties| properties.get(name)) {
            Some(known) => faults(root, known, member, &place, found),
            None if rule.is_object() => faults(root, rule, member, &place, found),
            None => good = false,
        }
    }
    good
}

fn is_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the schema uses type {other}"),
    }
}

fn faults_of(value: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut found = Vec::new();
    faults(&schema, &schema, value, "", &mut found);
    found
}

#[test]
fn a_verdict_is_written_as_the_schema_lists() {
    let verdict: Verdict = serde_json::from_value(sample()).unwrap();
    let written = serde_json::to_value(&verdict).unwrap();
    assert_eq!(written, sample());
    assert_eq!(faults_of(&written), Vec::<String>::new());
}

#[test]
fn the_schema_lists_every_member_and_no_other() {
    // Taking any one member out of the sample, or adding one, is seen wherever it is.
    let spoils: [(&str, &str); 9] = [
        ("", "rpo"),
        ("/rpo/0", "lost_records"),
        ("/invariants/0", "checked"),
        ("/deliveries/eu-west-2/sales", "late"),
        ("/read_models/eu-west-2", "stock"),
        ("/read_models/eu-west-2/sales/by_country/EIRE", "revenue"),
        ("/write_pause_ms/0", "ms"),
        ("/steps/0", "outcome"),
        ("/stale_writes/0", "reasons"),
    ];
    for (place, member) in spoils {
        let mut missing = sample();
        missing.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(member);
        assert_eq!(faults_of(&missing), [format!("{place}: required")]);
        let mut more = sample();
        more.pointer_mut(place).unwrap()["another"] = json!(1);
        assert_eq!(faults_of(&more), [format!("{place}: additionalProperties")]);
    }
    let mut typed = sample();
    typed["seed"] = json!(1.5);
    assert_eq!(faults_of(&typed), ["/seed: type"]);
}

#[test]
fn each_judgement_has_its_exit_status() {
    let all = [Judgement::Passed, Judgement::Failed, Judgement::Inconclusive];
    assert_eq!(all.map(Judgement::exit_status), [0, 1, 3]);
}
