// A server for the game: node engineio_server.cjs [deflate]
const { Server } = require("engine.io");
const http = require("http");

const listener = http.createServer();
const perMessageDeflate = process.argv[2] === "deflate" && { threshold: 0 };
const server = new Server({ maxHttpBufferSize: 2_000_000, perMessageDeflate });
server.attach(listener);
server.on("connection", (socket) => {
  let count = 0, firstWrong = null;
  socket.on("message", (data) => {
    if (typeof data === "string" && data.startsWith("up ")) {
      if (data !== `up ${count}`) firstWrong ??= data;
      count++;
    } else if (typeof data === "string" && data.startsWith("flood ")) {
      for (let i = 0; i < Number(data.slice(6)); i++) socket.send(`down ${i}`);
    } else if (data === "report") {
      socket.send(JSON.stringify({ count, first_wrong: firstWrong }));
    } else if (data === "extensions") {
      socket.send(socket.transport.socket?.extensions ?? "");
    } else if (data === "close") {
      socket.close();
    } else {
      socket.send(data ?? "");
    }
  });
});
listener.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: listener.address().port }));
});
process.stdin.resume().on("end", () => process.exit(0));
