//! Codes and what they mean.

use super::*;

#[test]
fn rows_are_sorted_and_only_certain_codes_stop_without_doubt() {
    assert!(ROWS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    for (code, kind) in [(47, Fenced), (90, Fenced), (10, Invalid), (3, Invalid), (87, Corrupt), (2, Corrupt)] {
        let refusal = Refusal::check(code, None).unwrap_err();
        assert_eq!(refusal.error("here").kind(), kind, "{code}");
        assert!(refusal.is_certain(), "{code}");
    }
    assert!([-1, 6, 7, 15, 16, 20].into_iter().all(|code| !Refusal::check(code, None).unwrap_err().is_certain()));
}

// What each code means in Kafka, so that no row is under another one's number.
#[test]
fn codes_are_those_of_kafka() {
    let names = "
        UnknownServerError=-1 OffsetOutOfRange=1 CorruptMessage=2 UnknownTopicOrPartition=3
        LeaderNotAvailable=5 NotLeaderOrFollower=6 RequestTimedOut=7 BrokerNotAvailable=8
        ReplicaNotAvailable=9 MessageTooLarge=10 OffsetMetadataTooLarge=12 NetworkException=13
        CoordinatorLoadInProgress=14 CoordinatorNotAvailable=15 NotCoordinator=16 InvalidTopicException=17
        RecordListTooLarge=18 NotEnoughReplicas=19 NotEnoughReplicasAfterAppend=20 IllegalGeneration=22
        InvalidGroupId=24 UnknownMemberId=25 RebalanceInProgress=27 TopicAuthorizationFailed=29
        GroupAuthorizationFailed=30 ClusterAuthorizationFailed=31 InvalidTimestamp=32
        UnsupportedSaslMechanism=33 IllegalSaslState=34 UnsupportedVersion=35 TopicAlreadyExists=36
        InvalidPartitions=37 InvalidReplicationFactor=38 InvalidReplicaAssignment=39 InvalidConfig=40
        NotController=41 InvalidRequest=42 UnsupportedForMessageFormat=43 PolicyViolation=44
        OutOfOrderSequenceNumber=45 DuplicateSequenceNumber=46 InvalidProducerEpoch=47 InvalidTxnState=48
        InvalidProducerIdMapping=49 InvalidTransactionTimeout=50 ConcurrentTransactions=51
        TransactionalIdAuthorizationFailed=53 SecurityDisabled=54 OperationNotAttempted=55
        KafkaStorageError=56 LogDirNotFound=57 SaslAuthenticationFailed=58 UnknownProducerId=59
        ReassignmentInProgress=60 InvalidPrincipalType=67 NonEmptyGroup=68 GroupIdNotFound=69
        ListenerNotFound=72 TopicDeletionDisabled=73 FencedLeaderEpoch=74 UnknownLeaderEpoch=75
        UnsupportedCompressionType=76 OffsetNotAvailable=78 PreferredLeaderNotAvailable=80
        GroupSubscribedToTopic=86 InvalidRecord=87 UnstableOffsetCommit=88 ThrottlingQuotaExceeded=89
        ProducerFenced=90 UnknownTopicId=100 InconsistentTopicId=103 TransactionalIdNotFound=105
        TransactionAbortable=120 RebootstrapRequired=129
    ";
    let listed: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
    let name = |row: &Row| format!("{:?}={}", ResponseError::try_from_code(row.0).unwrap(), row.0);
    assert_eq!(ROWS.iter().map(name).collect::<Vec<_>>(), listed);
}

#[test]
fn an_unknown_code_is_refused_with_the_brokers_words() {
    let error = Refusal::check(999, Some("no idea")).unwrap_err().error("orders/0");
    assert_eq!(error.kind(), Refused);
    assert!(error.message().contains("999") && error.message().contains("no idea"), "{error}");
    assert_eq!(Refusal::check(0, None), Ok(()));
}
