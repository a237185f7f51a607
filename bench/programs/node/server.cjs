// engine.io on ws, sending messages back, and those that begin with a B to everybody:
// `PORT [PING_INTERVAL PING_TIMEOUT]`.
const engine = require("engine.io");
const { createServer } = require("http");
const { Sender } = require("ws");

const [port, pingInterval = 25000, pingTimeout = 20000] = process.argv.slice(2).map(Number);
const http = createServer();
const server = new engine.Server({
  pingInterval,
  pingTimeout,
  perMessageDeflate: false,
  httpCompression: false,
});
server.attach(http, {});
server.on("connection", (socket) => {
  socket.on("message", (data) => {
    if (typeof data !== "string" || data[0] !== "B") {
      socket.send(data);
      return;
    }
    // As socket.io does: the frame is made once.
    const options = { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true };
    const wsPreEncodedFrame = Sender.frame(Buffer.from("4" + data), options);
    for (const id in server.clients) server.clients[id].write(data, { wsPreEncodedFrame });
  });
});
http.listen({ port, host: "127.0.0.1", backlog: 4096 });
