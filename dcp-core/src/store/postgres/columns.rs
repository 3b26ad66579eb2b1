//! Records as the parameters of a statement that writes them.

use uuid::Uuid;

use super::rows;
use super::server::Value;
use crate::error::Error;
use crate::store::append::Planned;

/// Records, column by column.
pub(super) struct Columns<'a> {
    ranks: Vec<i64>,
    ids: Vec<Uuid>,
    streams: Vec<&'a [u8]>,
    versions: Vec<i64>,
    epochs: Vec<i64>,
    types: Vec<&'a [u8]>,
    keys: Vec<Option<&'a [u8]>>,
    payloads: Vec<&'a [u8]>,
    headers: Vec<Vec<u8>>,
    contents: Vec<&'a [u8]>,
    prefixes: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(records: &'a [Planned]) -> Result<Self, Error> {
        let all = |of: fn(&'a Planned) -> &'a [u8]| records.iter().map(of).collect::<Vec<_>>();
        Ok(Self {
            ranks: records.iter().map(|one| rows::signed(one.position.rank())).collect::<Result<_, _>>()?,
            ids: records.iter().map(|one| rows::uuid(&one.record.id)).collect(),
            streams: all(|one| one.record.stream.as_str().as_bytes()),
            versions: records.iter().map(|one| rows::signed(one.record.version.get())).collect::<Result<_, _>>()?,
            epochs: records.iter().map(|one| rows::signed(one.record.epoch.get())).collect::<Result<_, _>>()?,
            types: all(|one| one.record.event_type.as_bytes()),
            keys: records.iter().map(|one| one.record.key.as_deref()).collect(),
            payloads: all(|one| &one.record.payload),
            headers: records.iter().map(|one| rows::header_bytes(&one.record.headers)).collect::<Result<_, _>>()?,
            contents: all(|one| one.content.as_bytes()),
            prefixes: all(|one| one.prefix.digest.as_bytes()),
        })
    }

    /// Of one log's records, by name of the log.
    pub(super) fn values<'b>(&'b self, log: &'b i32) -> [Value<'b>; 12] {
        [
            log,
            &self.ranks,
            &self.ids,
            &self.streams,
            &self.versions,
            &self.epochs,
            &self.types,
            &self.keys,
            &self.payloads,
            &self.headers,
            &self.contents,
            &self.prefixes,
        ]
    }

    /// Of one record, value by value; none if there is no record.
    pub(super) fn first<'b>(&'b self, log: &'b i32) -> Option<[Value<'b>; 12]> {
        Some([
            log,
            self.ranks.first()?,
            self.ids.first()?,
            self.streams.first()?,
            self.versions.first()?,
            self.epochs.first()?,
            self.types.first()?,
            self.keys.first()?,
            self.payloads.first()?,
            self.headers.first()?,
            self.contents.first()?,
            self.prefixes.first()?,
        ])
    }
}
