//! Which requests are spoken, in which version, and the outline of their answers.
//!
//! One version each: what is spoken is what is tested. All of them are known to brokers from 4.0 on.

#[allow(clippy::wildcard_imports, reason = "the table names every message, twice")]
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use super::shape::Field::{self, Bytes, Fixed, Many, Numbers, One, Text, Texts};
use super::shape::Shape;

/// A request as brokers number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Api {
    pub(crate) name: &'static str,
    pub(crate) key: i16,
    pub(crate) version: i16,
    /// Whether the answer has compact lengths and tagged fields.
    pub(crate) flexible: bool,
}

/// A request of which version and answer are known.
pub(crate) trait Spoken: Encodable + HeaderVersion + Send + Sync {
    type Answer: Decodable + HeaderVersion + Send;
    const API: &'static Api;
    const SHAPE: &'static Shape;

    /// For how many milliseconds the broker asks not to be asked.
    fn throttle(answer: &Self::Answer) -> i32;
}

macro_rules! plain {
    ($($field:expr),*) => { Shape { fields: &[$($field),*], tags: &[] } };
}

/// One row of the table.
#[cfg(test)]
pub(crate) struct Entry {
    pub(crate) api: &'static Api,
    pub(crate) shape: &'static Shape,
    /// Reads an answer from a frame, and writes its body again.
    pub(crate) decode: fn(bytes::Bytes) -> Result<bytes::Bytes, crate::error::Error>,
}

const BOOL: Field = Fixed(1);
const I8: Field = Fixed(1);
const I16: Field = Fixed(2);
const I32: Field = Fixed(4);
const I64: Field = Fixed(8);
const ID: Field = Fixed(16);

macro_rules! spoken {
    ($($request:ident => $answer:ident, $key:literal v $version:literal $kind:ident $pace:ident, $shape:expr;)*) => {
        $(
            impl Spoken for $request {
                type Answer = $answer;
                const API: &'static Api = &Api {
                    name: stringify!($request), key: $key, version: $version, flexible: spoken!(@ $kind),
                };
                const SHAPE: &'static Shape = &$shape;

                fn throttle(answer: &Self::Answer) -> i32 {
                    spoken!(@ $pace answer)
                }
            }
        )*

        /// Everything that is spoken.
        #[cfg(test)]
        pub(crate) const ALL: &[Entry] = &[$(Entry {
            api: <$request as Spoken>::API,
            shape: <$request as Spoken>::SHAPE,
            decode: |frame| super::decode::<$request>(frame).map(|answer| {
                let mut out = bytes::BytesMut::new();
                answer.encode(&mut out, <$request as Spoken>::API.version).unwrap();
                out.freeze()
            }),
        }),*];
    };
    (@ flexible) => { true };
    (@ classic) => { false };
    (@ paced $answer:ident) => { $answer.throttle_time_ms };
    (@ free $answer:ident) => {{ let _ = $answer; 0 }};
}

spoken! {
    ProduceRequest => ProduceResponse, 0 v 12 flexible paced,
        Shape { fields: &[Many(&PRODUCED_TOPIC), I32], tags: &[(0, Many(&NODE))] };
    FetchRequest => FetchResponse, 1 v 12 flexible paced, plain!(I32, I16, I32, Many(&FETCHED_TOPIC));
    ListOffsetsRequest => ListOffsetsResponse, 2 v 7 flexible paced, plain!(I32, Many(&LISTED_TOPIC));
    MetadataRequest => MetadataResponse, 3 v 12 flexible paced,
        plain!(I32, Many(&NODE), Text, I32, Many(&TOPIC));
    OffsetCommitRequest => OffsetCommitResponse, 8 v 8 flexible paced, plain!(I32, Many(&COMMITTED_TOPIC));
    OffsetFetchRequest => OffsetFetchResponse, 9 v 8 flexible paced, plain!(I32, Many(&GROUP_OFFSETS));
    FindCoordinatorRequest => FindCoordinatorResponse, 10 v 4 flexible paced, plain!(I32, Many(&COORDINATOR));
    ListGroupsRequest => ListGroupsResponse, 16 v 4 flexible paced, plain!(I32, I16, Many(&GROUP));
    SaslHandshakeRequest => SaslHandshakeResponse, 17 v 1 classic free, plain!(I16, Texts);
    ApiVersionsRequest => ApiVersionsResponse, 18 v 3 flexible paced, Shape {
        fields: &[I16, Many(&VERSION), I32],
        tags: &[(0, Many(&FEATURE)), (1, I64), (2, Many(&FEATURE)), (3, BOOL)],
    };
    CreateTopicsRequest => CreateTopicsResponse, 19 v 7 flexible paced, plain!(I32, Many(&CREATED_TOPIC));
    DeleteTopicsRequest => DeleteTopicsResponse, 20 v 6 flexible paced, plain!(I32, Many(&DELETED_TOPIC));
    DeleteRecordsRequest => DeleteRecordsResponse, 21 v 2 flexible paced, plain!(I32, Many(&DELETED_RECORDS));
    InitProducerIdRequest => InitProducerIdResponse, 22 v 5 flexible paced, plain!(I32, I16, I64, I16);
    OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse, 23 v 4 flexible paced, plain!(I32, Many(&EPOCH_TOPIC));
    EndTxnRequest => EndTxnResponse, 26 v 5 flexible paced, plain!(I32, I16, I64, I16);
    DescribeAclsRequest => DescribeAclsResponse, 29 v 3 flexible paced, plain!(I32, I16, Text, Many(&ACL_RESOURCE));
    CreateAclsRequest => CreateAclsResponse, 30 v 3 flexible paced, plain!(I32, Many(&CREATED_ACL));
    DeleteAclsRequest => DeleteAclsResponse, 31 v 3 flexible paced, plain!(I32, Many(&DELETED_ACLS));
    DescribeConfigsRequest => DescribeConfigsResponse, 32 v 4 flexible paced, plain!(I32, Many(&CONFIG_RESOURCE));
    SaslAuthenticateRequest => SaslAuthenticateResponse, 36 v 2 flexible free, plain!(I16, Text, Bytes, I64);
    CreatePartitionsRequest => CreatePartitionsResponse, 37 v 3 flexible paced, plain!(I32, Many(&TOPIC_RESULT));
    IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse, 44 v 1 flexible paced,
        plain!(I32, Many(&ALTERED));
    DescribeProducersRequest => DescribeProducersResponse, 61 v 0 flexible paced, plain!(I32, Many(&PRODUCERS_TOPIC));
}

static VERSION: Shape = plain!(I16, I16, I16);
static FEATURE: Shape = plain!(Text, I16, I16);

static NODE: Shape = plain!(I32, Text, I32, Text);
static LEADER: Shape = plain!(I32, I32);
static PRODUCED_TOPIC: Shape = plain!(Text, Many(&PRODUCED));
static PRODUCED: Shape =
    Shape { fields: &[I32, I16, I64, I64, I64, Many(&RECORD_ERROR), Text], tags: &[(0, One(&LEADER))] };
static RECORD_ERROR: Shape = plain!(I32, Text);

static FETCHED_TOPIC: Shape = plain!(Text, Many(&FETCHED));
static FETCHED: Shape = Shape {
    fields: &[I32, I16, I64, I64, I64, Many(&ABORTED), I32, Bytes],
    tags: &[(0, One(&EPOCH_AND_END)), (1, One(&LEADER)), (2, One(&END_AND_EPOCH))],
};
static ABORTED: Shape = plain!(I64, I64);
static EPOCH_AND_END: Shape = plain!(I32, I64);
static END_AND_EPOCH: Shape = plain!(I64, I32);

static LISTED_TOPIC: Shape = plain!(Text, Many(&LISTED));
static LISTED: Shape = plain!(I32, I16, I64, I64, I32);
static EPOCH_TOPIC: Shape = plain!(Text, Many(&EPOCH_END));
static EPOCH_END: Shape = plain!(I16, I32, I32, I64);

static TOPIC: Shape = plain!(I16, Text, ID, BOOL, Many(&PARTITION), I32);
static PARTITION: Shape = plain!(I16, I32, I32, I32, Numbers(4), Numbers(4), Numbers(4));
static COORDINATOR: Shape = plain!(Text, I32, Text, I32, I16, Text);

static CREATED_TOPIC: Shape =
    Shape { fields: &[Text, ID, I16, Text, I32, I16, Many(&CREATED_CONFIG)], tags: &[(0, I16)] };
static CREATED_CONFIG: Shape = plain!(Text, Text, BOOL, I8, BOOL);
static DELETED_TOPIC: Shape = plain!(Text, ID, I16, Text);
static DELETED_RECORDS: Shape = plain!(Text, Many(&LOW_WATERMARK));
static LOW_WATERMARK: Shape = plain!(I32, I64, I16);
static TOPIC_RESULT: Shape = plain!(Text, I16, Text);

static CONFIG_RESOURCE: Shape = plain!(I16, Text, I8, Text, Many(&CONFIG));
static CONFIG: Shape = plain!(Text, Text, BOOL, I8, BOOL, Many(&SYNONYM), I8, Text);
static SYNONYM: Shape = plain!(Text, Text, I8);
static ALTERED: Shape = plain!(I16, Text, I8, Text);

static ACL_RESOURCE: Shape = plain!(I8, Text, I8, Many(&ACL));
static ACL: Shape = plain!(Text, Text, I8, I8);
static CREATED_ACL: Shape = plain!(I16, Text);
static DELETED_ACLS: Shape = plain!(I16, Text, Many(&DELETED_ACL));
static DELETED_ACL: Shape = plain!(I16, Text, I8, Text, I8, Text, Text, I8, I8);

static GROUP: Shape = plain!(Text, Text, Text);
static GROUP_OFFSETS: Shape = plain!(Text, Many(&GROUP_TOPIC), I16);
static GROUP_TOPIC: Shape = plain!(Text, Many(&GROUP_PARTITION));
static GROUP_PARTITION: Shape = plain!(I32, I64, I32, Text, I16);
static COMMITTED_TOPIC: Shape = plain!(Text, Many(&COMMITTED));
static COMMITTED: Shape = plain!(I32, I16);

static PRODUCERS_TOPIC: Shape = plain!(Text, Many(&PRODUCERS));
static PRODUCERS: Shape = plain!(I32, I16, Text, Many(&PRODUCER));
static PRODUCER: Shape = plain!(I64, I32, I32, I64, I32, I64);
