use super::*;

#[test]
fn a_failure_is_certain_only_if_nothing_was_done() {
    let no = || Err::<u8, _>(Failure::NotApplied(Error::retry("no", "")));
    assert_eq!(as_one(vec![Ok(1), Ok(2)]).unwrap(), [1, 2]);
    assert!(matches!(as_one(vec![no(), no()]), Err(Failure::NotApplied(_))));
    assert!(matches!(as_one(vec![no(), Ok(1)]), Err(Failure::InDoubt(_))));
    assert!(matches!(as_one(vec![Ok(1), no()]), Err(Failure::InDoubt(_))));
    let doubt = || Err(Failure::in_doubt("maybe", ""));
    assert!(matches!(as_one(vec![no(), doubt()]), Err(Failure::InDoubt(_))));
    assert!(as_one::<u8>(Vec::new()).unwrap().is_empty());
}
