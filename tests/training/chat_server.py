"""A chat server for tests, which answers each request with a function of its body."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps, loads
from typing import Any

Answer = Callable[[dict[str, Any]], str | tuple[int, str]]
"""Returns the text of the answer, or a status and any body."""


class ChatServer:
    """`bodies` has the requests in order, `headers` those of the last one."""

    def __init__(self, answer: Answer) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self._answer = answer
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.bodies.append(body)
                server.headers = dict(self.headers)
                given = server._answer(body)
                status, text = (200, _completion(given)) if isinstance(given, str) else given
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def run(self) -> None:
        self._http.serve_forever(poll_interval=0.01)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def _completion(text: str) -> str:
    return dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})


@contextlib.contextmanager
def chatting(answer: Answer) -> Iterator[ChatServer]:
    server = ChatServer(answer)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
