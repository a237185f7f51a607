//! Our sides of the game of repod.

use std::collections::HashMap;
use std::sync::Mutex;

use heartwire::blocking;
use heartwire::repod::client::{Client, Event};
use heartwire::repod::{
    Actions, Channel, ChannelId, DisconnectReason, Disconnected, Ext, Frame, Message, RoundTrip,
    Server, Timestamp, Value,
};
use serde::{Serialize, Serializer};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Messages in each direction.
pub(crate) const COUNT: usize = 5000;

/// Messages that a client is sent before it is thrown out.
pub(crate) const GOODBYES: usize = 1000;

/// A value that owns what it holds.
#[derive(Clone, Debug)]
pub(crate) enum Datum {
    Nil,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Ext(i8, Vec<u8>),
    Timestamp(i64, u32),
}

impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(number) => serializer.serialize_i128(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Map(items) => {
                serializer.collect_map(items.iter().map(|(key, value)| (key, value)))
            }
            Self::Ext(code, data) => Ext { code: *code, data }.serialize(serializer),
            Self::Timestamp(seconds, nanoseconds) => {
                Timestamp { seconds: *seconds, nanoseconds: *nanoseconds }.serialize(serializer)
            }
        }
    }
}

impl PartialEq<Value<'_>> for Datum {
    fn eq(&self, value: &Value<'_>) -> bool {
        match (self, *value) {
            (Self::Nil, Value::Nil) => true,
            (Self::Bool(one), Value::Bool(other)) => *one == other,
            (Self::Int(one), Value::Int(other)) => *one == i128::from(other),
            (Self::Int(one), Value::UInt(other)) => *one == i128::from(other),
            (Self::Float(one), Value::Float(other)) => {
                one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
            }
            (Self::Text(one), Value::Text(other)) => one == other,
            (Self::Bytes(one), Value::Binary(other)) => one == other,
            (Self::Array(one), Value::Array(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other.iter()).all(|(one, other)| *one == other)
            }
            (Self::Map(one), Value::Map(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(other.iter())
                        .all(|(one, other)| one.0 == other.0 && one.1 == other.1)
            }
            (Self::Ext(code, data), Value::Ext(ext)) => *code == ext.code && data == ext.data,
            (Self::Timestamp(seconds, nanoseconds), Value::Timestamp(other)) => {
                *seconds == other.seconds && *nanoseconds == other.nanoseconds
            }
            _ => false,
        }
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<usize> for Datum {
    fn from(number: usize) -> Self {
        Self::Int(number as i128)
    }
}

/// Every type, at the edges of its forms. The list stands in `peers/repod_game.py`, too.
pub(crate) fn data() -> Vec<Datum> {
    use Datum::{Array, Bool, Bytes, Ext, Float, Int, Map, Nil, Text, Timestamp};
    let array = |items: &[i128]| Array(items.iter().map(|number| Int(*number)).collect());
    let sevens = |count| array(&vec![7; count]);
    vec![
        Nil,
        Array(vec![Bool(true), Bool(false)]),
        array(&[
            0,
            127,
            128,
            255,
            256,
            65535,
            65536,
            (1 << 32) - 1,
            1 << 32,
            (1 << 63) - 1,
            1 << 63,
            (1 << 64) - 1,
        ]),
        array(&[-1, -32, -33, -128, -129, -32768, -32769, -(1 << 31), -(1 << 31) - 1, -(1 << 63)]),
        Array(
            [0.0, -0.0, 1.5, 1e300, -5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]
                .map(Float)
                .into(),
        ),
        Array([0, 31, 32, 255, 256, 65535, 65536].map(|length| Text("a".repeat(length))).into()),
        "ünïcödé 🎈 \u{0} \u{2028} \u{feff}".into(),
        Array(vec![Bytes(vec![]), Bytes((0..=255).collect()), Bytes(vec![0xfe; 65536])]),
        Array(vec![Array(vec![]), sevens(15), sevens(16), sevens(65536)]),
        Map(vec![]),
        Map((0..16).map(|number: usize| (Text(number.to_string()), number.into())).collect()),
        Map((0..70_000).map(|number| (Int(number), Int(-number))).collect()),
        Map(vec![
            (Int(7), "int".into()),
            (Int(-7), "negative".into()),
            ("7".into(), "text".into()),
            (Float(2.5), "float".into()),
            (Nil, "nil".into()),
            (Bool(false), "bool".into()),
            (Bytes(b"7".to_vec()), "bytes".into()),
        ]),
        (0..200).fold(Int(0), |value, _| Array(vec![value])),
        (0..100).fold(Int(0), |value, _| Map(vec![("a".into(), value)])),
        Array(
            [0, 1, 2, 3, 4, 8, 16, 17]
                .map(|length: u8| Ext(length as i8, vec![b'x'; length.into()]))
                .into(),
        ),
        Array(vec![Ext(127, vec![b'y'; 256]), Ext(3, vec![b'z'; 65536])]),
        Array(vec![
            Timestamp(0, 0),
            Timestamp(1, 500),
            Timestamp(1 << 32, 0),
            Timestamp(1 << 34, 1),
            Timestamp(-1, 999_999_999),
        ]),
        Text("x".repeat(3_000_000)),
        Bytes(vec![0xfe; 3_000_000]),
    ]
}

/// Actions that have no handler: the message is sent back.
pub(crate) fn actions() -> Vec<Datum> {
    vec![
        "ping".into(),
        "".into(),
        "ż 🎈".into(),
        Datum::Int(5),
        Datum::Nil,
        Datum::Bool(true),
        Datum::Float(1.5),
        Datum::Bytes(b"a".to_vec()),
    ]
}

/// A message.
pub(crate) fn message<const N: usize>(action: &str, fields: [(&str, Datum); N]) -> Datum {
    let fields = fields.map(|(key, value)| (key.into(), value));
    Datum::Map([("action".into(), action.into())].into_iter().chain(fields).collect())
}

#[track_caller]
pub(crate) fn assert_same(expected: &Datum, message: &Message) {
    let shown: String = format!("{message:?}").chars().take(200).collect();
    assert!(*expected == Value::Map(message.map()), "{shown}");
}

/// A client that is connected, whichever it is.
pub(crate) trait Seat {
    fn send(&mut self, message: &Datum);
    fn recv(&mut self) -> Message;
    /// Waits for the end, after which nothing may come, and counts the messages before it.
    fn end(&mut self) -> (Disconnected, usize);
    fn round_trip(&self) -> Option<RoundTrip>;
}

pub(crate) struct AsyncSeat {
    client: Client,
    runtime: Runtime,
}

impl AsyncSeat {
    pub(crate) fn take(port: u16) -> Self {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(Client::connect("localhost", port)).unwrap();
        Self { client, runtime }
    }
}

impl Seat for AsyncSeat {
    fn send(&mut self, message: &Datum) {
        self.runtime.block_on(self.client.send(message)).unwrap();
    }

    fn recv(&mut self) -> Message {
        self.runtime.block_on(self.client.recv()).unwrap()
    }

    fn end(&mut self) -> (Disconnected, usize) {
        end_of(|| self.runtime.block_on(self.client.next()))
    }

    fn round_trip(&self) -> Option<RoundTrip> {
        self.client.round_trip()
    }
}

impl Seat for blocking::repod::Client {
    fn send(&mut self, message: &Datum) {
        assert!(Self::send(self, message).unwrap() > 0);
    }

    fn recv(&mut self) -> Message {
        Self::recv(self).unwrap()
    }

    fn end(&mut self) -> (Disconnected, usize) {
        end_of(|| self.next())
    }

    fn round_trip(&self) -> Option<RoundTrip> {
        Self::round_trip(self)
    }
}

fn end_of(mut next: impl FnMut() -> Option<Event>) -> (Disconnected, usize) {
    let mut count = 0;
    let disconnected = loop {
        match next() {
            Some(Event::Disconnected(disconnected)) => break disconnected,
            Some(Event::Message(last)) => {
                assert_same(&message("goodbye", [("n", count.into())]), &last);
                count += 1;
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(next().is_none(), "the end is the last event");
    (disconnected, count)
}

/// Plays the game from the first message to the end, for a client that has just connected. Returns how many
/// messages the server has said goodbye with.
pub(crate) fn play(seat: &mut impl Seat) -> usize {
    assert_same(&message("connected", []), &seat.recv());
    for n in 0..COUNT {
        seat.send(&message("up", [("n", n.into())]));
    }
    seat.send(&message("flood", [("count", COUNT.into())]));
    for n in 0..COUNT {
        assert_same(&message("down", [("n", n.into())]), &seat.recv());
    }
    for (index, value) in data().into_iter().enumerate() {
        let value = message("value", [("index", index.into()), ("value", value)]);
        seat.send(&value);
        assert_same(&value, &seat.recv());
    }
    for (n, action) in actions().into_iter().enumerate() {
        let strange = Datum::Map(vec![("action".into(), action), ("n".into(), n.into())]);
        seat.send(&strange);
        assert_same(&strange, &seat.recv());
    }
    seat.send(&message("report", []));
    let report = [("count", COUNT.into()), ("first_wrong", Datum::Nil)];
    assert_same(&message("report", report), &seat.recv());
    if cfg!(target_os = "linux") {
        let trip = seat.round_trip().expect("the kernel has measured it");
        assert!(!trip.time.is_zero());
    }
    seat.send(&message("kick", []));
    let (disconnected, goodbyes) = seat.end();
    assert_eq!(disconnected.reason, DisconnectReason::PeerClosed, "{disconnected}");
    assert_eq!(disconnected.unsent, 0);
    goodbyes
}

/// A server for the game, on threads of its own.
pub(crate) struct GameServer {
    pub(crate) port: u16,
    pub(crate) server: Server,
    _runtime: Runtime,
}

#[derive(Default)]
struct Score {
    count: usize,
    first_wrong: Option<String>,
}

type Scores = std::sync::Arc<Mutex<HashMap<ChannelId, Score>>>;

impl GameServer {
    /// Starts it; `ended` is told how each connection has ended.
    pub(crate) fn start(ended: impl Fn(&Channel, &Disconnected) + Send + Sync + 'static) -> Self {
        let server = Server::builder().send_limits(10_000, 16 << 20).build();
        server.set_handler(referee(server.clone()).on_disconnect(ended));
        let runtime = Runtime::new().unwrap();
        let serving = server.clone();
        let port = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(async move { serving.serve(listener).await });
            port
        });
        Self { port, server, _runtime: runtime }
    }
}

fn referee(server: Server) -> Actions {
    let scores = Scores::default();
    let (ups, values, reports) = (scores.clone(), scores.clone(), scores);
    Actions::new()
        .on("up", move |context, up| {
            let mut scores = ups.lock().unwrap();
            let score = scores.entry(context.channel().id()).or_default();
            if message("up", [("n", score.count.into())]) != Value::Map(up.map()) {
                score.first_wrong.get_or_insert_with(|| format!("{up:?}"));
            }
            score.count += 1;
        })
        .on("flood", |context, flood| {
            for n in 0..flood.get("count").unwrap().as_u64().unwrap() as usize {
                context.channel().try_send(&message("down", [("n", n.into())])).unwrap();
            }
        })
        .on("value", move |context, sent| {
            let index = sent.get("index").unwrap().as_u64().unwrap() as usize;
            let value = data().swap_remove(index);
            if value != sent.get("value").unwrap() {
                let mut scores = values.lock().unwrap();
                let score = scores.entry(context.channel().id()).or_default();
                score.first_wrong.get_or_insert_with(|| format!("value {index}"));
            }
            let own = message("value", [("index", index.into()), ("value", value)]);
            context.reply(&own).unwrap();
        })
        .on("everybody", move |_, text| {
            let slow = server.send_frame_to_all(&text.to_frame());
            assert!(slow.is_empty());
        })
        .on("report", move |context, _| {
            let mut scores = reports.lock().unwrap();
            let Score { count, first_wrong } =
                scores.remove(&context.channel().id()).unwrap_or_default();
            let first_wrong = first_wrong.map_or(Datum::Nil, Datum::Text);
            let fields = [("count", count.into()), ("first_wrong", first_wrong)];
            context.reply(&message("report", fields)).unwrap();
        })
        .on("kick", |context, _| {
            for n in 0..GOODBYES {
                let frame = Frame::encode(&message("goodbye", [("n", n.into())])).unwrap();
                context.channel().try_send_frame(frame).unwrap();
            }
            context.channel().kick("it asked for it");
        })
        .on_other(|context, other| context.forward(other).unwrap())
}
