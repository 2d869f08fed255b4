"""Sends, waits a second for an answer, says what came: client.py [never]."""
import os, socket, sys

if sys.argv[1:] == ["never"]:
    sys.exit(0)
c = socket.socket(socket.AF_INET6 if ":" in os.environ["LAB_HOST"] else socket.AF_INET)
c.settimeout(1)
try:
    c.connect((os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])))
    c.sendall(b"hello\n")
    print(c.recv(100))
except OSError as error:
    print(error)
    sys.exit(4)
