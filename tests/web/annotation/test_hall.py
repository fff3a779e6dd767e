import asyncio
import signal
import subprocess
import sys

import pytest
from killing import started
from serving import make_session

from refiner.web.annotation.hall import without_delaying_the_end

WAIT_S = 60
SLOW = """
import sys, time
from refiner.annotate.desk.desk import Desk
from refiner.cli.main import main
Desk.warm_up = lambda desk: (print("begins", file=sys.stderr, flush=True), time.sleep(600))
main(["annotate", "serve", sys.argv[1], "--port", "0"])
print("ended")
"""


def test_an_interrupt_ends_the_server_while_it_warms_up(tmp_path):
    session, _, _ = make_session(tmp_path)
    command = [sys.executable, "-c", SLOW, str(session)]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("http")
        assert process.stderr.readline() == "begins\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out) == (0, "ended\n")


def test_what_the_work_returns_or_raises_comes_back():
    def fails():
        raise ValueError("no")

    assert asyncio.run(without_delaying_the_end(lambda: 3)) == 3
    with pytest.raises(ValueError, match="no"):
        asyncio.run(without_delaying_the_end(fails))
