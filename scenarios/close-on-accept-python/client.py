"""Connects, says hello, waits one second for an answer and prints what came of it."""
import os
import socket

address = os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])
with socket.create_connection(address, timeout=1) as connection:
    try:
        connection.sendall(b"Hello Server")
        answer = connection.recv(64)
        print("end of file" if not answer else f"answer {answer!r}", flush=True)
    except (ConnectionResetError, BrokenPipeError, TimeoutError) as error:
        print(f"{type(error).__name__}: {error}", flush=True)
