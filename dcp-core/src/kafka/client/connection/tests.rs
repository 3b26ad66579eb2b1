use tokio::io::DuplexStream;

use super::*;
use crate::clock::TokioClock;

const FRAME_MAX: usize = 1 << 16;

fn connected(in_flight_max: usize) -> (Connection, DuplexStream, Arc<dyn Clock>) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let greeting = Greeting { versions: Versions::default(), expires: None, next_correlation: 0 };
    let bounds = (in_flight_max, FRAME_MAX);
    (Connection::new("1".into(), Box::new(ours), greeting, bounds, Arc::clone(&clock)), theirs, clock)
}

fn request(number: i32) -> Segments {
    crate::kafka::wire::encode(number, "", &kafka_protocol::messages::MetadataRequest::default()).unwrap()
}

// Sends request `number`, with a second for its answer.
async fn ask(connection: &Connection, number: i32) -> Result<Bytes, Fault> {
    let due = connection.clock.now().after(Duration::from_secs(1));
    connection.exchange(number, request(number), due, due).await
}

async fn take(peer: &mut DuplexStream) -> i32 {
    let frame = read_frame(peer, FRAME_MAX).await.unwrap();
    i32::from_be_bytes(frame[4..8].try_into().unwrap())
}

async fn answer(peer: &mut DuplexStream, number: i32) {
    let frame = [&8_i32.to_be_bytes()[..], &number.to_be_bytes(), b"good"].concat();
    peer.write_all(&frame).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn answers_come_back_to_who_asked_and_no_more_than_allowed_is_under_way() {
    let (connection, mut peer, _) = connected(2);
    let work = async {
        let (first, second) = (take(&mut peer).await, take(&mut peer).await);
        let third = tokio::time::timeout(Duration::from_millis(100), take(&mut peer)).await;
        assert!(third.is_err(), "two are under way");
        answer(&mut peer, first).await;
        answer(&mut peer, second).await;
        let third = take(&mut peer).await;
        answer(&mut peer, third).await;
    };
    let (first, second, third, ()) = tokio::join!(ask(&connection, 1), ask(&connection, 2), ask(&connection, 3), work);
    for (number, frame) in [(1, first), (2, second), (3, third)] {
        assert_eq!(correlation_of(&frame.unwrap()), Some(number));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_certain_and_what_was_sent_is_not() {
    let (connection, mut peer, _) = connected(1);
    let (first, second) = tokio::join!(ask(&connection, 1), ask(&connection, 2));
    assert!(matches!(first, Err(Fault::Unanswered(_))) && matches!(second, Err(Fault::Unsent(_))));
    assert!(!connection.is_usable(), "its answer is overdue");
    assert_eq!(take(&mut peer).await, 1);
    assert!(read_frame(&mut peer, FRAME_MAX).await.is_err(), "the second one never came");
    assert!(matches!(ask(&connection, 3).await, Err(Fault::Unsent(_))));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_leaves_the_others_their_answers() {
    let (connection, mut peer, _) = connected(5);
    let gone = tokio::time::timeout(Duration::from_millis(10), ask(&connection, 1)).await;
    assert!(gone.is_err() && take(&mut peer).await == 1);
    let work = async {
        assert_eq!(take(&mut peer).await, 2);
        answer(&mut peer, 1).await;
        answer(&mut peer, 2).await;
    };
    let (second, ()) = tokio::join!(ask(&connection, 2), work);
    assert_eq!(correlation_of(&second.unwrap()), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_broker_asks_for_is_kept() {
    let (connection, mut peer, clock) = connected(5);
    connection.mute(400);
    let begun = clock.now();
    let work = async {
        let number = take(&mut peer).await;
        assert!(clock.now().since(begun) >= Duration::from_millis(400));
        answer(&mut peer, number).await;
    };
    let (asked, ()) = tokio::join!(ask(&connection, 1), work);
    assert!(asked.is_ok());
    connection.mute(60_000);
    assert!(matches!(ask(&connection, 2).await, Err(Fault::Unsent(error)) if error.code() == "throttled"));
}

#[tokio::test(start_paused = true)]
async fn wrong_frames_end_the_connection_and_the_request_has_no_answer() {
    let other = [&8_i32.to_be_bytes()[..], &99_i32.to_be_bytes(), b"good"].concat();
    let long = [&[0x7f_u8, 0xff, 0xff, 0xff][..], &[0; 100]].concat();
    for wrong in [other, long, vec![0xff; 64], b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), vec![0, 0, 0, 3, 1, 2, 3]]
    {
        let (connection, mut peer, _) = connected(5);
        let work = async {
            take(&mut peer).await;
            peer.write_all(&wrong).await.unwrap();
        };
        let (asked, ()) = tokio::join!(ask(&connection, 1), work);
        assert!(matches!(asked, Err(Fault::Unanswered(error)) if error.code() == "bad-frame"), "{wrong:?}");
        assert!(!connection.is_usable());
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_not_used_again() {
    let (connection, _peer, clock) = connected(5);
    clock.sleep(IDLE_MAX - Duration::from_secs(1)).await;
    assert!(connection.is_usable());
    clock.sleep(Duration::from_secs(2)).await;
    assert!(!connection.is_usable());
}

#[tokio::test]
async fn a_dropped_connection_hangs_up() {
    let (connection, mut peer, _) = connected(5);
    drop(connection);
    assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 0);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 128, ..Default::default() })]
    #[test]
    fn a_peer_that_says_anything_at_all_is_survived(bytes: Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (connection, mut peer, _) = connected(5);
            let work = async {
                take(&mut peer).await;
                peer.write_all(&bytes).await.unwrap();
                drop(peer);
            };
            let (asked, ()) = tokio::join!(ask(&connection, 1), work);
            // Only a whole frame with the right number is an answer.
            let right = bytes.len() >= 8 && bytes[4..8] == [0, 0, 0, 1];
            assert!(asked.is_err() || right);
        });
    }
}
