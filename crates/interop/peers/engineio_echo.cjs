// A server that sends every message back: node engineio_echo.cjs PING_INTERVAL_MS PING_TIMEOUT_MS
const { Server } = require("engine.io");
const http = require("http");

const [pingInterval, pingTimeout] = process.argv.slice(2).map(Number);
const listener = http.createServer((request, response) => response.writeHead(404).end());
const server = new Server({ pingInterval, pingTimeout, maxHttpBufferSize: 1_000_000 });
server.attach(listener);
server.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data ?? ""));
});
listener.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: listener.address().port }));
});
process.stdin.resume().on("end", () => process.exit(0));
