"""Accepts, and leaks descriptors as it goes; at its limit it only logs and tries again. With "spare" as argument it
keeps one descriptor back, and uses it to turn clients away."""
import errno
import os
import sys
import time

from common import listener

sock = listener()
spare = os.open("/dev/null", os.O_RDONLY) if "spare" in sys.argv else None
leaked = []
while len(leaked) < 64:
    try:
        leaked.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        break

while True:
    try:
        connection, _ = sock.accept()
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        if spare is None:
            time.sleep(0.005)  # a real one spins, or sleeps a second as Go does
            continue
        # The one that waits is taken with the spare's number and closed: better told than left to hang.
        os.close(spare)
        connection, _ = sock.accept()
        connection.close()
        spare = os.open("/dev/null", os.O_RDONLY)
        continue
    with connection:
        connection.recv(64)
        connection.sendall(b"Hello Client")
