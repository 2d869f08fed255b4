const net = require('net');
const socket = net.connect(process.env.LAB_PORT, process.env.LAB_HOST, () => socket.write('hello\n'));
socket.on('data', (data) => console.log(String(data)));
socket.on('error', (error) => console.log(error.code));
socket.on('end', () => console.log('end'));
