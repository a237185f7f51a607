//! repod: the vectors in `spec/repod.json`, msgpack against rmpv, sessions under a virtual clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use heartwire_proto::repod::{
    Config, DecodeError, DisconnectReason, EncodeError, Ext, Frame, FrameDecoder, GREETING,
    Message, Output, Role, Session, SocketEnd, Timestamp,
};
use heartwire_proto::shared::{Ending, Limits, SendQueue};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;
use serde_json::{Value as Json, json};

/// Every value of the vectors, written in Rust. A row without a value here fails the test.
#[test]
fn encodings_are_the_originals() {
    let rows = spec();
    let rows = rows["encode"].as_array().unwrap();
    assert_eq!(rows.len(), 69);
    for row in rows {
        let python = row["py"].as_str().unwrap();
        let expected = hex(row["hex"].as_str().unwrap());
        let frame = in_rust(python);
        assert_eq!(frame.as_bytes(), expected, "{python}");
        assert_eq!(frame.len() as u64, row["send_returns"], "{python}");
    }
}

#[test]
fn values_that_cannot_be_sent() {
    let rows = spec();
    let rows = rows["encode_errors"].as_array().unwrap();
    assert_eq!(rows.len(), 7);
    for row in rows {
        let python = row["py"].as_str().unwrap();
        let what = row["msg"].as_str().unwrap();
        let error = match python {
            "{'v':2**64}" => Frame::encode(&v(1_u128 << 64)),
            "{'v':-2**63-1}" => Frame::encode(&v(i128::from(i64::MIN) - 1)),
            // What a type of Rust says of itself when it has no form to be sent in.
            "{'v':{1,2}}" | "{'v':object()}" | "{'v':'\\ud800'}" | "{'v':frozenset()}"
            | "{'v':1j}" => Frame::encode(&v(Unsendable(what))),
            other => panic!("no value for {other}"),
        };
        let expected = match python {
            "{'v':2**64}" => EncodeError::IntegerOutOfRange("18446744073709551616".to_owned()),
            "{'v':-2**63-1}" => EncodeError::IntegerOutOfRange("-9223372036854775809".to_owned()),
            _ => EncodeError::Custom(what.to_owned()),
        };
        assert_eq!(error, Err(expected), "{python}");
    }
}

/// A value that cannot be serialised, for this reason.
struct Unsendable<'a>(&'a str);

impl Serialize for Unsendable<'_> {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(self.0))
    }
}

#[test]
fn errors_say_which_value_cannot_be_sent() {
    #[derive(Serialize)]
    struct Named<T> {
        fine: u8,
        deep: T,
    }
    fn says(result: Result<Frame, EncodeError>, expected: &str) {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
    says(Frame::encode(&[1, 2]), "\"[1, 2]\" is no map, a message has to be one");
    says(Frame::encode("text"), "\"text\" is no map, a message has to be one");
    says(Frame::encode(&()), "\"None\" is no map, a message has to be one");
    let mut deep = json!(null);
    for _ in 0..600 {
        deep = json!([deep]);
    }
    let expected = "value behind \"deep\" nested deeper than 512";
    says(Frame::encode(&Named { fine: 1, deep: &deep }), expected);
    says(Frame::encode(&json!({"fine": {"x": 1}, "deep": deep})), expected);
    says(Frame::encode_any(&deep), "value nested deeper than 512");
    let huge = v(u128::MAX);
    let expected = format!("integer {} out of range, expected -2^63 to 2^64 - 1", u128::MAX);
    says(Frame::encode(&huge), &expected);
    says(Frame::encode(&v(Ext { code: -1, data: b"" })), "extension -1, expected 0 to 127");
}

#[test]
fn decodings_have_the_originals_effect() {
    let rows = spec();
    let rows = rows["decode"].as_array().unwrap();
    assert_eq!(rows.len(), 22);
    for row in rows {
        let case = row["case"].as_str().unwrap();
        let frame = hex(row["frame"].as_str().unwrap());
        let effect = row["effect"].as_str().unwrap();
        let mut session = connection();
        let mut decoder = FrameDecoder::new(1000);
        let (taken, payload) = decoder.decode(&frame).unwrap();
        assert_eq!(taken, frame.len(), "{case}");
        let payload = payload.unwrap();
        let result = session.handle_payload(now(), &payload);
        let closed = session.is_closed();
        match effect {
            "ignored" | "repod wedges; ours: ignored" => {
                assert_eq!((result, closed), (Ok(None), false), "{case}");
            }
            "close" => assert!(result.is_err() && closed, "{case}"),
            "dispatched" => {
                let message = result.unwrap().unwrap();
                assert_eq!(message.action(), "a", "{case}");
                assert!(!closed, "{case}");
                let read = row["repod_read_message"].as_str().unwrap();
                let shown = heartwire_proto::repod::Value::Map(message.map()).to_string();
                if case != "dup keys last wins" {
                    assert_eq!(shown, read, "{case}");
                }
            }
            named => {
                let name = named.strip_prefix("dispatched as Network_").unwrap();
                assert_eq!(result.unwrap().unwrap().action(), name, "{case}");
            }
        }
    }
}

#[test]
fn the_last_of_two_keys_counts() {
    let frame = hex("0000001083a6616374696f6ea161a17801a17802");
    let message = Message::decode(&frame[4..]).unwrap().unwrap();
    assert_eq!(message.get("x").and_then(|x| x.as_i64()), Some(2));
    let parsed: BTreeMap<String, Json> = message.parse().unwrap();
    assert_eq!(parsed["x"], 2);
}

#[test]
fn the_greeting_is_the_originals() {
    let greeting = in_rust("{'action':'connected'}");
    assert_eq!(greeting.as_bytes(), GREETING);
}

#[test]
fn types_of_rust_go_through() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    enum Shape {
        Point,
        Circle(f64),
        Line(i32, i32),
        Box { width: u8, height: Option<u8> },
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Extra {
        flag: bool,
        name: String,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Everything {
        action: String,
        shapes: Vec<Shape>,
        #[serde(with = "serde_bytes")]
        data: Vec<u8>,
        char: char,
        unit: (),
        tuple: (i8, u64, f32),
        map: BTreeMap<i32, String>,
        #[serde(flatten)]
        extra: Extra,
    }

    let value = Everything {
        action: "everything".to_owned(),
        shapes: vec![
            Shape::Point,
            Shape::Circle(1.5),
            Shape::Line(-1, 70_000),
            Shape::Box { width: 3, height: None },
        ],
        data: vec![0, 255],
        char: 'é',
        unit: (),
        tuple: (-5, u64::MAX, 0.5),
        map: BTreeMap::from([(-1, "minus".to_owned()), (300, "many".to_owned())]),
        extra: Extra { flag: true, name: "flat".to_owned() },
    };
    let frame = Frame::encode(&value).unwrap();
    let message = Message::decode(&frame.as_bytes()[4..]).unwrap().unwrap();
    assert_eq!(message.parse::<Everything>().unwrap(), value);
    assert_eq!(message.action(), "everything");
    // The same bytes when it is sent on, as it is or by way of its values.
    assert_eq!(message.to_frame(), frame);
    assert_eq!(Frame::encode(&message).unwrap(), frame);

    let error = message.parse::<BTreeMap<String, u8>>().unwrap_err();
    assert!(error.to_string().contains("invalid type: string \"everything\""), "{error}");
}

/// Depth costs nothing: who sends much, deep inside, must not keep this side busy for long.
#[cfg(target_os = "linux")]
#[test]
fn what_lies_deep_is_walked_through_once() {
    type Walk = fn(&Message);
    let shallow = nested_numbers(1);
    let deep = nested_numbers(500);
    let walks: [(&str, Walk); 5] = [
        ("action", |message| assert!(message.action().len() < 300)),
        ("display", |message| assert!(message.action_value().to_string().len() > 1 << 20)),
        ("debug", |message| assert!(format!("{message:?}").len() > 1 << 20)),
        ("frame", |message| assert!(Frame::encode(message).unwrap() == message.to_frame())),
        ("json", |message| assert!(serde_json::to_string(message).unwrap().len() > 1 << 20)),
    ];
    for (name, walk) in walks {
        let cost = |message| {
            let before = cpu_time();
            walk(message);
            cpu_time() - before
        };
        let (shallow, deep) = (0..3)
            .map(|_| (cost(&shallow), cost(&deep)))
            .reduce(|sum, next| (sum.0 + next.0, sum.1 + next.1))
            .unwrap();
        let noise = Duration::from_millis(20);
        assert!(deep < shallow * 8 + noise, "{name}: {deep:?} deep inside, {shallow:?} outside");
    }
}

/// A message whose action is a list in a list in a list … of a million numbers.
#[cfg(target_os = "linux")]
fn nested_numbers(depth: usize) -> Message {
    let (head, count) = (b"\x81\xa6action", 1_u32 << 20);
    let numbers = [&[0xdd][..], &count.to_be_bytes(), &vec![7; count as usize]].concat();
    let payload = [&head[..], &vec![0x91; depth], &numbers].concat();
    Message::decode(&payload).unwrap().unwrap()
}

/// The time that processors have spent on this thread.
#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedstat.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_name_that_is_no_text_is_cut_off() {
    let message = |action: Json| {
        let frame = Frame::encode(&json!({"action": action})).unwrap();
        Message::decode(&frame.as_bytes()[4..]).unwrap().unwrap()
    };
    let text = "a".repeat(1000);
    assert_eq!(message(json!(text)).action(), text, "texts are whole");
    let list = message(json!([text]));
    assert_eq!(list.action(), format!("['{}…", "a".repeat(254)));
    assert_eq!(list.action_value().to_string(), format!("['{text}']"));
}

#[test]
fn a_greeting_comes_first_and_only_from_servers() {
    let mut queue = queue();
    let mut server: Session<Frame> = Session::open(now(), Config::default(), Role::Server);
    let frame = Frame::encode(&json!({"action": "x"})).unwrap();
    queue.push(frame.clone()).unwrap();
    assert_eq!(server.poll_output(now(), &mut queue), Some(Output::Greet));
    assert_eq!(server.poll_output(now(), &mut queue), Some(Output::Send(frame)));
    assert_eq!(server.poll_output(now(), &mut queue), None);
    let mut client = connection();
    assert_eq!(client.poll_output(now(), &mut queue), None);
}

#[test]
fn closing_sends_what_waits() {
    let mut queue = queue();
    let mut session = connection();
    let frames: Vec<_> =
        (0..3).map(|n| Frame::encode(&json!({"action": n.to_string()})).unwrap()).collect();
    frames.iter().for_each(|frame| queue.push(frame.clone()).unwrap());
    queue.close(Ending::Flush);
    for frame in frames {
        assert_eq!(session.poll_output(now(), &mut queue), Some(Output::Send(frame)));
    }
    assert_eq!(session.poll_output(now(), &mut queue), Some(Output::CloseSocket));
    let closed = Some(Output::Closed(DisconnectReason::Closed));
    assert_eq!(session.poll_output(now(), &mut queue), closed);
    assert_eq!(session.poll_output(now(), &mut queue), None);
}

#[test]
fn a_peer_that_takes_nothing_delays_the_end_by_the_linger_time_at_most() {
    let start = now();
    let mut queue = queue();
    let mut session = connection_at(start);
    for _ in 0..3 {
        queue.push(Frame::encode(&json!({"action": "x"})).unwrap()).unwrap();
    }
    queue.close(Ending::Flush);
    // One was taken, then the stream took no more.
    assert!(matches!(session.poll_output(start, &mut queue), Some(Output::Send(_))));
    let deadline = session.next_deadline().unwrap();
    assert_eq!(deadline, start + Config::default().linger);
    session.handle_time(deadline, true);
    assert_eq!(session.poll_output(deadline, &mut queue), Some(Output::CloseSocket));
    assert_eq!(queue.len(), 2, "the driver counts them");
}

#[test]
fn closing_is_heard_while_the_stream_takes_nothing() {
    let start = now();
    let mut session = connection_at(start);
    session.handle_ending(start, Ending::Open);
    assert_eq!(session.next_deadline(), None);
    session.handle_ending(start, Ending::Flush);
    let deadline = start + Config::default().linger;
    session.handle_ending(start + Duration::from_millis(1), Ending::Flush);
    assert_eq!(session.next_deadline(), Some(deadline), "asking again gives no more time");
    assert!(!session.has_orders());
    session.handle_time(deadline, true);
    assert!(session.has_orders());
    assert_eq!(reason(&mut session), DisconnectReason::Closed);
}

#[test]
fn discarding_ends_a_connection_that_lingers() {
    let start = now();
    let mut queue = queue();
    let mut session = connection_at(start);
    queue.push(Frame::encode(&json!({"action": "x"})).unwrap()).unwrap();
    session.handle_ending(start, Ending::Flush);
    session.handle_ending(start, Ending::Discard);
    queue.close(Ending::Discard);
    assert_eq!(session.poll_output(start, &mut queue), Some(Output::CloseSocket));
    let closed = Some(Output::Closed(DisconnectReason::Closed));
    assert_eq!(session.poll_output(start, &mut queue), closed);
    assert_eq!(session.farewell_deadline(start), start, "it had its time");
    assert_eq!(queue.len(), 1, "the driver counts it");
}

#[test]
fn a_frame_has_to_end_in_time() {
    let start = now();
    let mut session = connection_at(start);
    session.handle_partial(start);
    session.handle_partial(start + Duration::from_secs(20)); // more of the same frame
    let deadline = start + Config::default().frame_timeout;
    assert_eq!(session.next_deadline(), Some(deadline));
    session.handle_time(deadline, true);
    assert_eq!(reason(&mut session), DisconnectReason::FrameTimeout);

    let mut session = connection_at(start);
    session.handle_partial(start);
    session.handle_payload(start, b"\x80").unwrap();
    assert_eq!(session.next_deadline(), None);
}

#[test]
fn too_many_messages_end_the_connection() {
    let start = now();
    let config = Config { max_rate: Some(10), ..Config::default() };
    let mut session: Session<Frame> = Session::open(start, config, Role::Server);
    for millis in (0..5000).step_by(100) {
        session.handle_payload(start + Duration::from_millis(millis), b"\x80").unwrap();
    }
    assert!(!session.is_closed(), "ten a second are allowed");
    let last = start + Duration::from_secs(10);
    for _ in 0..10 {
        session.handle_payload(last, b"\x80").unwrap();
    }
    assert!(!session.is_closed(), "ten at once are allowed");
    session.handle_payload(last, b"\x80").unwrap();
    assert_eq!(reason(&mut session), DisconnectReason::RateExceeded);
}

#[test]
fn reserved_actions_are_messages_like_others() {
    let mut session = connection();
    for action in ["connected", "disconnected", "error", "socketConnect"] {
        let frame = Frame::encode(&json!({"action": action})).unwrap();
        let message = session.handle_payload(now(), &frame.as_bytes()[4..]).unwrap().unwrap();
        assert_eq!(message.action(), action);
        assert!(!session.is_closed());
    }
}

#[test]
fn every_end_has_its_reason() {
    for (end, expected) in [
        (SocketEnd::Closed, DisconnectReason::PeerClosed),
        (SocketEnd::Failed, DisconnectReason::ConnectionError),
        (SocketEnd::Stalled, DisconnectReason::SlowPeer),
    ] {
        let mut session = connection();
        session.handle_socket_end(end);
        assert_eq!(reason(&mut session), expected);
    }
    let mut session = connection();
    let error = FrameDecoder::new(1).decode(b"\x00\x00\x00\x02").unwrap_err();
    session.handle_socket_end(SocketEnd::TooLong(error));
    assert_eq!(reason(&mut session), DisconnectReason::TooLarge);
}

fn any_value() -> impl Strategy<Value = rmpv::Value> {
    let leaf = prop_oneof![
        Just(rmpv::Value::Nil),
        any::<bool>().prop_map(rmpv::Value::from),
        any::<i64>().prop_map(rmpv::Value::from),
        any::<u64>().prop_map(rmpv::Value::from),
        (-200_i64..200).prop_map(rmpv::Value::from),
        any::<f64>().prop_map(rmpv::Value::F64),
        ".{0,40}".prop_map(|text| rmpv::Value::from(text.as_str())),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(rmpv::Value::Binary),
        (0..127_i8, proptest::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(code, data)| rmpv::Value::Ext(code, data)),
    ];
    leaf.clone().prop_recursive(4, 64, 20, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(rmpv::Value::Array),
            proptest::collection::vec((leaf.clone(), inner), 0..20).prop_map(rmpv::Value::Map),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// What rmpv writes we read, and write the same way.
    #[test]
    fn agrees_with_rmpv(value in any_value()) {
        let map = rmpv::Value::Map(vec![("action".into(), "x".into()), ("v".into(), value)]);
        let mut bytes = vec![];
        rmpv::encode::write_value(&mut bytes, &map).unwrap();
        let message = Message::decode(&bytes).unwrap().unwrap();
        let frame = Frame::encode(&message).unwrap();
        prop_assert_eq!(&frame.as_bytes()[4..], bytes);
    }

    /// Both take the same bytes for values, and refuse the same.
    #[test]
    fn refuses_what_rmpv_refuses(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut rest = &bytes[..];
        let theirs = rmpv::decode::read_value(&mut rest).ok().filter(|_| rest.is_empty());
        match Message::decode(&bytes) {
            Ok(_) => prop_assert!(theirs.is_some()),
            // Rules that msgpack itself does not have.
            Err(
                DecodeError::CompoundKey | DecodeError::ReservedExt(_) | DecodeError::InvalidTimestamp
                | DecodeError::InvalidUtf8,
            ) => {}
            // rmpv takes the byte that msgpack never uses for nil.
            Err(DecodeError::ReservedMarker) => prop_assert!(bytes.contains(&0xc1)),
            Err(_) => prop_assert_eq!(theirs, None),
        }
    }
}

fn connection() -> Session<Frame> {
    connection_at(now())
}

fn connection_at(now: Instant) -> Session<Frame> {
    Session::open(now, Config::default(), Role::Client)
}

fn queue() -> SendQueue<Frame> {
    SendQueue::new(Limits { messages: 10, bytes: 10_000 })
}

#[track_caller]
fn reason(session: &mut Session<Frame>) -> DisconnectReason {
    let mut queue = queue();
    let mut reason = None;
    while let Some(output) = session.poll_output(now(), &mut queue) {
        if let Output::Closed(why) = output {
            reason = Some(why);
        }
    }
    reason.expect("the connection has ended")
}

fn now() -> Instant {
    Instant::now()
}

fn spec() -> Json {
    serde_json::from_str(include_str!("../../../../spec/repod.json")).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// `{'v': value}`.
fn v<T: Serialize>(value: T) -> BTreeMap<&'static str, T> {
    BTreeMap::from([("v", value)])
}

fn frame<T: Serialize>(value: &T) -> Frame {
    Frame::encode(value).unwrap()
}

/// A map whose keys are of many kinds, in order.
struct Pairs(Vec<(Key, &'static str)>);

#[derive(Serialize)]
#[serde(untagged)]
enum Key {
    Int(i64),
    Float(f64),
    Bytes(&'static Bytes),
    Nil(()),
}

impl Serialize for Pairs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[derive(Serialize)]
struct State {
    action: &'static str,
    it: i32,
    players: BTreeMap<i32, Player>,
}

#[derive(Serialize)]
struct Player {
    x: f64,
    y: f64,
    color: (u8, u8, u8),
}

#[derive(Serialize)]
struct Action<A: Serialize, B: Serialize> {
    action: &'static str,
    #[serde(flatten)]
    first: Option<A>,
    #[serde(flatten)]
    second: Option<B>,
}

/// The Python value of a vector, as Rust writes it.
fn in_rust(python: &str) -> Frame {
    let bytes = |data: &'static [u8]| frame(&v(Bytes::new(data)));
    let action =
        |action: &'static str| frame(&Action { action, first: None::<Json>, second: None::<Json> });
    let repeated = |text: &str, count: usize| frame(&v(text.repeat(count)));
    let numbered = |count: u32| {
        struct Numbered(u32);
        impl Serialize for Numbered {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map((0..self.0).map(|number| (number.to_string(), number)))
            }
        }
        frame(&Numbered(count))
    };
    match python {
        "{'action':'connected'}" => action("connected"),
        "{'action':'socketConnect'}" => action("socketConnect"),
        "{'action':'disconnected'}" => action("disconnected"),
        "{}" => frame(&json!({})),
        "{'action':'chat','message':'Hello!'}" => frame(&Action {
            action: "chat",
            first: Some(json!({"message": "Hello!"})),
            second: None::<Json>,
        }),
        "{'action':'move','x':10,'y':20}" => frame(&Action {
            action: "move",
            first: Some(json!({"x": 10})),
            second: Some(json!({"y": 20})),
        }),
        "{'action':'login','username':'alice'}" => frame(&Action {
            action: "login",
            first: Some(json!({"username": "alice"})),
            second: None::<Json>,
        }),
        "{'action':'chat','text':'Hello world!'}" => frame(&Action {
            action: "chat",
            first: Some(json!({"text": "Hello world!"})),
            second: None::<Json>,
        }),
        "{'v':0}" => frame(&v(0)),
        "{'v':127}" => frame(&v(127_u64)),
        "{'v':128}" => frame(&v(128_i32)),
        "{'v':255}" => frame(&v(255_u8)),
        "{'v':256}" => frame(&v(256_i16)),
        "{'v':65535}" => frame(&v(65535_u16)),
        "{'v':65536}" => frame(&v(65536_i64)),
        "{'v':2**32-1}" => frame(&v(u32::MAX)),
        "{'v':2**32}" => frame(&v(1_i64 << 32)),
        "{'v':2**63}" => frame(&v(1_u64 << 63)),
        "{'v':2**64-1}" => frame(&v(u64::MAX)),
        "{'v':-1}" => frame(&v(-1_i8)),
        "{'v':-32}" => frame(&v(-32_i64)),
        "{'v':-33}" => frame(&v(-33)),
        "{'v':-128}" => frame(&v(i8::MIN)),
        "{'v':-129}" => frame(&v(-129_i64)),
        "{'v':-32768}" => frame(&v(i16::MIN)),
        "{'v':-32769}" => frame(&v(-32769)),
        "{'v':-2**31}" => frame(&v(i32::MIN)),
        "{'v':-2**31-1}" => frame(&v(i64::from(i32::MIN) - 1)),
        "{'v':-2**63}" => frame(&v(i64::MIN)),
        "{'v':0.0}" => frame(&v(0.0)),
        "{'v':-0.0}" => frame(&v(-0.0)),
        "{'v':1.5}" => frame(&v(1.5_f32)),
        "{'v':3.14}" => frame(&v("3.14".parse::<f64>().unwrap())),
        "{'v':float('inf')}" => frame(&v(f64::INFINITY)),
        "{'v':float('nan')}" => frame(&v(f64::NAN)),
        "{'v':1e300}" => frame(&v(1e300)),
        "{'v':True}" => frame(&v(true)),
        "{'v':False}" => frame(&v(false)),
        "{'v':None}" => frame(&v(())),
        "{'v':''}" => frame(&v("")),
        "{'v':'a'*31}" => repeated("a", 31),
        "{'v':'a'*32}" => repeated("a", 32),
        "{'v':'a'*255}" => repeated("a", 255),
        "{'v':'a'*256}" => repeated("a", 256),
        "{'v':'\\u00f1\\U0001f600'}" => frame(&v("\u{f1}\u{1f600}")),
        "{'v':'abc\\x00def'}" => frame(&v("abc\0def")),
        "{'v':b''}" => bytes(b""),
        "{'v':b'\\x00\\xff'}" => bytes(b"\x00\xff"),
        "{'v':bytearray(b'x')}" | "{'v':memoryview(b'x')}" => bytes(b"x"),
        "{'v':b'z'*255}" => bytes(&[b'z'; 255]),
        "{'v':b'z'*256}" => bytes(&[b'z'; 256]),
        "{'v':[]}" => frame(&v([0; 0])),
        "{'v':(1,2)}" => frame(&v((1, 2))),
        "{'v':list(range(15))}" => frame(&v((0..15).collect::<Vec<_>>())),
        "{'v':list(range(16))}" => frame(&v((0..16).collect::<Vec<_>>())),
        "{str(i):i for i in range(15)}" => numbered(15),
        "{str(i):i for i in range(16)}" => numbered(16),
        "{1:'int key',1.5:'f',b'b':'bytes',None:'nil',-3:'neg'}" => frame(&Pairs(vec![
            (Key::Int(1), "int key"),
            (Key::Float(1.5), "f"),
            (Key::Bytes(Bytes::new(b"b")), "bytes"),
            (Key::Nil(()), "nil"),
            (Key::Int(-3), "neg"),
        ])),
        "{'v':msgpack.ExtType(5,b'hi')}" => frame(&v(Ext { code: 5, data: b"hi" })),
        "{'v':msgpack.ExtType(5,b'')}" => frame(&v(Ext { code: 5, data: b"" })),
        "{'v':msgpack.ExtType(5,b'abc')}" => frame(&v(Ext { code: 5, data: b"abc" })),
        "{'v':msgpack.Timestamp(1,0)}" => frame(&v(Timestamp { seconds: 1, nanoseconds: 0 })),
        "{'v':msgpack.Timestamp(1,2)}" => frame(&v(Timestamp { seconds: 1, nanoseconds: 2 })),
        "{'v':msgpack.Timestamp(-1,2)}" => frame(&v(Timestamp { seconds: -1, nanoseconds: 2 })),
        "[1,2]" => Frame::encode_any(&[1, 2]).unwrap(),
        "None" => Frame::encode_any(&()).unwrap(),
        "'s'" => Frame::encode_any("s").unwrap(),
        state if state.starts_with("{'action':'state'") => {
            frame(&State { action: "state", it: 1, players: players(state) })
        }
        other => panic!("no value for {other}"),
    }
}

/// The players of the one vector that has some: `{1:{'x':1.5,'y':2.0,'color':[60,180,75]},2:…}`.
fn players(python: &str) -> BTreeMap<i32, Player> {
    let (_, players) = python.split_once("'players':{").unwrap();
    players
        .split("},")
        .map(|player| {
            let number = |key: &str| {
                let (_, rest) = player.split_once(key).unwrap();
                rest.split([',', ']', '}']).next().unwrap().parse().unwrap()
            };
            let (_, colors) = player.split_once("'color':").unwrap();
            let colors: Vec<u8> = colors
                .trim_matches(|c: char| !c.is_ascii_digit())
                .split(',')
                .map(|color| color.parse().unwrap())
                .collect();
            let id = player.split(':').next().unwrap().parse().unwrap();
            let color = (colors[0], colors[1], colors[2]);
            (id, Player { x: number("'x':"), y: number("'y':"), color })
        })
        .collect()
}
