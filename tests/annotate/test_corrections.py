"""What a person who knows the truth would correct."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipped_sequence import STORE

from refiner.annotate.corrections import FAR_MM, correct, corrections
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import bones_of_store
from refiner.annotate.simulate import labels_of_truth
from refiner.annotate.stages.case import Options
from refiner.datasets.store import DepthStore


def joints(frames: int = 4):
    return np.tile([[0.0, 0.0, 500.0], [30.0, 0.0, 500.0], [0.0, 40.0, 600.0]], (frames, 1, 1))


def test_joints_are_counted_by_each_rule():
    truth, found = joints(), joints()
    found[1, 0, 0] += 11
    found[2, 1, 1] += 18
    found[2, 2, 0] += 9
    found[3, 0, 2] += 30  # along the ray: nothing of it is seen
    found[0, 0, 0] += 99  # labelled
    counted = corrections(found, truth, [0])
    assert (counted.near, counted.far, counted.far_in_image, counted.joints) == (3, 2, 1, 12)
    assert (counted.frames, counted.moved) == ([2], 1)
    in_space = corrections(found, truth, [0], "space", apart=1)
    assert (in_space.frames, in_space.moved) == ([2, 3], 2)
    found[1, 1] = np.nan  # nothing known is nothing to correct
    assert corrections(found, truth, [0]).near == 3


def test_off_in_the_image_is_measured_at_the_depth_of_the_joint():
    truth, found = joints(1), joints(1)
    found[0, 1, 2] = 1000.0  # 30 mm to the side at twice the depth is seen at 15 mm
    assert corrections(found, truth, []).far_in_image == 0
    found[0, 1, 0] = -5.0  # is seen at -2.5 mm, 32.5 mm off
    assert corrections(found, truth, []).far_in_image == 1


def test_of_a_bad_spell_the_middle_is_corrected():
    truth, found = joints(40), joints(40)
    found[5:12, 0, 0] += [20, 20, 22, 25, 22, 0, 20]
    found[8, 1, 0] += 30
    found[30, :2, 1] += 24
    counted = corrections(found, truth, [])
    assert (counted.frames, counted.moved, counted.far) == ([8, 30], 4, 9)
    assert corrections(found, truth, [8]).frames == [7, 30]
    assert corrections(found, truth, [], apart=2).frames == [7, 11, 30]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_every_bad_frame_hangs_together_with_one_to_correct(seed, apart):
    rng = np.random.default_rng(seed)
    truth = joints(30)
    found = truth + rng.normal(0, 8, truth.shape)
    labelled = rng.choice(30, 3, replace=False)
    counted = corrections(found, truth, labelled, "space", apart)
    off = np.linalg.norm(found - truth, axis=-1).max(axis=1)
    bad = np.setdiff1d(np.flatnonzero(off > FAR_MM), labelled)
    assert set(counted.frames) <= set(bad)
    for first, last in pairwise(counted.frames):  # between two spells there is a gap, and only one
        between = bad[(bad >= first) & (bad <= last)]
        assert (np.diff(between) >= apart).sum() == 1
    assert bool(counted.frames) == bool(len(bad))


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    truth = DepthStore(STORE)
    with Session.create(tmp_path_factory.mktemp("corrected") / "session", STORE) as session:
        session.set_bones(bones_of_store(truth))
        session.put_labels(labels_of_truth(truth, [0]), "simulated")
        found = list(correct(session, truth, 3, options=Options(hand_model=False, descriptor="hog")))
        return found, session.labelled_frames()


def test_corrected_until_nothing_is_left(rounds):
    found, labelled = rounds
    assert found[0].joints == found[0].frames == 0
    assert found[0].left.frames
    for before, after in pairwise(found):
        assert after.frames == before.frames + len(before.left.frames)
        assert after.joints == before.joints + before.left.moved
    assert len(labelled) == 1 + found[-1].frames
    assert found[-1].left.far < found[0].left.far
    assert len(found) == 4 or not found[-1].left.frames
