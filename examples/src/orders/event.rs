//! Order lines as events, and back.

use bytes::Bytes;
use dcp_core::digest::Digest;
use dcp_core::error::Error;
use dcp_core::event::{EventId, NewEvent, Record, StreamId};
use uuid::Uuid;

use super::line::OrderLine;

/// Partitions of each scope.
pub const PARTITIONS: u32 = 20;
/// Name of the kind of event.
pub const EVENT_TYPE: &str = "order-line";

/// Identity of a line's event: UUIDv5 of `online-retail/<line>` in the URL namespace, so that
/// identical lines stay distinct and a line sent again is the same event.
#[must_use]
pub fn event_id(line: u64) -> EventId {
    EventId::from_bytes(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("online-retail/{line}").as_bytes()).into_bytes())
}

/// Partition of a stock code: the first 8 bytes of its SHA-256, big-endian, mod [`PARTITIONS`].
#[must_use]
#[allow(clippy::cast_possible_truncation)] // The remainder is below 20.
pub fn partition_of(stock_code: &str) -> u32 {
    let digest = Digest::of(stock_code.as_bytes());
    let first = digest.as_bytes().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (first % u64::from(PARTITIONS)) as u32
}

/// The event of a line: its stream is the stock code, its payload the line as a JSON array.
///
/// # Errors
/// `Invalid` with the record number, if the line cannot be written as JSON.
pub fn new_event(line: &OrderLine<'_>) -> Result<NewEvent, Error> {
    let payload = serde_json::to_vec(line)
        .map_err(|cause| Error::invalid("unwritable-line", format!("record {}: {cause}", line.number())))?;
    Ok(NewEvent::new(event_id(line.number()), StreamId::new(line.stock_code()), EVENT_TYPE, Bytes::from(payload)))
}

/// The line of an event.
///
/// # Errors
/// `Corrupt` unless the record is what [`new_event`] makes of that line: type, payload, id and
/// stream must agree.
pub fn line_of(record: &Record) -> Result<OrderLine<'_>, Error> {
    let corrupt = |what: String| Error::corrupt("bad-order-line", format!("event {}: {what}", record.id));
    if &*record.event_type != EVENT_TYPE {
        return Err(corrupt(format!("its type is {:?} instead of {EVENT_TYPE:?}", record.event_type)));
    }
    let line: OrderLine<'_> =
        serde_json::from_slice(&record.payload).map_err(|cause| corrupt(format!("its payload: {cause}")))?;
    if event_id(line.number()) != record.id || line.stock_code() != record.stream.as_str() {
        return Err(corrupt(format!("its payload is that of line {} of another event", line.number())));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use dcp_core::event::Version;
    use dcp_core::ownership::Epoch;

    use super::*;

    const FIELDS: [&str; 8] =
        ["536365", "85123A", " \"POT\", £1 ", "6", "2010-12-01 08:26:00", "2.55", "", "United Kingdom"];

    // Computed with Python's uuid and hashlib.
    #[test]
    fn ids_and_partitions_are_the_golden_ones() {
        for (line, id) in [
            (1, "cf7f8717-feb7-56b7-b67b-fd64ff3fc182"),
            (2, "0f8a0be8-fbe1-5d28-84d3-79982645f860"),
            (541_909, "0440be50-a588-5772-b06e-c0a44d05d1ad"),
        ] {
            assert_eq!(event_id(line).to_string(), id);
        }
        let partitions = ["85123A", "85123a", "POST", "22423"].map(partition_of);
        assert_eq!(partitions, [13, 16, 16, 10]);
    }

    #[test]
    fn the_payload_is_the_golden_one_and_reads_back() {
        let line = OrderLine::new(1, FIELDS);
        let event = new_event(&line).unwrap();
        let golden = r#"[1,"536365","85123A"," \"POT\", £1 ","6","2010-12-01 08:26:00","2.55","","United Kingdom"]"#;
        assert_eq!(event.payload, golden.as_bytes());
        assert_eq!((event.stream.as_str(), &*event.event_type), ("85123A", "order-line"));
        let record = Record::of(event, Epoch::GENESIS, Version::new(1));
        assert_eq!(line_of(&record).unwrap(), line);
    }

    #[test]
    fn a_record_that_is_no_order_line_is_corrupt() {
        let sound = Record::of(new_event(&OrderLine::new(1, FIELDS)).unwrap(), Epoch::GENESIS, Version::new(1));
        let spoiled: [fn(&mut Record); 4] = [
            |record| record.id = event_id(2),
            |record| record.stream = StreamId::new("85123a"),
            |record| record.event_type = "payment".into(),
            |record| record.payload = Bytes::from_static(b"[1]"),
        ];
        for spoil in spoiled {
            let mut record = sound.clone();
            spoil(&mut record);
            assert_eq!(line_of(&record).unwrap_err().code(), "bad-order-line");
        }
    }
}
