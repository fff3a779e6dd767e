"""What is solved is read once, and of one state."""

import numpy as np
import pytest
from desk_cases import FRAMES, in_doubt, make_session, put_result, solved_mm

from refiner.annotate.desk import solved as solved_module
from refiner.annotate.desk.solved import SolvedCache


@pytest.fixture
def session(tmp_path):
    with make_session(tmp_path) as made:
        yield made


def test_nothing_is_solved_yet(session):
    found = SolvedCache(session).get()
    assert np.isnan(found.joints_mm).all()
    assert found.joints_mm.shape == (FRAMES, 3, 3)
    assert (found.stage.tolist(), found.doubt.tolist(), found.doubts) == ([-1] * FRAMES, [0.0] * FRAMES, [])
    assert found.neighbour.tolist() == [-1] * FRAMES


def test_each_frame_is_of_the_last_stage_that_solved_it(session):
    lifted, swept = solved_mm(z_mm=500), solved_mm(z_mm=600)
    lifted[4:] = np.nan
    swept[2:] = np.nan
    swept[1, 2, 0] = np.nan  # a frame half solved is not solved
    put_result(session, "lift", lifted)
    put_result(session, "propagate", swept, neighbour=[3, 2, 1, 0, 1, 2])
    found = SolvedCache(session).get()
    assert found.stage.tolist() == [1, 0, 0, 0, -1, -1]
    assert found.joints_mm[:4, 0, 2].tolist() == [600, 500, 500, 500]
    assert np.isnan(found.joints_mm[4:]).all()
    assert found.neighbour.tolist() == [3, 2, 1, 0, 1, 2]


def test_no_more_than_a_fifth_is_in_doubt_at_once(session):
    put_result(session, **in_doubt(f0=4, f1=2, f3=3, f4=1.5, f5=1.2, f2=1.1))
    found = SolvedCache(session).get()
    assert found.limit == pytest.approx(3)  # of 1.1, 1.2, 1.5, 2, 3 and 4 that at four fifths of the way
    assert [one.frame for one in found.doubts] == [0]
    put_result(session, **in_doubt(f0=0.5, f1=0.9))
    assert (SolvedCache(session).get().limit, SolvedCache(session).get().doubts) == (1.0, [])


def test_all_that_is_in_doubt_is_told_the_worst_first(session, monkeypatch):
    monkeypatch.setattr(solved_module, "WORST", 1.0)
    put_result(session, **in_doubt(f1=2, f3=3, f4=1, f5=1.2))
    found = SolvedCache(session).get()
    assert [(one.frame, one.joint, one.doubt) for one in found.doubts] == [
        (3, "tip", pytest.approx(3)), (1, "tip", pytest.approx(2)), (5, "tip", pytest.approx(1.2)),
    ]  # fmt: skip
    np.testing.assert_allclose(found.doubt, [1 / 3, 2, 1 / 3, 3, 1, 1.2])  # costs as usual are a third of a doubt
    assert found.stage.tolist() == [2] * FRAMES


def test_it_is_read_again_only_when_something_new_is_solved(session, monkeypatch):
    put_result(session)
    cache, asked, result = SolvedCache(session), [], session.result
    monkeypatch.setattr(session, "result", lambda stage: asked.append(stage) or result(stage))
    first = cache.get()
    assert cache.get() is first
    assert asked == ["optimize"]
    put_result(session, joints_mm=solved_mm(z_mm=500))
    assert (cache.get().joints_mm[:, 0, 2] == 500).all()


def test_stages_that_are_solved_while_it_reads_are_of_one_solve(session, monkeypatch):
    halves = [solved_mm(z_mm=z_mm) for z_mm in (500, 600)]
    for half in halves:
        half[3:] = np.nan

    def solve(number):
        put_result(session, "lift", solved_mm(z_mm=400 + 100 * number))
        put_result(session, "optimize", halves[number])

    solve(0)
    result, left = session.result, [1]

    def slow(stage):
        found = result(stage)
        if left:
            left.clear()
            solve(1)
        return found

    monkeypatch.setattr(session, "result", slow)
    found = SolvedCache(session).get()
    assert found.joints_mm[:, 0, 2].tolist() == [600] * 3 + [500] * 3  # not 400 below: the lift of the solve before
