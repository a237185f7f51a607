// engine.io-parser: nanoseconds of a packet.
const { decodePayload, encodePayload } = require("engine.io-parser");

function nanoseconds(packets, call) {
  for (let i = 0; i < 20000; i++) call();
  const start = process.hrtime.bigint();
  let [calls, elapsed] = [0, 0];
  while (elapsed < 3e8) {
    for (let i = 0; i < 200; i++) call();
    calls += 200;
    elapsed = Number(process.hrtime.bigint() - start);
  }
  return elapsed / calls / packets;
}

let sink = 0;
const keep = (payload) => {
  sink += payload.length;
};
const text = "a".repeat(64);
const texts = Array.from({ length: 16 }, () => ({ type: "message", data: text }));
const binary = [{ type: "message", data: Buffer.alloc(16384, 7) }];
const textPayload = Array(16).fill("4" + text).join("\x1e");
const binaryPayload = "b" + binary[0].data.toString("base64");
const report = {
  decode_text_ns: nanoseconds(16, () => keep(decodePayload(textPayload))),
  encode_text_ns: nanoseconds(16, () => encodePayload(texts, keep)),
  decode_binary_ns: nanoseconds(1, () => keep(decodePayload(binaryPayload))),
  encode_binary_ns: nanoseconds(1, () => encodePayload(binary, keep)),
};
if (sink === 0) throw new Error("nothing was made");
console.log(JSON.stringify(report));
