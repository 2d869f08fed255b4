"""Servers with a known way to end their connection: server.py HOW [HOST]."""
import asyncio, os, selectors, signal, socket, socketserver, struct, sys, threading, time

how, host, port = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])


def listener():
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(16)
    return s


def threaded_close():  # reads, says nothing, closes: in a thread of its own
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(100)

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer((host, port), Handler).serve_forever()


def forking_crash():  # the child that serves dies of a null pointer
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(100)
            os.kill(os.getpid(), signal.SIGSEGV)

    socketserver.ForkingTCPServer.allow_reuse_address = True
    socketserver.ForkingTCPServer((host, port), Handler).serve_forever()


def epoll_silent():  # reads everything, answers nothing
    with selectors.DefaultSelector() as ready, listener() as s:
        ready.register(s, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is s:
                    ready.register(s.accept()[0], selectors.EVENT_READ)
                elif not key.fileobj.recv(100):
                    ready.unregister(key.fileobj)


def asyncio_reset():
    async def serve(reader, writer):
        await reader.read(100)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def main():
        await (await asyncio.start_server(serve, host, port)).serve_forever()

    asyncio.run(main())


def daemon_unread():  # twice forked, closes with the request unread
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    for fd in range(3):
        os.dup2(os.open("/dev/null", os.O_RDWR), fd)
    s = listener()
    c, _ = s.accept()
    c.recv(1, socket.MSG_PEEK)
    c.close()
    signal.pause()


def never_accepts():
    s = listener()
    signal.pause()


def never_listens():
    signal.pause()


def answers():
    s = listener()
    while True:
        c, _ = s.accept()
        c.recv(100)
        c.sendall(b"hello\n")
        c.close()


globals()[how]()
