"""Rates at which single pixels and blots were lost."""

import numpy as np
import pytest
from ball_hands import windows

from refiner.sensors.measure.estimates import Bootstrap
from refiner.sensors.measure.losses import blots_by_chance, loss_sums, measure_losses, single_rate
from refiner.sensors.measure.window import find_hand_in, surface_tilts


def losses_of(see, count=12, **scene):
    hands = [find_hand_in(window) for window in windows(see, count=count, **scene)]
    sums = [loss_sums(hand, 0.0) for hand in hands]
    return measure_losses({name: np.array([part[name] for part in sums]) for name in sums[0]}, Bootstrap(len(sums), 0))


def blots(per_px, side_px):
    def see(depth, rng):
        depth = depth.copy()
        count = rng.poisson(per_px * depth.size)
        for v, u in rng.integers(0, np.array(depth.shape) - side_px, (count, 2)):
            depth[v : v + side_px, u : u + side_px] = 0
        return depth

    return see


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_single_pixels(rate):
    found = losses_of(lambda depth, rng: np.where(rng.random(depth.shape) < rate, 0, depth))
    assert found["lost"].value == pytest.approx(rate, rel=0.06)
    for name in ("", "_tilt_0_30", "_tilt_30_45", "_at_500_600", "_outline_2px", "_outline_9px_on"):
        assert found[f"lost_single{name}"].value == pytest.approx(rate, rel=0.12), name
    # What touches by chance is no blot.
    assert found["lost_blot"].value < 0.03 * rate
    assert found["lost_blot_2_4px"].value < 0.03 * rate


def test_blots():
    """One of 9 px begins at every 500th pixel: 9 / 500 lost, some of them overlapping, and rarely at the outline."""
    found = losses_of(blots(1 / 500, 3), count=24)
    assert found["lost_blot"].value == pytest.approx(9 / 500, rel=0.15)
    assert found["lost_blot_5_15px"].value == pytest.approx(9 / 500, rel=0.2)
    assert found["lost_single"].value < 0.0005
    assert found["lost_blot_2_4px"].value < 0.0005
    assert found["lost_blot_outline_9px_on"].value > found["lost_blot_outline_2px"].value


def test_loss_by_tilt():
    def see(depth, rng):
        plain = windows(count=1)[0]
        tilt, _ = surface_tilts(find_hand_in(plain._replace(depth_mm=depth, near_mm=1.0, far_mm=1200.0)))
        return np.where((tilt > 45) & (rng.random(depth.shape) < 0.1), 0, depth)

    found = losses_of(see)
    assert found["lost_tilt_0_30"].value < 0.005
    assert found["lost_tilt_45_60"].value == pytest.approx(0.1, rel=0.25)


def test_nothing_is_lost():
    found = losses_of(lambda depth, _rng: depth)
    assert all(estimate.high == 0 for estimate in found.values() if estimate)
    assert found["lost_at_300_400"] is None


def test_chance_by_simulation():
    """Shares of pixels in touching losses, of 4 million independent ones."""
    import cv2

    rng = np.random.default_rng(0)
    lost = (rng.random((2000, 2000)) < 0.06).astype(np.uint8)
    sizes = cv2.connectedComponentsWithStats(lost, connectivity=4)[2][1:, cv2.CC_STAT_AREA]
    share = [sizes[(sizes >= low) & (sizes < high)].sum() / lost.size for low, high in ((1, 2), (2, 5), (5, 16))]
    assert single_rate(np.array([share[0]]))[0] == pytest.approx(0.06, rel=0.02)
    np.testing.assert_allclose(blots_by_chance(np.array([0.06]))[0, :2], share[1:], rtol=0.05, atol=2e-5)
