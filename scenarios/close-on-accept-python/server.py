"""Accepts one connection and closes it at once."""
import os
import socket

family = socket.AF_INET6 if ":" in os.environ["LAB_HOST"] else socket.AF_INET
with socket.socket(family) as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])))
    listener.listen()
    connection, peer = listener.accept()
    print("accepted", peer[0], flush=True)
    connection.close()
    print("closed", flush=True)
