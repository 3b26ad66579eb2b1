use proptest::prelude::*;

use super::*;

fn step(id: &str, phase: u32) -> Step {
    Step::new(StepId::new(id).unwrap(), phase, "act")
}

fn refusal(steps: Vec<Step>) -> String {
    Plan::new("kind", "subject", steps).unwrap_err().to_string()
}

#[test]
fn a_plan_names_the_step_and_the_rule_that_it_breaks() {
    assert!(refusal(Vec::new()).contains("1 to 256 steps"));
    assert!(refusal(vec![step("a", 1), step("a", 1)]).contains("step a: the id occurs twice"));
    assert!(refusal(vec![step("a", 2), step("b", 1)]).contains("step b: phase 1 after 2"));
    assert!(refusal(vec![step("a.undo", 1)]).contains("`.undo`"));
    assert!(refusal(vec![step("a", 1).with_deadline(Duration::ZERO)]).contains("a deadline is"));
    assert!(refusal(vec![step("a", 1).with_deadline(Duration::from_micros(1_500))]).contains("a deadline is"));
    assert!(refusal(vec![step("a", 1).with_poll(Duration::from_secs(61))]).contains("between probes"));
    assert!(refusal(vec![step("a", 1).irreversible().with_compensation("undo")]).contains("irreversible"));
    let large = serde_json::json!("x".repeat(PLAN_MAX_BYTES));
    assert!(refusal(vec![step("a", 1).with_arguments(large)]).contains("at most 262144"));
    let steps = (0..=STEPS_MAX).map(|place| step(&format!("s{place}"), 1)).collect();
    assert!(refusal(steps).contains("1 to 256 steps"));
}

#[test]
fn a_plan_that_is_read_keeps_its_bounds_and_has_no_unknown_parts() {
    let json = Plan::new("kind", "subject", vec![step("a", 1)]).unwrap().to_json();
    let twice = json.replacen("\"deadline_ms\":60000", "\"deadline_ms\":0", 1);
    assert!(serde_json::from_str::<Plan>(&twice).unwrap_err().to_string().contains("a deadline is"));
    let unknown = json.replacen("\"phase\"", "\"approval\":true,\"phase\"", 1);
    assert!(serde_json::from_str::<Plan>(&unknown).unwrap_err().to_string().contains("unknown field"));
}

fn arguments() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(|float| serde_json::json!(float)),
        ".{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map(".{0,5}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    // What a plan accepts comes back from the journal with the same digest.
    #[test]
    fn an_accepted_plan_reads_back_with_its_digest(arguments in arguments(), phase in any::<u32>()) {
        let step = step("a", phase).with_arguments(arguments);
        if let Ok(plan) = Plan::new("kind", "subject", vec![step]) {
            let again: Plan = serde_json::from_str(&plan.to_json()).unwrap();
            prop_assert_eq!(again.digest(), plan.digest());
        }
    }
}
