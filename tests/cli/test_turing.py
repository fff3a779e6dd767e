"""The whole life of a test over HTTP on the loopback address; the command runs in a thread of this process."""

import http.client
import json
import re
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes import write_balls
from killing import COMMAND, started

from refiner.cli.main import main
from refiner.realism.turing import AnswersFile
from refiner.web.server import PageServer

WORDS = ["turing", "real.zarr", "refined.zarr", "--out", "anna", "--count", "2", "--name", "Anna"]
TOTAL = 4


@pytest.fixture(autouse=True)
def _sets():
    write_balls("real.zarr", count=6, seed=5, noisy=True)
    write_balls("refined.zarr", count=6)


class Command:
    """`refiner turing` in a thread, and requests to its page."""

    def __init__(self, monkeypatch, words=WORDS):
        servers, run = [], PageServer.run

        def remember(server, app, ready):
            run(server, app, lambda: (ready(), servers.append(server)))

        monkeypatch.setattr(PageServer, "run", remember)
        self._thread = threading.Thread(target=lambda: setattr(self, "status", main(words)), daemon=True)
        self._thread.start()
        until = time.monotonic() + 20
        while not servers:
            assert self._thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.005)
        self.server = servers[0]

    def request(self, method, path, body=None, **headers):
        """Give the status, the headers and the body of a reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def answer(self, place, answer):
        """Answer as the page does; give the status and the state."""
        body = json.dumps({"map": place, "answer": answer})
        status, _, state = self.request("POST", "/answers", body, **{"Content-Type": "application/json"})
        return status, json.loads(state)

    def wait(self):
        """Wait for the command's end; give its status."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.status

    def interrupt(self):
        """End the command as Ctrl-C does, as far as a thread allows."""
        self.server.stop()
        return self.wait()


def test_a_test_from_the_first_map_to_the_table(monkeypatch, capsys):
    command = Command(monkeypatch)
    status, headers, page = command.request("GET", "/")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert b"Real or refined?" in page
    assert headers.get_all("Content-Security-Policy")[0].startswith("default-src 'none'; img-src 'self' data:;")
    assert len(headers.get_all("Content-Security-Policy")) == 1
    for place in range(TOTAL):
        status, headers, picture = command.request("GET", f"/maps/{place}.png")
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/png", "no-store")
        assert picture.startswith(b"\x89PNG")
        if place == TOTAL - 1:
            state = json.loads(command.request("GET", "/state")[2])
            assert state == {"total": TOTAL, "answered": place, "next": place, "result": None}
        status, state = command.answer(place, "real")
        assert status == 200
    assert state["next"] is None
    assert state["result"]["table"] == {"real": {"real": 2, "refined": 0}, "refined": {"real": 2, "refined": 0}}
    assert state["result"]["sentence"].startswith("2 of 4 right = 50.0 %")
    assert command.wait() == 0

    shown = capsys.readouterr().out
    assert re.match(r"http://127\.0\.0\.1:\d+/ shows 4 maps, 0 answered so far\n", shown)
    assert re.search(r"truly real +2 +0\ntruly refined +2 +0\n\n2 of 4 right", shown)
    assert shown.splitlines()[-1] == "anna: 4 answers"
    result = json.loads(Path("anna/result.json").read_text())
    assert result["test"]["name"] == "Anna"
    assert [map_["said"] for map_ in result["maps"]] == ["real"] * TOTAL
    assert sum(map_["truth"] == "real" for map_ in result["maps"]) == 2

    # Complete: the same command only says so again, and another one is refused.
    Path("anna/result.json").unlink()
    assert main(WORDS) == 0
    assert capsys.readouterr().out == shown.split("\n", 1)[1]
    assert Path("anna/result.json").exists()
    assert main([*WORDS, "--seed", "1"]) == 2
    assert "found seed 0, wanted seed 1. Give another --out, or --overwrite" in capsys.readouterr().err


def test_a_stopped_test_goes_on_and_a_second_answer_is_refused(monkeypatch, capsys):
    command = Command(monkeypatch)
    before = command.request("GET", "/maps/3.png")[2]
    assert command.answer(0, "refined")[1]["next"] == 1
    status, state = command.answer(0, "real")
    assert (status, state["next"], state["answered"]) == (409, 1, 1)
    assert "has an answer" in state["error"]
    assert command.interrupt() == 130
    assert "the same command continues" in capsys.readouterr().err
    with Path("anna/answers.jsonl").open("ab") as file:
        file.write(b'{"map": 1')

    command = Command(monkeypatch)
    assert "1 answered so far" in capsys.readouterr().out
    assert command.request("GET", "/maps/3.png")[2] == before
    assert main(WORDS) == 2
    assert "another command" in capsys.readouterr().err
    for place in (1, 2, 3):
        assert command.answer(place, "refined")[0] == 200
    assert command.wait() == 0
    lines = Path("anna/answers.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"map": k, "answer": "refined"} for k in range(TOTAL)]

    command = Command(monkeypatch, [*WORDS, "--overwrite", "--seed", "1"])
    assert json.loads(command.request("GET", "/state")[2])["answered"] == 0
    assert not Path("anna/result.json").exists()
    assert command.interrupt() == 130


def test_only_the_page_is_answered(monkeypatch, capsys):
    command = Command(monkeypatch)
    good, json_type = '{"map": 0, "answer": "real"}', {"Content-Type": "application/json"}
    for body in ("", "{", '{"map": 4, "answer": "real"}', '{"map": 0, "answer": "fake"}', good + " " * 9990):
        assert command.request("POST", "/answers", body, **json_type)[0] == 400
    for kind in ("text/plain", "", "application/json+x", "application/x-www-form-urlencoded"):
        assert command.request("POST", "/answers", good, **{"Content-Type": kind})[0] == 400
    assert command.request("POST", "/answers", iter([b" " * 6000] * 100), **json_type)[0] == 400  # of unknown length
    for origin in ("null", "http://evil.example"):
        assert command.request("POST", "/answers", good, Origin=origin, **json_type)[0] == 403
    for host in ("evil.example", "127.0.0.1.evil.example:80", ""):
        assert command.request("GET", "/state", Host=host)[0] == 403
        assert command.request("POST", "/answers", good, Host=host, **json_type)[0] == 403
    for path in ("/maps/4.png", "/maps/-1.png", "/maps/real/0.png", "/answers", "/../test.json", "/state/", "/docs",
                 "/openapi.json", f"/maps/{'9' * 5000}.png", "/maps/0.pngx"):  # fmt: skip
        status, _, body = command.request("GET", path)
        assert (status, json.loads(body)) == (404, {"error": "There is nothing here; the page is at /."})
    for method in ("HEAD", "PUT", "DELETE", "OPTIONS"):
        assert command.request(method, "/")[0] == 404
    assert command.request("POST", "/", good, **json_type)[0] == 404
    assert command.request("GET", "/state", Host="localhost:8000")[0] == 200
    assert main([*WORDS, "--out", "ben", "--port", str(command.server.port)]) == 2
    assert "wanted a free one on 127.0.0.1" in capsys.readouterr().err
    assert Path("anna/answers.jsonl").read_bytes() == b""
    assert command.interrupt() == 130


def test_answers_of_two_pages_at_once_are_kept_once(monkeypatch):
    command = Command(monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: command.answer(0, "real")[0], range(24)))
    assert sorted(replies) == [200] + [409] * 23
    assert len(Path("anna/answers.jsonl").read_text().splitlines()) == 1
    assert command.interrupt() == 130


def test_ctrl_c_ends_the_command():
    with started([*COMMAND, *WORDS], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().endswith(b"/ shows 4 maps, 0 answered so far\n")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == b"refiner turing: interrupted; the same command continues the work.\n"


def test_nothing_is_written_where_a_package_is_missing(monkeypatch, capsys):
    monkeypatch.setattr("refiner.web.server.find_spec", lambda _: None)
    assert main(WORDS) == 2
    assert "needs nicegui, fastapi, uvicorn, which is not installed" in capsys.readouterr().err
    assert not Path("anna").exists()


def test_an_answer_that_cannot_be_kept_ends_the_command(monkeypatch, capsys):
    def full(self, place, answer):
        raise OSError(28, "No space left on device", "answers.jsonl")

    command = Command(monkeypatch)
    monkeypatch.setattr(AnswersFile, "add", full)
    assert command.answer(0, "real")[0] == 500
    assert command.wait() == 2
    assert "cannot write: No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"anna": ""}, "anna is a file"),
        ({"anna/answers.jsonl": '{"map": 0, "answer": "real"}\n'}, "no test.json"),
        ({"anna/test.json": "{}"}, "is not a test of this program"),
    ],
)
def test_a_folder_of_something_else_is_left_alone(files, message, capsys):
    for path, text in files.items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text)
    assert main(WORDS) == 2
    assert message in capsys.readouterr().err
    assert all(Path(path).read_text() == text for path, text in files.items())
