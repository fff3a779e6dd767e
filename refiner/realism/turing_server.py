"""The page of the people's test, on this computer alone.

    GET /             the page
    GET /state        {"total", "answered", "next", "result"}: `next` the place of the map to show, `result` at the end
    GET /maps/K.png   the map at place K of the order
    POST /answers     {"map": K, "answer": "real" or "refined"}; gives the new state, or 409 where K has an answer

No answer says anything of the truth before the last one is in; then the server stops.
"""

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from refiner.errors import UsageError
from refiner.realism.turing import TuringTest, in_a_sentence, parse_answer

HOST = "127.0.0.1"
_LONGEST_BODY_BYTES = 10_000
_POLL_S = 0.05
_POLICY = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class TuringServer(ThreadingHTTPServer):
    """Asks a person until every map has an answer.

    Attributes:
        test: What is asked.
        page: Its HTML.
        failure: Why an answer could not be kept.
    """

    def __init__(self, test: TuringTest, port: int) -> None:
        """Listen on the loopback address.

        Args:
            test: What is asked.
            port: 0 = any that is free.

        Raises:
            UsageError: The port cannot be had.
        """
        self.test = test
        self.failure: OSError | None = None
        self._lock = threading.Lock()
        self.page = (files("refiner.realism") / "turing.html").read_bytes()
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"Found --port {port}, wanted a free one on {HOST} ({error}). Give another, or 0 for any."
            ) from None

    @property
    def url(self) -> str:
        """Give the address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def ask(self) -> None:
        """Serve until the last answer is in.

        Raises:
            OSError: An answer could not be kept.
        """
        self.serve_forever(_POLL_S)
        if self.failure is not None:
            raise self.failure

    def state(self) -> dict[str, Any]:
        """Say how far the test is."""
        result = self.test.result()
        return {
            "total": len(self.test.order),
            "answered": len(self.test.answers.said),
            "next": self.test.next_place(),
            "result": None if result is None else {**result, "sentence": in_a_sentence(result)},
        }

    def take(self, place: int, answer: str) -> bool:
        """Keep an answer; give false where the map has one.

        Raises:
            OSError: It could not be written; then no other is taken, since half a line may lie in the file.
        """
        with self._lock:
            if self.failure is not None:
                raise self.failure
            try:
                return self.test.answers.add(place, answer)
            except OSError as error:
                self.failure = error
                raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a fault, but not that the page was closed or loaded again."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: TuringServer  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = 10

    def do_GET(self) -> None:
        if not self._is_from_here():
            return
        picture = re.fullmatch(r"/maps/(\d{1,9})\.png", self.path)
        if self.path == "/":
            self._send(200, "text/html; charset=utf-8", self.server.page)
        elif self.path == "/state":
            self._send_json(200, self.server.state())
        elif picture and int(picture[1]) < len(self.server.test.order):
            self._send(200, "image/png", self.server.test.picture_png(int(picture[1])))
        else:
            self._send_json(404, {"error": "There is nothing here; the page is at /."})

    def do_POST(self) -> None:
        if not self._is_from_here():
            return
        if self.path != "/answers":
            self._send_json(404, {"error": "Answers are posted to /answers."})
            return
        total = len(self.server.test.order)
        found = parse_answer(self._body(), total)
        if found is None:
            wanted = '{"map": K, "answer": "real" or "refined"} as application/json'
            self._send_json(400, {"error": f"Wanted {wanted}, 0 <= K < {total}."})
            return
        try:
            if self.server.take(*found):
                self._send_json(200, self.server.state())
            else:
                error = f"Map {found[0]} has an answer; the first counts."
                self._send_json(409, {"error": error, **self.server.state()})
        except OSError as error:
            if self.server.failure is None:
                raise
            self._send_json(500, {"error": f"The answer could not be written: {error.strerror}."})
        finally:
            if self.server.failure is not None or self.server.test.next_place() is None:
                self.server.shutdown()

    def _body(self) -> bytes:
        """Read what was sent as JSON; nothing where it is something else or too long."""
        length = self.headers.get("Content-Length", "")
        # A form of another site cannot send this type without asking first.
        is_json = self.headers.get_content_type() == "application/json"
        fits = re.fullmatch(r"\d{1,9}", length) is not None and int(length) <= _LONGEST_BODY_BYTES
        body = self.rfile.read(int(length)) if fits else b""
        return body if is_json else b""

    def _is_from_here(self) -> bool:
        # Another site's name may be made to resolve to this computer; its pages then send that name. The port is free,
        # since it differs behind a tunnel.
        if re.fullmatch(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", self.headers.get("Host", ""), re.IGNORECASE):
            return True
        self._send_json(403, {"error": f"Only {self.server.url} is served."})
        return False

    def _send_json(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", _POLICY),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of single requests."""
