//! The messages that peers exchange: each says who sent it and its number, and is otherwise what these two make
//! of it, so that whoever gets it knows every byte beforehand.

use heartwire::engineio::Message;
use serde::{Deserialize, Serialize};

/// A message of one peer to another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Letter {
    /// Who has sent it: a client, or a server's session.
    pub from: String,
    /// Its number, counted from 0.
    pub id: u64,
}

/// The same as repod sends it.
#[derive(Deserialize, PartialEq, Serialize)]
struct Action {
    action: String,
    from: String,
    id: u64,
    filler: String,
}

impl Letter {
    /// The message for Engine.IO: every third is binary.
    pub fn to_message(&self) -> Message {
        let text = format!("{}:{}:{}", self.from, self.id, self.filler());
        match self.id % 3 {
            0 => Message::Binary(text.into_bytes().into()),
            _ => Message::Text(text.into()),
        }
    }

    /// The letter in a message of Engine.IO, or what the message says instead.
    ///
    /// # Errors
    ///
    /// What has come, if it is not what anybody sends.
    pub fn from_message(message: &Message) -> Result<Self, String> {
        let text = String::from_utf8_lossy(message.as_bytes());
        let mut parts = text.splitn(3, ':');
        let letter = match (parts.next(), parts.next().map(str::parse)) {
            (Some(from), Some(Ok(id))) => Self { from: from.to_owned(), id },
            _ => return Err(format!("{message:?}")),
        };
        if letter.to_message() == *message { Ok(letter) } else { Err(format!("{message:?}")) }
    }

    /// The message for repod.
    pub fn to_action(&self) -> impl Serialize + use<> {
        self.action()
    }

    /// The letter in a message of repod.
    ///
    /// # Errors
    ///
    /// What has come, if it is not what anybody sends.
    pub fn from_action(message: &heartwire::repod::Message) -> Result<Self, String> {
        let wrong = || format!("{message:?}");
        let action: Action = message.parse().map_err(|_| wrong())?;
        let letter = Self { from: action.from.clone(), id: action.id };
        if letter.action() == action { Ok(letter) } else { Err(wrong()) }
    }

    fn action(&self) -> Action {
        let action = "letter".to_owned();
        Action { action, from: self.from.clone(), id: self.id, filler: self.filler() }
    }

    /// Mostly short, now and then longer than a packet of the network.
    fn filler(&self) -> String {
        let length = match self.id % 40 {
            39 => 4000,
            _ => (self.id * 37 % 101) as usize,
        };
        "abcdefghijklmnopqrstuvwxyz"
            .chars()
            .cycle()
            .skip(self.id as usize % 26)
            .take(length)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_known_again_unless_it_was_changed() {
        for id in 0..100 {
            let letter = Letter { from: "somebody".to_owned(), id };
            assert_eq!(Letter::from_message(&letter.to_message()), Ok(letter.clone()));
            let mut bytes = letter.to_message().as_bytes().to_vec();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            assert!(Letter::from_message(&Message::Binary(bytes.into())).is_err());
        }
        let letter = Letter { from: "somebody".to_owned(), id: 0 };
        let text = String::from_utf8(letter.to_message().as_bytes().to_vec()).unwrap();
        assert!(Letter::from_message(&Message::Text(text.into())).is_err(), "it was binary");
    }
}
