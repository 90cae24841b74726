"""What can stand between a client and a server: an end of TLS, or an HTTP proxy. Threads of the test; counts what passes."""

import contextlib
import socket
import ssl
import threading


def pump(source, target):
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def join(one, other):
    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join()
    one.close()
    other.close()


class Relay:
    """Listens on a free port of 127.0.0.1 while it is entered; `connections` are those that came through."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError):
            joined = self.connect(client)
            if joined is not None:
                self.connections += 1
                join(*joined)
                return
        client.close()

    def connect(self, client):
        raise NotImplementedError


class TlsEnd(Relay):
    """Speaks TLS with clients, and plainly with the server at `port`."""

    def __init__(self, port, certificate, key):
        self.server_port = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        super().__init__()

    def connect(self, client):
        return self.context.wrap_socket(client, server_side=True), socket.create_connection(("127.0.0.1", self.server_port))


class TunnelProxy(Relay):
    """An HTTP proxy that knows CONNECT, and nothing else. Every host is this machine."""

    def connect(self, client):
        head = b""
        while b"\r\n\r\n" not in head and len(head) < 16384:
            piece = client.recv(4096)
            if not piece:
                return None
            head += piece
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method != "CONNECT":
            client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return None
        server = socket.create_connection(("127.0.0.1", int(target.rsplit(":", 1)[1])))
        client.sendall(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        return client, server
