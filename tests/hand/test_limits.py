import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from refiner.errors import UsageError
from refiner.hand.collision import overlap_mm
from refiner.hand.limits import LIMITS_DEG, HandPrior, pose_limits, sample_hands
from refiner.hand.prior import COMPONENTS

MOTION = Path(__file__).parents[3] / "shared" / "data" / "motion" / "animbank.pose"


def test_limits_by_hand(model):
    low, high = pose_limits(model)
    assert np.isinf(low[:3]).all()
    assert np.isinf(high[:3]).all()
    k = model.pose_names.index("ring_pip_flexion")
    np.testing.assert_allclose(np.rad2deg([low[k], high[k]]), LIMITS_DEG["pip_flexion"])
    k = model.pose_names.index("little_mcp_abduction")
    np.testing.assert_allclose(np.rad2deg([low[k], high[k]]), LIMITS_DEG["little_mcp_abduction"])
    assert (low < high).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**40), st.lists(st.integers(0, 10**9), min_size=1, max_size=12))
def test_an_item_does_not_depend_on_what_is_drawn_with_it(seed, items):
    from refiner.hand.model import load_hand

    model = load_hand()
    whole = sample_hands(model, seed, items)
    for k, item in enumerate(items):
        alone = sample_hands(model, seed, [item])
        np.testing.assert_array_equal(alone.pose[0], whole.pose[k])
        np.testing.assert_array_equal(alone.shape[0], whole.shape[k])
        assert alone.side[0] == whole.side[k]


def test_hands_are_possible(model):
    hands = sample_hands(model, 0, np.arange(1000), HandPrior(left=0.5))
    low, high = pose_limits(model)
    assert (hands.pose >= low).all()
    assert (hands.pose <= high).all()
    np.testing.assert_array_equal(hands.pose[:, :3], 0.0)
    assert (overlap_mm(model, hands.pose, hands.shape) <= 0).all()
    assert 0.45 < hands.side.mean() < 0.55
    assert len(np.unique(hands.pose[:, 10])) == 1000


def test_shapes_spread_as_asked(model):
    prior = HandPrior()
    shape = sample_hands(model, 4, np.arange(1500)).shape
    for name, sigma in prior.sigma.items():
        column = shape[:, model.shape_names.index(name)]
        wanted = (
            sigma if not name.endswith("_length") or name == "palm_length" else np.hypot(sigma, prior.common_length)
        )
        assert column.std() == pytest.approx(0.93 * wanted, rel=0.1), name  # 0.93: cut at 2.2 sigmas
        assert abs(column.mean()) < 0.15 * wanted
    fingers = shape[:, [model.shape_names.index(f"{f}_length") for f in ("index", "ring")]]
    assert 0.4 < np.corrcoef(fingers.T)[0, 1] < 0.6


def test_settings_are_followed(model):
    still = HandPrior(left=1.0, sigma={}, common_length=0.0, components=(0, 0, 0, 1, 0, 0), between=0.0)
    hands = sample_hands(model, 0, np.arange(50), still)
    assert (hands.side == 1).all()
    np.testing.assert_array_equal(hands.shape, 0.0)
    assert np.rad2deg(hands.pose[:, model.pose_names.index("middle_pip_flexion")]).max() < 25


def test_fists_are_as_frequent_as_asked(model):
    """Poses that are often refused must not be crowded out by those that are not."""
    prior = HandPrior(components=tuple({"fist": 1.0, "flat": 1.0}.get(c, 0.0) for c in COMPONENTS), between=0.0)
    hands = sample_hands(model, 1, np.arange(1000), prior)
    fists = hands.pose[:, model.pose_names.index("middle_pip_flexion")] > 1.0
    assert 0.45 < fists.mean() < 0.55


def test_other_seeds_and_items_are_other_hands(model):
    a, b = sample_hands(model, 0, [0, 1]), sample_hands(model, 1, [0, 1])
    assert len(np.unique(np.concatenate([a.pose, b.pose]), axis=0)) == 4


def test_nothing_asked_nothing_drawn(model):
    assert sample_hands(model, 0, []).pose.shape == (0, len(model.pose_names))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": 1.5}, "`left` is 1.5"),
        ({"between": -0.1}, "`between` is -0.1"),
        ({"components": (1.0, 2.0)}, "wanted 6 weights"),
        ({"components": (0.0,) * 6}, "not all 0"),
        ({"sigma": {"scale": -1.0}}, "{'scale': -1.0}"),
    ],
)
def test_refuses_senseless_settings(change, message):
    with pytest.raises(UsageError, match=message):
        HandPrior(**change)


def test_refuses_unknown_shapes_negative_items_and_hopeless_hands(model):
    with pytest.raises(UsageError, match=r"`sigma` names \['size'\]"):
        sample_hands(model, 0, [0], HandPrior(sigma={"size": 1.0}))
    with pytest.raises(ValueError, match="wanted none of them below 0"):
        sample_hands(model, 0, [3, -1])
    swollen = {**HandPrior().sigma, "palm_thickness": 20.0}
    with pytest.raises(UsageError, match="still cut through themselves"):
        sample_hands(model, 0, np.arange(20), HandPrior(sigma=swollen))


def test_sampling_is_fast_enough(model):
    """The aim is 4,000 hands a second on one core, three times less than usual; a slow machine gets another factor."""
    sample_hands(model, 0, np.arange(256))
    start = time.perf_counter()
    sample_hands(model, 1, np.arange(512))
    assert 512 / (time.perf_counter() - start) > 1000


@pytest.mark.skipif(not MOTION.exists(), reason="the tracked motion is not beside the project (../shared/data/motion)")
def test_measured_motion_lies_within_the_limits(model):
    """2,336 frames of a tracked hand: bones 0 arm, 1 palm, 2-4 thumb, 5-7 index ...; x radial, z along, -y palmar."""
    quaternions = np.loadtxt(MOTION).reshape(-1, 17, 7)[:, :, 3:]
    bones = Rotation.from_quat(quaternions.reshape(-1, 4)).as_matrix().reshape(-1, 17, 3, 3)

    def relative(a, b):
        return np.einsum("nji,njk->nik", bones[:, a], bones[:, b])

    def bend(a, b):
        return np.arctan2(-relative(a, b)[:, 1, 2], relative(a, b)[:, 2, 2])

    angles = {}
    for k, finger in enumerate(("index", "middle", "ring", "little")):
        first = 5 + 3 * k
        aside = np.arcsin(relative(1, first)[:, 0, 2])
        angles[f"{finger}_mcp_flexion"] = bend(1, first)
        angles[f"{finger}_mcp_abduction"] = aside if k < 2 else -aside
        angles[f"{finger}_pip_flexion"] = bend(first, first + 1)
        angles[f"{finger}_dip_flexion"] = bend(first + 1, first + 2)
    angles["wrist_flexion"] = bend(0, 1)
    low, high = pose_limits(model)
    inside = []
    for name, angle in angles.items():
        k = model.pose_names.index(name)
        inside.append(((angle >= low[k]) & (angle <= high[k])).mean())
    assert np.mean(inside) > 0.99
    assert min(inside) > 0.97
