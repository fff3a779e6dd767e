import time

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from experiments.annotation_sequence import MOTION
from experiments.hand_motion import tracked_joints
from refiner.hand.fit import MIN_JOINTS, fit_hands
from refiner.hand.limits import HandPrior, pose_limits, sample_hands
from refiner.hand.model import pose_joints

COUNT = 120


@pytest.fixture(scope="module")
def hands(model):
    """Hands of both sides, any turn, anywhere; and their joints."""
    drawn = sample_hands(model, 11, range(COUNT), HandPrior(left=0.5))
    drawn.pose[:, :3] = Rotation.random(COUNT, random_state=0).as_rotvec()
    wrist = np.random.default_rng(0).normal((0, 0, 600), 200, (COUNT, 3))
    return drawn, wrist, pose_joints(model, drawn.pose, drawn.shape, drawn.side) + wrist[:, None]


def fitted_joints(model, found, side):
    return pose_joints(model, found.pose, found.shape, side) + found.wrist_mm[:, None]


def beyond_deg(model, pose):
    low, high = pose_limits(model)
    return np.rad2deg(np.maximum(pose - high, low - pose)[:, 3:].max())


def test_known_shapes_are_recovered(model, hands):
    drawn, wrist, joints = hands
    found = fit_hands(model, joints, drawn.side, drawn.shape)
    assert np.median(found.residual_mm) < 0.01
    assert found.residual_mm.max() < 0.1
    np.testing.assert_allclose(found.wrist_mm, wrist, atol=0.1)
    np.testing.assert_array_equal(found.shape, drawn.shape)
    turn = Rotation.from_rotvec(found.pose[:, :3]).inv() * Rotation.from_rotvec(drawn.pose[:, :3])
    assert np.rad2deg(turn.magnitude()).max() < 0.1
    # The four fingers' angles follow from their joints; the thumb's twist does only where it bends.
    assert np.rad2deg(np.abs(found.pose - drawn.pose)[:, 10:].max()) < 0.2
    np.testing.assert_array_equal(found.pose[:, 3:5], 0.0)


def test_residuals_are_those_of_the_parameters(model, hands):
    drawn, _, joints = hands
    found = fit_hands(model, joints + np.random.default_rng(1).normal(0, 4, joints.shape), drawn.side, "each")
    noisy = joints + np.random.default_rng(1).normal(0, 4, joints.shape)
    apart = np.linalg.norm(fitted_joints(model, found, drawn.side) - noisy, axis=2)
    np.testing.assert_allclose(found.residual_mm, apart, atol=1e-3)
    # 63 numbers with 4 mm of noise, 38 parameters: some of the noise is fitted, never more than all of it.
    assert 1.0 < np.median(found.residual_mm) < 4.0 * np.sqrt(3.0)


def test_unknown_shapes_are_estimated(model, hands):
    drawn, _, joints = hands
    found = fit_hands(model, joints, drawn.side, "each")
    assert np.median(found.residual_mm) < 0.5
    assert found.residual_mm.mean(axis=1).max() < 1.0
    assert beyond_deg(model, found.pose) < 0.5


def test_a_shared_shape_is_one(model, hands):
    drawn, wrist, _ = hands
    shape = np.tile(drawn.shape[3], (COUNT, 1))
    joints = pose_joints(model, drawn.pose, shape, drawn.side) + wrist[:, None]
    found = fit_hands(model, joints, drawn.side)
    assert (found.shape == found.shape[0]).all()
    assert np.median(found.residual_mm) < 0.5
    # Girths cannot be seen: they stay those of the mean hand.
    girths = [k for k, name in enumerate(model.shape_names) if "girth" in name or name.startswith("forearm")]
    np.testing.assert_array_equal(found.shape[:, girths], 0.0)


@pytest.mark.parametrize("size", [0.75, 1.25])
def test_small_and_large_hands(model, hands, size):
    """A child's, and a giant's: four and more deviations of `scale` from the mean."""
    drawn, _, _ = hands
    joints = size * pose_joints(model, drawn.pose[:30], np.zeros((30, 17)), drawn.side[:30])
    found = fit_hands(model, joints, drawn.side[:30])
    assert np.median(found.residual_mm) < 1.0
    assert found.residual_mm.mean(axis=1).max() < 2.0


def test_a_mirrored_hand_is_the_other_sides(model, hands):
    drawn, _, joints = hands
    right = fit_hands(model, joints[drawn.side == 0], 0, "each")
    left = fit_hands(model, joints[drawn.side == 0] * [-1.0, 1.0, 1.0], 1, "each")
    np.testing.assert_allclose(left.pose[:, 5:], right.pose[:, 5:], atol=1e-3)
    np.testing.assert_allclose(left.pose[:, :3] * [1.0, -1.0, -1.0], right.pose[:, :3], atol=1e-3)
    np.testing.assert_allclose(left.wrist_mm * [-1.0, 1.0, 1.0], right.wrist_mm, atol=0.05)


def test_unknown_joints_are_left_out(model, hands):
    drawn, _, joints = hands
    unknown = np.random.default_rng(2).random((COUNT, 21)) < 0.25
    told = joints.copy()
    told[unknown] = np.nan
    found = fit_hands(model, told, drawn.side, drawn.shape)
    np.testing.assert_array_equal(np.isnan(found.residual_mm), unknown)
    assert np.nanmedian(found.residual_mm) < 0.5
    assert np.nanpercentile(found.residual_mm, 99) < 1.0
    apart = np.linalg.norm(fitted_joints(model, found, drawn.side) - joints, axis=2)[unknown]
    assert np.median(apart) < 0.5
    # A lone number that is missing makes the joint unknown, whatever the others say.
    told[0, 3] = (np.inf, 0.0, 1e6)
    assert np.isnan(fit_hands(model, told[:1], drawn.side[:1], drawn.shape[0]).residual_mm[0, 3])


def test_hands_with_too_few_joints_are_nan_and_alone_in_that(model, hands):
    drawn, _, joints = hands
    told = joints[:3].copy()
    told[1, MIN_JOINTS - 1 :] = np.nan
    told[2, MIN_JOINTS:] = np.nan
    found = fit_hands(model, told, drawn.side[:3], drawn.shape[:3])
    for rows in vars(found).values():
        assert np.isnan(rows[1]).all()
    assert np.isfinite(found.pose[[0, 2]]).all()
    assert np.nanmax(found.residual_mm) < 0.5
    assert beyond_deg(model, found.pose[[0, 2]]) < 0.5
    whole = fit_hands(model, joints[:1], drawn.side[:1], drawn.shape[:1])
    np.testing.assert_array_equal(whole.pose[0], found.pose[0])


@pytest.mark.parametrize("shape", ["shared", "each"])
def test_nothing_to_fit(model, shape):
    assert fit_hands(model, np.empty((0, 21, 3)), 0, shape).pose.shape == (0, 26)
    assert np.isnan(fit_hands(model, np.full((2, 21, 3), np.nan), 0, shape).shape).all()


def test_a_hand_comes_out_alone_as_among_others(model, hands):
    drawn, _, joints = hands
    among = fit_hands(model, joints, drawn.side, "each")
    alone = fit_hands(model, joints[7:8], drawn.side[7:8], "each")
    for name, rows in vars(alone).items():
        np.testing.assert_array_equal(rows[0], getattr(among, name)[7])


def test_limits_hold_where_joints_ask_for_more(model):
    """All fingers bent back by 60 degrees, which no MCP joint can."""
    pose = np.zeros((1, 26))
    pose[0, [10, 14, 18, 22]] = np.deg2rad(-60.0)
    shape = np.zeros(17)
    joints = pose_joints(model, pose, shape[None], np.zeros(1, int))
    found = fit_hands(model, joints, 0, shape)
    assert found.residual_mm.max() > 5.0
    assert beyond_deg(model, found.pose) < 1.0


def test_straight_thumbs_and_flattened_hands_do_not_blow_up(model):
    flat = pose_joints(model, np.zeros((1, 26)), np.zeros((1, 17)), np.zeros(1, int))[0].astype(np.float64)
    thumb = flat.copy()
    thumb[1:5] = thumb[1] + np.arange(4)[:, None] * [25.0, 18.0, 0.0]
    line = np.linspace(0, 180, 21)[:, None] * [0.0, 1.0, 0.0]
    told = np.stack([flat, thumb, line, np.zeros((21, 3)), flat * [1.0, 1.0, 0.0]])
    found = fit_hands(model, told, 0, "each")
    assert all(np.isfinite(rows).all() for rows in vars(found).values())
    assert beyond_deg(model, found.pose) < 1.0
    assert np.abs(found.shape).max() < 20.0
    assert found.residual_mm[0].max() < 0.5
    assert found.residual_mm[1].mean() < 3.0


@pytest.mark.skipif(not MOTION.exists(), reason="the tracked motion is not beside the project (../shared/data/motion)")
@pytest.mark.parametrize("shape", ["shared", "each"])
def test_another_hand_altogether(model, shape):
    """A tracked hand of another model: its joints lie elsewhere in it, most of all the thumb's first."""
    joints, _ = tracked_joints(MOTION)
    found = fit_hands(model, joints[::7], 0, shape)
    assert np.median(found.residual_mm) < 3.0
    assert np.percentile(found.residual_mm.mean(axis=1), 99) < 5.0
    assert beyond_deg(model, found.pose) < 1.0
    assert np.abs(found.shape[:, : model.shape_names.index("body_1")]).max() < 0.25


def test_fitting_is_fast_enough(model, hands):
    """The aim is 5 ms a hand on one core; usual is 0.3."""
    drawn, _, joints = hands
    fit_hands(model, joints[:2], drawn.side[:2], "each")
    start = time.perf_counter()
    fit_hands(model, joints, drawn.side, "each")
    assert (time.perf_counter() - start) / COUNT < 5e-3


@pytest.mark.parametrize(
    ("joints", "side", "shape", "message"),
    [
        (np.zeros((2, 20, 3)), 0, "each", r"`joints_mm` has shape \(2, 20, 3\)"),
        (np.zeros((2, 21, 3)), [0, 1, 1], "each", "wanted one number or 2"),
        (np.zeros((2, 21, 3)), 2, "each", "only 0"),
        (np.zeros((2, 21, 3)), 0, np.zeros(16), r"`shape` has shape \(16,\)"),
        (np.zeros((2, 21, 3)), 0, np.full(17, np.nan), "finite"),
        (np.zeros((2, 21, 3)), 0, "any", "`shape` is 'any'"),
    ],
)
def test_refuses_what_is_no_hand(model, joints, side, shape, message):
    with pytest.raises(ValueError, match=message):
        fit_hands(model, joints, side, shape)
