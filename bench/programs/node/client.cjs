// engine.io-client: `PORT`.
const { Socket } = require("engine.io-client");
const url = `http://127.0.0.1:${process.argv[2]}`;
const FLOOD = 100000;
const CROWD = 50;
const message = (first) => first.padEnd(64, "x");
const micros = () => Number(process.hrtime.bigint()) / 1000;

const open = () =>
  new Promise((resolve, reject) => {
    const socket = new Socket(url, { transports: ["websocket"] });
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
  });

(async () => {
  const socket = await open();
  const before = process.memoryUsage().rss;
  const crowd = [];
  for (let i = 0; i < CROWD; i++) crowd.push(await open());
  const report = { bytes_each: (process.memoryUsage().rss - before) / CROWD };
  crowd.forEach((other) => other.close());
  let handle;
  socket.on("message", (data) => handle(data));

  const echo = message("e");
  const trips = [];
  await new Promise((resolve) => {
    const start = micros();
    let sent = micros();
    handle = (data) => {
      const now = micros();
      if (data !== echo) throw new Error(data);
      if (now > start + 300000) trips.push(now - sent);
      if (now > start + 1300000) return resolve();
      sent = micros();
      socket.send(echo);
    };
    socket.send(echo);
  });
  trips.sort((a, b) => a - b);
  report.p50_us = trips[trips.length >> 1];

  let start = micros();
  await new Promise((resolve, reject) => {
    handle = (data) => (data === String(FLOOD) ? resolve() : reject(new Error(data)));
    for (let i = 0; i < FLOOD; i++) socket.send(message("S"));
    socket.send("C");
  });
  report.send = (FLOOD / (micros() - start)) * 1e6;

  start = micros();
  let count = 0;
  await new Promise((resolve) => {
    handle = (data) => (data === "D" ? resolve() : count++);
    socket.send(`F${FLOOD}`);
  });
  if (count !== FLOOD) throw new Error(`${count} messages of ${FLOOD}`);
  report.receive = (FLOOD / (micros() - start)) * 1e6;
  console.log(JSON.stringify(report));
  process.exit(0);
})();
