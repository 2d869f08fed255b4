"""Answers a request with the help of a gigabyte that nobody touches: address space, not memory."""
import mmap

from common import listener

connection, _ = listener().accept()
connection.recv(64)
with mmap.mmap(-1, 1 << 30) as table:
    connection.sendall(b"Hello Client" if table[0] == 0 else b"")
connection.close()
