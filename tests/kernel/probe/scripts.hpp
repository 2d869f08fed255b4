// Programs that the tests trace, in Python: each is one process unless it says otherwise.
#pragma once

namespace lab::test {

// The server's end closes with five bytes unread; the client, a child, sees the reset.
inline constexpr const char* close_unread = R"(
import os, socket
l = socket.socket(); l.bind(('127.0.0.1', 8080)); l.listen(5)
r, w = os.pipe()
child = os.fork()
if child == 0:
    c = socket.socket(); c.connect(('127.0.0.1', 8080)); c.send(b'hello'); os.write(w, b'x')
    try: c.recv(64)
    except ConnectionResetError: pass
    os._exit(3)
a, _ = l.accept()
os.read(r, 1)
while len(a.recv(64, socket.MSG_PEEK)) < 5: pass
a.close()
os.waitpid(child, 0)
)";

// One process, both ends: every kind of end a connection's calls can have.
inline constexpr const char* both_ends = R"(
import socket, struct
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(('127.0.0.1', 8080)); l.listen(5)
c = socket.socket(); c.connect(('127.0.0.1', 8080)); a, _ = l.accept()
c.send(b'hello'); a.recv(64); a.send(b'hi'); c.recv(64)
c.shutdown(socket.SHUT_WR); a.recv(64)
a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); a.close()
try: c.recv(64)
except ConnectionResetError: pass
try: c.send(b'x')
except BrokenPipeError: pass
c.close()
d = socket.socket()
try: d.connect(('127.0.0.1', 9))
except ConnectionRefusedError: pass
d.close(); l.close()
)";

}  // namespace lab::test
