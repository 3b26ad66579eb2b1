//! What a broker's error code means: whether another attempt may pass, whether anything was done, and
//! what cures it. Pure.

use std::fmt::Display;

use kafka_protocol::ResponseError;

use crate::error::{Error, ErrorKind};

/// A code other than 0, with what the broker said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: i16,
    said: Option<String>,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask the same broker again after a pause.
    Again,
    /// Learn anew which broker it is, and ask that one after a pause.
    Relearn,
    /// Asking again gives the same answer.
    Stop,
}

use ErrorKind::{Conflict, Corrupt, Fenced, Invalid, Refused, Retry};
use Step::{Again, Relearn, Stop};

type Row = (i16, ErrorKind, Step, &'static str, &'static str);

// Sorted by code.
const ROWS: &[Row] = &[
    (-1, Corrupt, Stop, "unknown-server-error", "the broker failed on it; its log says why"),
    (1, Corrupt, Stop, "offset-out-of-range", "the log does not hold that offset: truncated, re-created or expired"),
    (2, Corrupt, Stop, "corrupt-message", "the records' checksum is wrong"),
    (3, Invalid, Relearn, "no-topic", "there is no such topic or partition; create it"),
    (5, Retry, Relearn, "no-leader", "the partition has no leader"),
    (6, Retry, Relearn, "not-leader", "another broker leads the partition"),
    (7, Retry, Again, "broker-timed-out", "the broker did not finish in time"),
    (8, Retry, Relearn, "broker-not-available", "the broker is not available"),
    (9, Retry, Relearn, "replica-not-available", "the replica is not available"),
    (10, Invalid, Stop, "record-too-large", "the batch is above the topic's max.message.bytes"),
    (12, Invalid, Stop, "metadata-too-large", "the text beside the offset is too long"),
    (13, Retry, Relearn, "broker-lost-connection", "the broker lost a connection of its own"),
    (14, Retry, Again, "coordinator-loading", "the coordinator is reading its log"),
    (15, Retry, Relearn, "no-coordinator", "there is no coordinator yet"),
    (16, Retry, Relearn, "not-coordinator", "another broker coordinates it"),
    (17, Invalid, Stop, "bad-topic-name", "the topic's name is not allowed"),
    (18, Invalid, Stop, "batch-too-large", "the batch is larger than a segment"),
    (19, Retry, Again, "not-enough-replicas", "fewer replicas are in sync than min.insync.replicas asks for"),
    (20, Retry, Again, "not-enough-replicas-after-append", "written, but not to as many replicas as asked for"),
    (22, Conflict, Stop, "group-moved-on", "the group has members or another generation"),
    (24, Invalid, Stop, "bad-group-name", "the group's name is not allowed"),
    (25, Conflict, Stop, "group-has-members", "the group is not idle; stop its members first"),
    (27, Conflict, Stop, "group-rebalancing", "the group is not idle; stop its members first"),
    (29, Refused, Stop, "topic-not-permitted", "allow the client's user to do it on the topic"),
    (30, Refused, Stop, "group-not-permitted", "allow the client's user to do it on the group"),
    (31, Refused, Stop, "cluster-not-permitted", "allow the client's user to do it on the cluster"),
    (32, Invalid, Stop, "bad-timestamp", "a record's time is outside of what the topic takes (message.timestamp.*)"),
    (33, Refused, Stop, "mechanism-not-enabled", "the listener does not offer that way to prove the password"),
    (34, Refused, Stop, "wrong-listener", "the listener does not expect authentication now"),
    (35, Refused, Stop, "api-version", "the broker does not speak that version; 4.0 or newer does"),
    (36, Conflict, Stop, "topic-exists", "there is a topic of that name"),
    (37, Invalid, Stop, "bad-partition-count", "the number of partitions is not possible"),
    (38, Invalid, Stop, "bad-replication-factor", "there are fewer brokers than replicas asked for"),
    (39, Invalid, Stop, "bad-assignment", "the assignment of replicas is not possible"),
    (40, Invalid, Stop, "bad-config", "a setting has a value that is not possible"),
    (41, Retry, Relearn, "not-controller", "the controller is elsewhere"),
    (42, Invalid, Stop, "bad-request", "the broker finds the request wrong"),
    (43, Refused, Stop, "old-message-format", "the topic's records are of a format that cannot do that"),
    (44, Refused, Stop, "policy-violation", "a policy of the broker forbids it"),
    (45, Invalid, Stop, "sequence-out-of-order", "the batch does not follow the producer's last one"),
    (46, Invalid, Stop, "duplicate-sequence", "the batch is older than the broker remembers"),
    (47, Fenced, Stop, "producer-fenced", "a newer producer has taken its place, or its transaction ran out"),
    (48, Conflict, Stop, "transaction-state", "the transaction is in no state to do that"),
    (49, Conflict, Stop, "producer-id-mapping", "the producer's id is not the one of its transactional id; begin anew"),
    (50, Invalid, Stop, "bad-transaction-timeout", "above transaction.max.timeout.ms"),
    (51, Retry, Again, "transaction-ending", "the transaction before it is still being ended"),
    (53, Refused, Stop, "transaction-not-permitted", "allow the client's user the transactional id"),
    (54, Refused, Stop, "no-authorizer", "the broker has access control switched off"),
    (55, Retry, Again, "not-attempted", "the broker did not come to it"),
    (56, Retry, Relearn, "storage-error", "a disk of the broker failed or is full"),
    (57, Retry, Relearn, "log-directory-gone", "a disk of the broker is gone"),
    (58, Refused, Stop, "not-authenticated", "correct user and password"),
    (59, Conflict, Stop, "unknown-producer", "the broker has forgotten the producer; begin anew"),
    (60, Conflict, Stop, "reassignment-under-way", "partitions are being moved"),
    (67, Invalid, Stop, "bad-principal", "write who is meant as User:name"),
    (68, Conflict, Stop, "group-not-empty", "the group is not idle; stop its members first"),
    (69, Invalid, Stop, "no-group", "there is no such group"),
    (72, Retry, Relearn, "listener-not-found", "the leader has no listener like the one that was asked"),
    (73, Refused, Stop, "deletion-disabled", "the broker does not delete topics (delete.topic.enable)"),
    (74, Conflict, Relearn, "leader-moved", "the partition has a newer leader epoch; read again"),
    (75, Retry, Relearn, "leader-epoch-ahead", "the broker does not know the leader epoch yet"),
    (76, Refused, Stop, "unsupported-compression", "the broker does not know the batch's compression"),
    (78, Retry, Again, "offset-not-available", "the leader has not caught up with its own start"),
    (80, Retry, Relearn, "preferred-leader-not-available", "the preferred leader is not available"),
    (86, Conflict, Stop, "group-has-members", "the group reads the topic; stop its members first"),
    (87, Corrupt, Stop, "invalid-record", "the broker finds the batch malformed; its log says where"),
    (88, Retry, Relearn, "unstable-offset-commit", "offsets are being committed by a transaction"),
    (89, Retry, Again, "throttled", "the broker's quota for such requests is used up"),
    (90, Fenced, Stop, "producer-fenced", "a newer producer has taken its place, or its transaction ran out"),
    (100, Retry, Relearn, "unknown-topic-id", "the broker does not know the topic's identity yet"),
    (103, Corrupt, Stop, "topic-recreated", "the topic has another identity than the one asked for"),
    (105, Invalid, Stop, "transaction-not-found", "there is no such transactional id"),
    (120, Conflict, Stop, "transaction-abortable", "abort the transaction and begin it anew"),
    (129, Retry, Relearn, "rebootstrap-required", "the broker asks the client to begin anew"),
];

impl Refusal {
    /// Nothing for code 0.
    pub(crate) fn check(code: i16, said: Option<&str>) -> Result<(), Self> {
        if code == 0 { Ok(()) } else { Err(Self { code, said: said.map(str::to_owned) }) }
    }

    fn row(&self) -> Row {
        let found = ROWS.iter().find(|row| row.0 == self.code).copied();
        found.unwrap_or((self.code, Refused, Stop, "broker-refused", "the broker says no"))
    }

    pub(crate) fn step(&self) -> Step {
        self.row().2
    }

    /// Whether an effect that was answered so has certainly not happened. A leader that is deposed while a
    /// batch waits for its replicas says 6 of what it has appended; a coordinator whose own record waits
    /// says 15 or 16 of an end of a transaction that its successor then completes (Kafka 4.1.1,
    /// `TransactionStateManager`).
    pub(crate) fn is_certain(&self) -> bool {
        !matches!(self.code, -1 | 6 | 7 | 13 | 15 | 16 | 20 | 56 | 57)
    }

    pub(crate) fn error(&self, place: impl Display) -> Error {
        let (_, kind, _, name, cure) = self.row();
        let said = self.said.as_deref().map(|said| format!(": {said:?}")).unwrap_or_default();
        let kafka = ResponseError::try_from_code(self.code).map(|name| format!(" {name:?}")).unwrap_or_default();
        let text = format!("{place}: {cure} (broker's code {}{kafka}{said})", self.code);
        match kind {
            Retry => Error::retry(name, text),
            Conflict => Error::conflict(name, text),
            Fenced => Error::fenced(name, text),
            Refused => Error::refused(name, text),
            Invalid => Error::invalid(name, text),
            Corrupt => Error::corrupt(name, text),
            ErrorKind::Stopped => Error::stopped(name, text),
        }
    }
}

#[cfg(test)]
mod tests;
