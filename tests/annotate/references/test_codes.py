import numpy as np
import pytest
import torch

from refiner.annotate.references.codes import NUMBERS, auto_encoder_codes
from refiner.annotate.references.distances import CosineDistances

FRAMES, UPDATES = 48, 80


def circling(size=64):
    """A ball that goes round once within its cube of 200 mm, nearer at the top."""
    turn = np.arange(FRAMES) * (2 * np.pi / FRAMES)
    v, u = np.mgrid[:64, :64] - 31.5
    x, y = 16 * np.sin(turn)[:, None, None], -16 * np.cos(turn)[:, None, None]
    ball = np.hypot(u - x, v - y) < 10
    depth = np.where(ball, np.rint(600 + y), 0).astype(np.float32)
    depth = depth.repeat(size // 64, axis=1).repeat(size // 64, axis=2)
    return depth, np.tile([0.0, 0.0, 600.0], (FRAMES, 1)), np.full(FRAMES, 200.0)


@pytest.fixture(scope="module")
def learnt():
    errors = []
    codes = auto_encoder_codes(
        *circling(), updates=UPDATES, on_update=lambda update, error: errors.append((update, error))
    )
    return codes, errors


def test_codes_tell_where_the_ball_is(learnt):
    codes, _ = learnt
    assert codes.shape == (FRAMES, NUMBERS)
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-5)
    distances = CosineDistances(codes)[:]
    np.fill_diagonal(distances, np.inf)
    steps = np.abs(distances.argmin(axis=1) - np.arange(FRAMES))
    assert (np.minimum(steps, FRAMES - steps) <= 2).all()
    opposite = distances[np.arange(FRAMES), (np.arange(FRAMES) + FRAMES // 2) % FRAMES]
    assert (opposite > 0.8).all()  # 1 is a right angle, seen from the mean code


def test_maps_come_back_better_and_the_error_is_in_mm(learnt):
    _, errors = learnt
    assert [update for update, _ in errors] == list(range(1, UPDATES + 1))
    millimetres = [error for _, error in errors]
    # A pixel of the ball is 84 to 116 mm before the far face that stands for no reading, and the mean map, where the
    # network begins, has the ball there in a fifth of the frames or fewer.
    assert 60 < millimetres[0] < 116
    assert np.mean(millimetres[-5:]) < 0.4 * millimetres[0]


def test_the_same_again_and_no_global_state(learnt):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = auto_encoder_codes(*circling(), updates=UPDATES)
    np.testing.assert_array_equal(again, learnt[0])
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        few = auto_encoder_codes(*circling(), updates=2)
    np.testing.assert_array_equal(auto_encoder_codes(*circling(), updates=2), few)
    assert not np.allclose(auto_encoder_codes(*circling(), updates=2, seed=1), few)


def test_larger_maps_are_averaged_down():
    small, large = (auto_encoder_codes(*circling(size), updates=2) for size in (64, 128))
    np.testing.assert_array_equal(small, large)


def test_depth_counts_from_the_centre_in_cubes():
    depth, centre, cube = circling()
    reference = auto_encoder_codes(depth, centre, cube, updates=2)
    farther = np.where(depth > 0, 2 * (depth - 600) + 1000, 0)
    moved = auto_encoder_codes(farther, centre + np.array([0, 0, 400]), 2 * cube, updates=2)
    np.testing.assert_array_equal(moved, reference)


def test_empty_and_single_frames_have_codes_and_no_frames_have_none():
    depth, centre, cube = circling()
    assert np.isfinite(auto_encoder_codes(0 * depth[:3], centre[:3], cube[:3], updates=2)).all()
    assert (auto_encoder_codes(depth[:1], centre[:1], cube[:1], updates=1) == 0).all()
    assert np.isfinite(auto_encoder_codes(depth, centre, cube, updates=0)).all()
    with pytest.raises(ValueError, match="no frames"):
        auto_encoder_codes(depth[:0], centre[:0], cube[:0])
