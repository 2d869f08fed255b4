"""Writes every request into its log before it answers."""
import tempfile

from common import listener

connection, _ = listener().accept()
with tempfile.TemporaryFile() as log:
    request = connection.recv(64)
    log.write(request * 1024)
    log.flush()
    connection.sendall(b"Hello Client")
connection.close()
