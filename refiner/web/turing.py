"""The page of the people's test.

    GET /             the page
    GET /state        {"total", "answered", "next", "result"}: `next` the place of the map to show, `result` at the end
    GET /maps/K.png   the map at place K of the order
    POST /answers     {"map": K, "answer": "real" or "refined"}; gives the new state, or 409 where K has an answer

No answer says anything of the truth before the last one is in; then the server stops.
"""

import json
import re
import threading
from collections.abc import Callable
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from refiner.realism.turing import TuringTest, in_a_sentence, parse_answer
from refiner.web.server import PageServer

_LONGEST_BODY_BYTES = 10_000
# Tighter than the gate's own: this page is one file without a framework.
_POLICY = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def ask(test: TuringTest, server: PageServer, ready: Callable[[], object]) -> None:
    """Serve the page until every map has an answer.

    Args:
        test: What is asked.
        server: Where; it is closed afterwards.
        ready: Is called when the page can be opened.

    Raises:
        OSError: An answer could not be kept.
        KeyboardInterrupt: The server was ended before the last answer.
    """
    answers = Answers(test)
    server.run(make_app(answers, server.stop), ready)
    answers.finish()


class Answers:
    """Takes answers one by one; handlers run in several threads.

    Attributes:
        test: What is asked.
        failure: Why an answer could not be kept.
    """

    def __init__(self, test: TuringTest) -> None:
        self.test = test
        self.failure: OSError | None = None
        self._lock = threading.Lock()

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

    def state(self) -> dict[str, Any]:
        """Say how far the test is."""
        result = self.test.result()
        return {
            "total": len(self.test.order),
            "answered": len(self.test.answers.said),
            "next": self.test.next_place(),
            "result": None if result is None else {**result, "sentence": in_a_sentence(result)},
        }

    def over(self) -> bool:
        """Say whether nothing more can be answered."""
        return self.failure is not None or self.test.next_place() is None

    def finish(self) -> None:
        """Check that the test is complete, once the server has ended (see `ask`)."""
        with self._lock:  # an interrupt does not wait for the thread that is writing
            if self.failure is not None:
                raise self.failure
            if self.test.next_place() is not None:
                raise KeyboardInterrupt


def make_app(answers: Answers, stop: Callable[[], object]) -> FastAPI:
    """Make the page and what it asks for.

    Args:
        answers: What is shown and kept.
        stop: Is called when nothing more can be answered.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    page = (files("refiner.web") / "turing.html").read_bytes()
    total = len(answers.test.order)

    @app.get("/")
    def get_page() -> Response:
        return _reply(200, "text/html; charset=utf-8", page)

    @app.get("/state")
    def get_state() -> Response:
        return _reply_json(200, answers.state())

    @app.get("/maps/{name}")
    def get_map(name: str) -> Response:
        picture = re.fullmatch(r"([0-9]{1,9})\.png", name)
        if picture is None or int(picture[1]) >= total:
            raise HTTPException(404)
        return _reply(200, "image/png", answers.test.picture_png(int(picture[1])))

    @app.post("/answers")
    def post_answer(text: Annotated[bytes, Depends(_read_json)]) -> Response:
        found = parse_answer(text, total)
        if found is None:
            wanted = '{"map": K, "answer": "real" or "refined"} as application/json'
            return _reply_json(400, {"error": f"Wanted {wanted}, 0 <= K < {total}."})
        try:
            if answers.take(*found):
                return _reply_json(200, answers.state())
            return _reply_json(409, {"error": f"Map {found[0]} has an answer; the first counts.", **answers.state()})
        except OSError as error:
            if answers.failure is None:
                raise
            return _reply_json(500, {"error": f"The answer could not be written: {error.strerror}."})
        finally:
            if answers.over():
                stop()  # this reply is still sent

    @app.exception_handler(404)
    @app.exception_handler(405)
    def get_nothing(request: Request, _: Exception) -> Response:
        is_answer = request.method == "POST"
        error = "Answers are posted to /answers." if is_answer else "There is nothing here; the page is at /."
        return _reply_json(404, {"error": error})

    return app


async def _read_json(request: Request) -> bytes:
    """Read what was sent as JSON; nothing where it is something else or too long."""
    # A form of another site cannot send this type without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return b""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_BODY_BYTES:
                return b""
    except ClientDisconnect:  # the page was closed or loaded again
        return b""
    return body


def _reply_json(status: int, content: dict[str, Any]) -> Response:
    return _reply(status, "application/json", json.dumps(content).encode())


def _reply(status: int, kind: str, body: bytes) -> Response:
    headers = {"content-type": kind, "cache-control": "no-store", "content-security-policy": _POLICY}
    return Response(body, status, headers)
