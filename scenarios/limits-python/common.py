"""A listening socket where the lab wants it."""
import os
import socket


def listener():
    host, port = os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(16)
    return sock
