use super::*;
use crate::error::ErrorKind;

const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

fn pencil(hash: Hash) -> Scram {
    Scram::with_nonce(hash, "user", "pencil", CLIENT_NONCE.to_owned())
}

// RFC 7677, section 3.
#[test]
fn sha_256_as_in_its_rfc() {
    let scram = pencil(Hash::Sha256);
    assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let (last, proof) = scram.last(SERVER_FIRST.as_bytes()).unwrap();
    assert_eq!(
        last,
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    assert_eq!(proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
}

// No RFC has one: computed with Python's hashlib and hmac from the same nonces and salt.
#[test]
fn sha_512_as_another_program_computes_it() {
    let (last, proof) = pencil(Hash::Sha512).last(SERVER_FIRST.as_bytes()).unwrap();
    assert!(
        last.ends_with(",p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==")
    );
    let right = b"v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==";
    assert_eq!(proof.check(right), Ok(()));
}

#[test]
fn names_are_escaped_and_letters_of_any_language_are_bytes() {
    let scram = Scram::with_nonce(Hash::Sha256, "a,b=c", "p\u{e4}ssword", "nonce".to_owned());
    assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=nonce");
    let (last, proof) = scram.last(b"r=noncemore,s=c2FsdHk=,i=8192").unwrap();
    assert_eq!(last, "c=biws,r=noncemore,p=HbBmz1qsBOfgenUP5UhC8MLR5gvVQVkQY32nOWcWO4A=");
    assert_eq!(proof.check(b"v=Ncr0Vc84GmU7F5wfvfS5Qa/ZZuFbNqM1olZNAEHUUWM="), Ok(()));
}

#[test]
fn a_broker_that_does_not_know_the_password_is_refused() {
    let (_, proof) = pencil(Hash::Sha256).last(SERVER_FIRST.as_bytes()).unwrap();
    for forged in ["v=", "v=AAAA", "", "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=6rriTRBi23WpRR/wtup+mMhU"] {
        let error = proof.check(forged.as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "broker-not-authenticated"), "{forged}");
    }
    assert_eq!(proof.check(b"e=invalid-proof").unwrap_err().code(), "not-authenticated");
}

#[test]
fn a_challenge_that_is_not_safe_is_not_followed() {
    let good = "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=";
    for wrong in [
        "",
        "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096",
        &format!("{good}4095"),
        &format!("{good}131073"),
        &format!("{good}4294967296"),
        &format!("{good}-1"),
    ] {
        let error = pencil(Hash::Sha256).last(wrong.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "strange-challenge"), "{wrong}");
    }
    assert!(pencil(Hash::Sha256).last(&[0xff, 0xfe]).is_err());
}

proptest::proptest! {
    #[test]
    fn no_challenge_of_any_bytes_panics(bytes: Vec<u8>) {
        let _ = pencil(Hash::Sha512).last(&bytes);
        let _ = Proof(vec![1; 64]).check(&bytes);
    }
}
