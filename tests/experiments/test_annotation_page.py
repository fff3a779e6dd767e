import re

import pytest

from experiments import annotation_page
from experiments.bench.browser import INSTALLED


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="no chromium with chromedriver is installed")
def test_a_frame_takes_few_actions(tmp_path, capsys):
    assert annotation_page.main(["--figure", str(tmp_path / "page.png")]) == 0
    rows = re.findall(r"\| (\d+) \| ([^|]+) \| (\d+) \| (\d*) ?\|", capsys.readouterr().out)
    assert len(rows) == 10
    for _, begins, actions, wrong in rows:
        if begins == "nothing":
            assert int(actions) <= 30
        elif begins.endswith("right"):
            assert int(actions) == 1
        else:
            assert int(actions) == 1 + int(wrong)  # one to begin, and one for each joint that is wrong
    assert (tmp_path / "page.png").stat().st_size > 20_000
