//! What peers say in sessions: packets of every kind, whole ones and broken ones.

use arbitrary::{Result, Unstructured};

/// Texts that a peer sends as one packet, or instead of one.
const TEXTS: [&str; 32] = [
    "4hello",
    "4",
    "4ü🎈",
    "4\u{1e}",
    "bAQID",
    "b",
    "bAQIDBA==",
    "b!",
    "2",
    "2probe",
    "3",
    "3probe",
    "3x",
    "5",
    "5x",
    "6",
    "1",
    "1x",
    "0",
    "7",
    "",
    "x",
    "٤",
    "4false",
    "2prob",
    "3probes",
    "0{\"sid\":\"a\",\"upgrades\":[\"websocket\"],\"pingInterval\":1000,\"pingTimeout\":2000,\"maxPayload\":100}",
    "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":1000,\"pingTimeout\":2000}",
    "0{\"sid\":\"a\",\"upgrades\":[\"websocket\"],\"pingInterval\":18446744073709551615,\"pingTimeout\":0,\"maxPayload\":0}",
    "0{}",
    "4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "4a",
];

/// A text: one of those that are known, or as it stands in the input behind its length.
pub(super) fn text(input: &mut Unstructured<'_>) -> Result<String> {
    let kind = input.arbitrary::<u8>()?;
    if let Some(text) = TEXTS.get(usize::from(kind)) {
        return Ok((*text).to_owned());
    }
    let length = usize::from(kind % 64).min(input.len());
    Ok(String::from_utf8_lossy(input.bytes(length)?).into_owned())
}

/// A payload: some texts with separators between them.
pub(super) fn payload(input: &mut Unstructured<'_>) -> Result<String> {
    let count = input.int_in_range(0..=5_u8)?;
    let texts: Vec<_> = (0..=count).map(|_| text(input)).collect::<Result<_>>()?;
    Ok(texts.join("\u{1e}"))
}
