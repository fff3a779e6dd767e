"""`refiner annotate serve` as a command: what it prints, and what it refuses."""

import socket

import httpx
import pytest
from labelled_sequence import write_sequence

from refiner.cli.main import main
from refiner.web import server as server_module
from refiner.web.server import PageServer


@pytest.fixture
def session():
    write_sequence("a.zarr")
    assert main(["annotate", "new", "s", "a.zarr"]) == 0
    return "s"


def test_the_address_is_the_last_line_and_leads_to_the_page(session, capsys, monkeypatch):
    serve, found = PageServer.run, {}

    def run(self, app, ready, **more):
        def ready_then_stop():
            ready()
            found["printed"] = capsys.readouterr().out.splitlines()[-1]
            self.stop()

        serve(self, app, ready_then_stop, **more)

    monkeypatch.setattr(PageServer, "run", run)
    assert main(["annotate", "serve", session, "--port", "0", "--who", "anna"]) == 0
    address = httpx.URL(found["printed"])
    assert (address.scheme, address.host, address.path) == ("http", "127.0.0.1", "/")
    assert address.port not in (None, 0)


def test_what_is_no_session_is_refused(capsys):
    assert main(["annotate", "serve", "nowhere"]) == 2
    assert "nowhere is not a session: found nothing" in capsys.readouterr().err


def test_a_port_that_is_taken_is_refused(session, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["annotate", "serve", session, "--port", str(taken.getsockname()[1])]) == 2
    assert "wanted a free one on 127.0.0.1" in capsys.readouterr().err


def test_without_the_packages_the_command_that_brings_them_is_named(session, capsys, monkeypatch):
    monkeypatch.setattr(server_module, "find_spec", lambda name: None)  # noqa: ARG005
    assert main(["annotate", "serve", session]) == 2
    assert "'depth-refiner[page]'" in capsys.readouterr().err
