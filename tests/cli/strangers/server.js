// Event-driven servers with a known way to end their connection: node server.js HOW
const net = require('net');
const how = {
  destroy: (socket) => socket.on('data', () => socket.destroy()),
  throws: (socket) => socket.on('data', () => { throw new Error('unhandled'); }),
  resets: (socket) => socket.on('data', () => socket.resetAndDestroy()),
}[process.argv[2]];
net.createServer(how).listen(process.env.LAB_PORT, process.env.LAB_HOST);
