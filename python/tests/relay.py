"""A port of the test's choice that leads to a server."""

import contextlib
import socket
import ssl
import threading


class Relay:
    """Leads connections to `127.0.0.1:target`, and notes what clients send.

    :param port: where it listens, on every address of localhost. Raises OSError if that is taken.
    :param certificate: a `trustme` certificate. Then it is a proxy: it accepts a CONNECT to any host, and
        ends the TLS that clients speak with that host.
    """

    def __init__(self, target, port=0, certificate=None, is_proxy=False):
        self.target = target
        self.seen = bytearray()
        self._is_proxy = is_proxy or certificate is not None
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self._context)
        self._open = set()
        self._lock = threading.Lock()
        self._listeners = [socket.create_server(("127.0.0.1", port))]
        self.port = self._listeners[0].getsockname()[1]
        with contextlib.suppress(OSError):
            self._listeners.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for listener in self._listeners:
            threading.Thread(target=self._listen, args=[listener], daemon=True).start()

    def lead_to(self, target):
        """From now on to another server. Every connection breaks."""
        self.target = target
        self._cut()

    def close(self):
        for listener in self._listeners:
            # Wakes the thread that accepts.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._cut()

    def _cut(self):
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _listen(self, listener):
        while True:
            try:
                end, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=[end], daemon=True).start()

    def _lead(self, near):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            near = self._hold(stack, near)
            if self._is_proxy:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += near.recv(1) or self._give_up()
                near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            if self._context is not None:
                near = self._hold(stack, self._context.wrap_socket(near, server_side=True))
            far = self._hold(stack, socket.create_connection(("127.0.0.1", self.target)))
            back = threading.Thread(target=self._copy, args=[far, near, None], daemon=True)
            back.start()
            self._copy(near, far, self.seen)
            back.join()

    def _hold(self, stack, end):
        stack.enter_context(end)
        with self._lock:
            self._open.add(end)

        def forget():
            with self._lock:
                self._open.discard(end)

        stack.callback(forget)
        return end

    @staticmethod
    def _give_up():
        raise OSError("the client has gone")

    @staticmethod
    def _copy(source, sink, seen):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if seen is not None:
                    seen += data
                sink.sendall(data)
        # The end of one direction is told; a TLS socket can end both only.
        with contextlib.suppress(OSError):
            how = socket.SHUT_RDWR if isinstance(sink, ssl.SSLSocket) else socket.SHUT_WR
            sink.shutdown(how)
