import numpy as np
import pytest

from refiner.hand.model import POSE_NAMES
from refiner.hand.prior import COMPONENTS, KIND_DRAWS, PINCHES, POSE_DRAWS, THUMBS, Draws, draw_poses

ANGLES = POSE_NAMES[3:]


def draw(component, count=2000, between=0.0):
    rng = np.random.default_rng(1)
    shares = tuple(float(name == component) for name in COMPONENTS)
    poses = draw_poses(rng.random((count, KIND_DRAWS)), rng.random((count, POSE_DRAWS)), shares, between)
    return {name: poses[:, k] for k, name in enumerate(ANGLES)}


def test_draws_give_each_column_once():
    draws = Draws(np.arange(6.0)[None] / 10)
    np.testing.assert_allclose(draws.uniform(count=2), [[0.0, 0.1]])
    np.testing.assert_allclose(draws.uniform(10.0, 20.0, 3), [[12.0, 13.0, 14.0]])
    with pytest.raises(ValueError, match="7 draws wanted, 6 there"):
        draws.uniform(count=2)


def test_normal_draws_are_cut():
    draws = Draws(np.array([[0.0, 0.5, 1.0 - 1e-12]]))
    np.testing.assert_allclose(draws.normal(3.0, 2.0, 3, cut=2.5), [[-2.0, 3.0, 8.0]], atol=1e-6)


@pytest.mark.parametrize("component", COMPONENTS)
def test_dip_follows_pip(component):
    poses = draw(component)
    pip = np.concatenate([poses[f"{f}_pip_flexion"] for f in ("index", "middle", "ring", "little")])
    dip = np.concatenate([poses[f"{f}_dip_flexion"] for f in ("index", "middle", "ring", "little")])
    bent = pip > 30
    if bent.any():
        assert 0.4 < np.median(dip[bent] / pip[bent]) < 0.8
    else:
        assert np.median(dip) < 12


@pytest.mark.parametrize("component", ["coverage", "grasp", "flat"])
def test_neighbours_move_together(component):
    poses = draw(component)
    assert np.corrcoef(poses["middle_mcp_flexion"], poses["ring_mcp_flexion"])[0, 1] > 0.45
    assert np.corrcoef(poses["middle_pip_flexion"], poses["ring_pip_flexion"])[0, 1] > 0.45


def test_components_are_what_they_are_called():
    assert np.median(draw("fist")["middle_pip_flexion"]) > 85
    assert np.quantile(draw("flat")["middle_pip_flexion"], 0.99) < 25
    sign = draw("sign")["ring_pip_flexion"]
    assert ((sign < 20) | (sign > 70)).mean() > 0.98
    assert 0.4 < (sign < 20).mean() < 0.6
    thumbs = np.stack([draw("pinch")[name] for name in ANGLES[2:7]], axis=1)
    nearest = np.abs(thumbs[:, None] - PINCHES[None, :, :5]).max(axis=2).min(axis=1)
    assert nearest.max() < 4.0
    reach = draw("coverage")
    assert np.ptp(reach["index_mcp_flexion"]) > 90
    assert np.ptp(reach["thumb_cmc_abduction"]) > 60


def test_a_bent_knuckle_hardly_spreads():
    poses = draw("coverage", 6000)
    spread, bent = poses["little_mcp_abduction"], poses["little_mcp_flexion"] > 75
    straight = poses["little_mcp_flexion"] < 10
    assert spread[bent].std() < 0.5 * spread[straight].std()


def test_between_lies_between():
    fists, mixed = draw("fist"), draw("fist", between=1.0)
    assert np.median(mixed["middle_pip_flexion"]) == pytest.approx(np.median(fists["middle_pip_flexion"]), abs=1.0)


def test_rows_are_independent():
    rng = np.random.default_rng(2)
    kinds, uniforms = rng.random((40, KIND_DRAWS)), rng.random((40, POSE_DRAWS))
    shares = (1.0,) * len(COMPONENTS)
    whole = draw_poses(kinds, uniforms, shares, 0.5)
    np.testing.assert_array_equal(draw_poses(kinds[7:9], uniforms[7:9], shares, 0.5), whole[7:9])


def test_thumbs_have_five_angles():
    assert {len(thumb) for thumb in THUMBS.values()} == {5}
