// Plays the game with a server: node engineio_client.cjs URL WAY COUNT
const { Socket } = require("engine.io-client");

const [url, way, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const transports = way === "upgrade" ? ["polling", "websocket"] : [way];
const odd = [
  "text", "", "ünïcödé 🎈 \u0000", "2probe", Buffer.from([0, 1, 255]), Buffer.alloc(0),
  Buffer.from([0x1e, 0x1e]), "x".repeat(1_000_000 - 1), Buffer.alloc(700_000, 0xfe),
];
const seen = { odd: 0, down: 0, wrong: null, upgraded: false, report: null, transport: null, extensions: null };
const socket = new Socket(url, { transports });

socket.on("open", () => {
  for (let i = 0; i < count; i++) socket.send(`up ${i}`);
  socket.send(`flood ${count}`);
});
socket.on("upgrade", () => { seen.upgraded = true; });
socket.on("message", (data) => {
  if (seen.down < count) {
    if (data !== `down ${seen.down}`) seen.wrong ??= `${data} instead of down ${seen.down}`;
    if (++seen.down === count) socket.send("report");
  } else if (seen.report === null) {
    seen.report = JSON.parse(data);
    socket.send(odd[0]);
  } else {
    const sent = odd[seen.odd];
    // The client library knows no empty text: it reads it as undefined.
    const same = typeof sent === "string" ? (data ?? "") === sent : sent.equals(data);
    if (!same) seen.wrong ??= `odd message ${seen.odd} came back changed`;
    if (++seen.odd < odd.length) return socket.send(odd[seen.odd]);
    seen.transport = socket.transport.name;
    seen.extensions = socket.transport.ws?.extensions ?? null;
    socket.close();
  }
});
socket.on("close", (reason) => {
  console.log(JSON.stringify({ ...seen, odd_sent: odd.length, reason }));
  process.exit(0);
});
process.stdin.resume().on("end", () => process.exit(1));
