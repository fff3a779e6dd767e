import errno
import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import write_balls
from hypothesis import given
from hypothesis import strategies as st

from refiner.datasets.inspection import shade_item
from refiner.datasets.store import DepthStore
from refiner.errors import OutputExistsError, StoreError, UsageError
from refiner.realism.turing import (
    AnswersFile,
    Shown,
    TuringTest,
    check_alike,
    draw_order,
    in_a_sentence,
    judge,
    parse_answer,
)
from refiner.viz import enlarge

PAPER = {"real": {"real": 224, "refined": 276}, "refined": {"real": 207, "refined": 293}}
FILE = Path("answers.jsonl")


def stores(**other):
    """A real and a refined set of 10 maps in different units."""
    write_balls("real.zarr", count=10, unit_mm=1.0, seed=5, noisy=True)
    write_balls("refined.zarr", **{"count": 10, "unit_mm": 0.1} | other)
    return DepthStore("real.zarr"), DepthStore("refined.zarr")


def test_the_papers_table_gives_the_papers_numbers():
    result = judge(PAPER)
    assert (result["right"], result["answers"]) == (224 + 293, 1000)
    assert round(result["p_value"], 3) == 0.148
    assert result["table"] == PAPER
    low, high = result["ci95"]
    assert low == pytest.approx(0.517 - 1.96 * (0.25 / 1000) ** 0.5, abs=2e-3)  # the normal interval, nearly
    assert high == pytest.approx(0.517 + 1.96 * (0.25 / 1000) ** 0.5, abs=2e-3)
    assert in_a_sentence(result).startswith("517 of 1000 right = 51.7 % (95 % 48.")


def test_two_right_answers_of_two_are_a_quarter_by_guessing():
    result = judge({"real": {"real": 1, "refined": 0}, "refined": {"real": 0, "refined": 1}})
    assert result["p_value"] == pytest.approx(0.25)
    assert result["ci95"] == pytest.approx([0.025**0.5, 1.0])


@given(st.integers(1, 30), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**40))
def test_the_order_holds_as_many_of_each_without_repeats(count, more_real, more_refined, seed):
    order = draw_order(count + more_real, count + more_refined, count, seed)
    assert len(set(order)) == len(order) == 2 * count
    assert sum(shown.side == "real" for shown in order) == count
    assert all(0 <= s.item < count + (more_real if s.side == "real" else more_refined) for s in order)
    assert order == draw_order(count + more_real, count + more_refined, count, seed)


def test_the_order_is_mixed_and_the_seeds_differ():
    sides = [shown.side for shown in draw_order(100, 100, 50, 0)]
    assert 35 < sum(a != b for a, b in pairwise(sides)) < 65  # 50 changes, give or take three sigma
    assert draw_order(100, 100, 50, 0) != draw_order(100, 100, 50, 1)


@pytest.mark.parametrize(
    ("count", "seed", "message"), [(0, 0, "wanted 1 to 3"), (4, 0, "4 with 7 real"), (1, -1, "-1")]
)
def test_impossible_tests_are_refused(count, seed, message):
    with pytest.raises(UsageError, match=message):
        draw_order(7, 3, count, seed)


def test_answers_survive_a_line_torn_by_a_kill():
    with AnswersFile(FILE, 4) as answers:
        assert answers.add(2, "real")
        assert answers.add(0, "refined")
        assert not answers.add(2, "refined")
    kept = FILE.read_bytes()
    FILE.write_bytes(kept + b'{"map": 1, "ans')
    with AnswersFile(FILE, 4) as answers:
        assert answers.said == {2: "real", 0: "refined"}
        assert FILE.read_bytes() == kept
        answers.add(1, "real")
    assert len(FILE.read_text().splitlines()) == 3
    with AnswersFile(FILE, 4, overwrite=True) as answers:
        assert answers.said == {}
    assert FILE.read_bytes() == b""


def test_one_command_holds_the_answers():
    with AnswersFile(FILE, 4), pytest.raises(OutputExistsError, match="another command"):
        AnswersFile(FILE, 4)


@pytest.mark.parametrize("line", ["{}", "no json", '{"map": 4, "answer": "real"}', '{"map": 0, "answer": "refined"}'])
def test_a_spoilt_line_is_named(line):
    FILE.write_text(f'{{"map": 0, "answer": "real"}}\n{line}\n')
    with pytest.raises(OutputExistsError, match=r"line 2.*--overwrite"):
        AnswersFile(FILE, 4)


def test_half_a_line_on_a_full_disk_is_an_error_and_is_dropped_later():
    class Full:
        name = "answers.jsonl"

        def write(self, line):
            return whole.write(line[:5])

    with AnswersFile(FILE, 4) as answers:
        whole, answers._file = answers._file, Full()
        with pytest.raises(OSError, match="No space left") as error:
            answers.add(0, "real")
        answers._file = whole
    assert error.value.errno == errno.ENOSPC
    with AnswersFile(FILE, 4) as answers:
        assert answers.said == {}


@pytest.mark.parametrize(
    "found",
    [[], 1, {"map": True, "answer": "real"}, {"map": -1, "answer": "real"}, {"map": 0.0, "answer": "real"},
     {"map": 0, "answer": []}, {"map": 0}, {"map": 0, "answer": "real", "more": 1}],
)  # fmt: skip
def test_what_is_no_answer(found):
    assert parse_answer(json.dumps(found).encode(), 4) is None
    assert parse_answer(b"[" * 9000, 4) is None


def test_sets_that_show_which_they_are_are_refused():
    real, refined = stores()
    check_alike(real, refined)
    write_balls("large.zarr", count=2, size=32)
    write_balls("wide.zarr", count=2, cube_mm=300.0)
    with pytest.raises(StoreError, match=r"16 px.*32 px"):
        check_alike(real, DepthStore("large.zarr"))
    with pytest.raises(StoreError, match=r"260 mm.*300 mm"):
        check_alike(real, DepthStore("wide.zarr"))


def test_pictures_show_both_sets_in_the_coarser_unit():
    real, refined = stores()
    with AnswersFile(FILE, 2) as answers:
        test = TuringTest(real, refined, [Shown("real", 3), Shown("refined", 4)], answers)
        pictures = [cv2.imdecode(np.frombuffer(test.picture_png(k), np.uint8), cv2.IMREAD_COLOR_RGB) for k in (0, 1)]
    np.testing.assert_array_equal(pictures[0], enlarge(shade_item(real, 3), 384))
    fine = enlarge(shade_item(refined, 4), 384)
    assert pictures[1].shape == fine.shape == (384, 384, 3)
    assert (pictures[1] != fine).any()
    # Rounding to 1 mm of 260 mm moves a colour by a level or so; a missing reading stays one.
    np.testing.assert_array_equal((pictures[1] == 40).all(axis=2), (fine == 40).all(axis=2))


def test_there_is_no_result_before_the_last_answer():
    real, refined = stores()
    with AnswersFile(FILE, 2) as answers:
        test = TuringTest(real, refined, [Shown("real", 3), Shown("refined", 4)], answers)
        answers.add(1, "real")
        assert test.next_place() == 0
        assert test.result() is None
        answers.add(0, "real")
        assert test.next_place() is None
        assert test.result()["table"] == {"real": {"real": 1, "refined": 0}, "refined": {"real": 1, "refined": 0}}
