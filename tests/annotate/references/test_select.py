from itertools import combinations

import numpy as np
import pytest
from distance_tables import SIXTEENTH, line, matrices
from hand_poses import POSES
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.annotate.references import distances as distances_module
from refiner.annotate.references import neighbours
from refiner.annotate.references.descriptors import hog
from refiner.annotate.references.distances import CosineDistances
from refiner.annotate.references.nearest import nearest_references
from refiner.annotate.references.select import (
    COVERED,
    HOG_RADIUS,
    budget_frames,
    coverage_curve,
    draw_coverage,
    equally_spaced,
    radius_of_budget,
    select_references,
)
from refiner.errors import UsageError
from refiner.hand.model import load_hand, pose_hands
from refiner.render.raster import rasterize


def slow_choice(distances, budget, radius, labelled):
    """Greedy coverage word by word: everything is counted again for every frame and every turn."""
    count = len(distances)
    covers = [{i for i in range(count) if i == j or distances[i, j] < radius} for j in range(count)]
    chosen, covered, coverage = [], set(), []
    while len(chosen) < (count if budget is None else budget):
        left = [j for j in range(count) if j not in chosen]
        if len(covered) == count:
            if budget is None:
                break
            best = min(left, key=lambda j: (-min(distances[j, c] for c in chosen), j not in labelled, j))
        else:
            new = {j: covers[j] - covered for j in left}
            best = min(left, key=lambda j: (-len(new[j]), j not in labelled, sum(distances[i, j] for i in new[j]), j))
        chosen.append(best)
        covered |= covers[best]
        coverage.append(len(covered) / count)
    return chosen, coverage


@settings(max_examples=200, deadline=None)
@given(matrices(14), st.integers(1, 14), st.integers(1, 16), st.sets(st.integers(0, 13)), st.booleans())
def test_the_choice_is_that_of_slow_greedy(distances, budget, sixteenths, labelled, open_ended):
    budget = None if open_ended else min(budget, len(distances))
    found = select_references(
        distances, budget, sixteenths * SIXTEENTH, labelled=[k for k in labelled if k < len(distances)]
    )
    wanted, coverage = slow_choice(distances, budget, sixteenths * SIXTEENTH, labelled)
    assert found.frames == wanted
    assert found.coverage == coverage
    assert found.coverage == sorted(found.coverage)
    assert found.farthest == sum(share == 1 for share in coverage[:-1])
    assert coverage_curve(distances, wanted, sixteenths * SIXTEENTH) == coverage
    if open_ended:
        assert coverage[-1] == 1


@settings(max_examples=100, deadline=None)
@given(matrices(14), st.integers(1, 14), st.integers(1, 16), st.integers(0, 60), st.integers(1, 3))
def test_the_choice_is_the_same_however_little_is_kept(distances, budget, sixteenths, kept, rows):
    """Lists that do not fit are found again, block by block; the sums must not notice."""
    budget, radius = min(budget, len(distances)), sixteenths * SIXTEENTH
    wanted = select_references(distances, budget, radius)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "KEPT_PAIRS", kept)
        patch.setattr(distances_module, "_BLOCK", rows * len(distances))
        assert select_references(distances, budget, radius) == wanted
        assert wanted.frames == slow_choice(distances, budget, radius, ())[0]


@settings(max_examples=60, deadline=None)
@given(matrices(14), st.integers(1, 14), st.integers(0, 200))
def test_the_radius_is_that_of_trying_one_after_another(distances, budget, kept):
    """Each radius tried with lists of its own, counted again from nothing and to the last reference."""
    low, high = 1e-3, 1.0
    while high > 1.02 * low:
        middle = np.sqrt(low * high)
        _, coverage = slow_choice(distances, min(budget, len(distances)), middle, ())
        low, high = (low, middle) if coverage[-1] >= COVERED else (middle, high)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "KEPT_PAIRS", kept)
        assert radius_of_budget(distances, budget) == pytest.approx(high, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(matrices(10), st.integers(1, 5), st.integers(1, 12))
def test_greedy_is_near_the_best_of_all_choices(distances, budget, sixteenths):
    budget = min(budget, len(distances))
    near = (distances < sixteenths * SIXTEENTH) | np.eye(len(distances), dtype=bool)
    best = max(near[list(frames)].any(axis=0).mean() for frames in combinations(range(len(distances)), budget))
    found = select_references(distances, budget, sixteenths * SIXTEENTH)
    assert (1 - 1 / np.e) * best <= found.coverage[-1] <= best + 1e-12


def test_coverage_by_hand():
    # Two groups and a loner; 1 stands in the middle of the first, the spread is 16.
    distances = line(0, 1, 2, 9, 10, 16)
    found = select_references(distances, radius=1.5 / 16)
    assert found.frames == [1, 3, 5]
    assert found.coverage == [3 / 6, 5 / 6, 1]
    assert found.farthest == 0
    assert select_references(distances, budget=2, radius=1.5 / 16).frames == [1, 3]
    spent = select_references(distances, budget=5, radius=1.5 / 16)
    assert spent.frames == [1, 3, 5, 0, 2]  # 0, 2 and 4 are all 1 away from a reference
    assert spent.coverage[2:] == [1, 1, 1]
    assert spent.farthest == 2


def test_the_radius_is_strict_and_relative_to_the_spread():
    for scale in (1, 8, 0.25):
        distances = scale * line(0, 1, 2, 3, 4)
        assert select_references(distances, radius=0.25).frames == [0, 1, 2, 3, 4]
        assert select_references(distances, radius=0.26).frames == [1, 3]
    lifted = line(0, 1, 2, 3, 4) + 7  # the least distance is 7, also to itself
    assert select_references(lifted, radius=0.26).frames == [1, 3]


def test_labels_break_ties_only():
    distances = line(0, 1, 2, 3, 10, 11, 12, 13)
    assert select_references(distances, 2, 1.5 / 13).frames == [1, 5]
    assert select_references(distances, 2, 1.5 / 13, labelled=[6, 0]).frames == [6, 1]
    assert select_references(distances, 2, 1.5 / 13, labelled=[6, 0], ties="middle-first").frames == [1, 5]


def test_equal_frames_need_one_reference():
    distances = np.zeros((5, 5), np.float32)
    assert select_references(distances).frames == [0]
    assert select_references(distances).coverage == [1]
    assert select_references(distances, 3, labelled=[2]).frames == [2, 0, 1]
    assert select_references(np.zeros((1, 1), np.float32), 0.1).frames == [0]


def test_unusable_frames_are_neither_chosen_nor_missed():
    distances = line(0, 100, 1, 2, 8, 50)
    usable = np.array([True, False, True, True, True, False])
    found = select_references(distances, radius=1.5 / 8, usable=usable)
    assert found.frames == [2, 4]
    assert found.coverage == [3 / 4, 1]
    assert coverage_curve(distances, [4, 2], 1.5 / 8, usable) == [1 / 4, 1]
    assert sorted(select_references(distances, 4, 1.5 / 8, usable=usable).frames) == [0, 2, 3, 4]
    assert len(select_references(distances, 0.5, usable=usable).frames) == 2
    with pytest.raises(UsageError, match="None of the 6 frames"):
        select_references(distances, usable=np.zeros(6, bool))


def test_budgets():
    assert budget_frames(0.1, 3040) == 304
    assert budget_frames(0.29, 100) == 29
    assert budget_frames(0.1, 19) == 1
    assert budget_frames(0.001, 19) == 1
    assert budget_frames(1, 19) == 1
    assert budget_frames(7.0, 19) == 7
    assert budget_frames(50, 19) == 19
    for wrong in (0, -1, -0.1, 1.5, np.nan, np.inf):
        with pytest.raises(UsageError, match="budget"):
            budget_frames(wrong, 19)


def test_what_is_no_question_is_refused():
    for radius in (0, -0.1, np.nan, np.inf):
        with pytest.raises(UsageError, match="radius"):
            select_references(line(0, 1, 2), radius=radius)
    with pytest.raises(ValueError, match=r"\(N, N\)"):
        select_references(line(0, 1, 2)[:2])
    with pytest.raises(ValueError, match="finite"):
        select_references(line(0, 1, np.nan))


def test_equally_spaced_by_hand():
    assert equally_spaced(10, 2) == [2, 7]
    assert equally_spaced(10, 0.3) == [1, 5, 8]
    assert equally_spaced(3, 8) == [0, 1, 2]
    assert np.diff(equally_spaced(3040, 0.1)).tolist() == [10] * 303


@pytest.fixture(scope="module")
def looping():
    """A hand that goes four times round three gestures, at rest for long between them: depth and joints in mm."""
    rest, gestures = POSES["relaxed"], [POSES["fist"], POSES["point"], POSES["spread"]]
    rng = np.random.default_rng(0)
    poses = []
    for _ in range(4):
        for gesture in gestures:
            up = np.linspace(0, 1, 6)[1:]
            poses += [rest] * int(rng.integers(5, 25))
            poses += [rest + share * (gesture - rest) for share in [*up, *up[-2::-1]]]
    pose = np.array(poses) + rng.normal(0, 0.01, (len(poses), 26))
    pose[:, :3] += (np.pi, 0, 0)  # palm to the camera
    model = load_hand()
    nothing = np.zeros(len(pose), np.int32)
    vertices, joints = pose_hands(model, pose, np.zeros((len(pose), len(model.shape_names))), nothing)
    place = np.array([0.0, 70.0, 520.0])
    camera = (150.0, 150.0, 31.5, 31.5)
    depth = np.stack([rasterize(v + place, model.triangles, camera, (64, 64), closed=True) for v in vertices])
    return depth, joints + place


def test_the_choice_beats_equal_intervals_on_a_looping_sequence(looping):
    depth, joints = looping
    distances = CosineDistances(hog(depth))
    budget = 12
    shares = {}
    for name, frames in (
        ("chosen", select_references(distances, budget, HOG_RADIUS).frames),
        ("equal", equally_spaced(len(depth), budget)),
    ):
        assert len(frames) == budget
        worst_mm = np.linalg.norm(joints - joints[nearest_references(distances, frames)], axis=-1).max(axis=1)
        shares[name] = np.array([(worst_mm < tau).mean() for tau in (10, 20, 30, 40)])
    assert (shares["chosen"] >= shares["equal"]).all(), shares
    assert shares["chosen"].mean() > shares["equal"].mean() + 0.1, shares


def test_the_higher_curve_is_drawn_above():
    picture = draw_coverage({"greedy": [0.5, 0.9, 1.0], "equal": [0.2, 0.4, 0.6]}, 40)
    assert picture.shape == (420, 640, 3)
    assert picture.dtype == np.uint8
    # The last reference of three: 100 % is the top of the frame, 60 % lies two fifths down to 0.
    column = picture[:, 64 + (620 - 64) * 3 // 3 - 2].astype(int)
    rows = [
        np.flatnonzero(np.abs(column - colour).sum(axis=1) < 60).mean() for colour in ((31, 119, 180), (214, 96, 30))
    ]
    assert rows[0] == pytest.approx(20, abs=3)
    assert rows[1] == pytest.approx(20 + 0.4 * 340, abs=3)
