from dataclasses import replace

import numpy as np
import pytest

from refiner.sensors import sense as seeing
from refiner.sensors.models.active_stereo import ActiveStereo

CAMERA = (425.0, 425.0, 0.0, 0.0)
# Blind side, blocks and rounding alone.
STILL = ActiveStereo(disparity_px=0.0, locking_px=0.0, blot_share=0.0)


def sense(depth, sensor=STILL, item=0, origin=(0, 0), seed=0):
    return seeing.sense(depth.astype(np.float32), CAMERA, sensor, seed=seed, item=item, origin=origin)


def wall(z, shape=(40, 60)):
    return np.full(shape, z, np.float32)


def test_depth_comes_in_steps_of_disparity():
    # At 500 mm d = 425 * 50 / 500 = 42.5 px = 1360 / 32: a whole number of steps.
    np.testing.assert_allclose(sense(wall(500.0))[10:-10, 10:-10], 500.0, atol=1e-3)
    np.testing.assert_allclose(sense(wall(500.1))[10:-10, 10:-10], 500.0, atol=1e-3)


@pytest.mark.parametrize("baseline_mm", [50.0, -50.0])
def test_what_the_second_imager_does_not_see_has_no_reading(baseline_mm):
    depth = wall(700.0, (30, 160))
    depth[:, 70:110] = 600.0
    seen = sense(depth, replace(STILL, baseline_mm=baseline_mm, window_px=1, support=0.0))
    # b f (1 / z_front - 1 / z_back) = 5.06 px, on the side away from the second imager.
    blind = np.flatnonzero(seen[15] == 0)
    assert len(blind) == pytest.approx(425 * 50 * (1 / 600 - 1 / 700), abs=1)
    assert (blind.max() == 69) if baseline_mm > 0 else (blind.min() == 110)


def test_outlines_grow_by_a_part_of_a_block():
    depth = np.zeros((60, 80), np.float32)
    depth[20:40, 30:50] = 600.0
    seen = sense(depth) > 0
    # Beside a straight edge a block of 7 px holds 4 of its 13 places up to a pixel away: more than three tenths.
    assert seen[25:35, 29].all()
    assert seen[25:35, 50].all()
    assert not seen[:, :27].any()
    assert not seen[:, 53:].any()
    assert not (sense(depth, replace(STILL, front_share=1.0))[25:35, 29] > 0).any()
    before_a_wall = np.where(depth > 0, depth, np.float32(660.0))
    np.testing.assert_allclose(sense(before_a_wall)[25:35, 50], 600.0, atol=0.5)


def test_disparity_strays_as_far_as_it_is_told():
    sensor = replace(STILL, disparity_px=0.08, subpixels=1000)
    readings = np.stack([sense(wall(500.0), sensor, item=item)[10:-10, 10:-10] for item in range(40)])
    # z^2 s / (f b) = 0.94 mm.
    assert readings.std() == pytest.approx(500**2 * 0.08 / (425 * 50), rel=0.1)
    assert readings.mean() == pytest.approx(500, abs=0.15)


def test_disparities_lean_towards_whole_pixels():
    sensor = replace(STILL, locking_px=0.1, subpixels=1000)
    for disparity, wanted in ((40.0, 40.0), (40.25, 40.15), (40.5, 40.5), (40.75, 40.85)):
        seen = sense(wall(425 * 50 / disparity), sensor)[20, 30]
        assert 425 * 50 / seen == pytest.approx(wanted, abs=2e-3)


def test_blots_take_the_share_that_is_asked():
    sensor = replace(STILL, blot_share=0.05)
    lost = np.mean([(sense(wall(500.0), sensor, item=item)[10:-10, 10:-10] == 0).mean() for item in range(200)])
    assert lost == pytest.approx(0.05, abs=0.015)


def test_steep_surfaces_are_lost():
    def tilted(degrees):
        u = np.arange(-30, 30)
        return np.broadcast_to(600 / (1 - np.tan(np.deg2rad(degrees)) * u / 425), (40, 60)).astype(np.float32)

    sensor = replace(STILL, baseline_mm=1.0, grazing_deg=(60.0, 70.0), subpixels=1000)
    share = [(sense(tilted(angle), sensor)[10:30, 10:50] > 0).mean() for angle in (55, 65, 75)]
    assert share[0] == 1.0
    assert 0.2 < share[1] < 0.8
    assert share[2] == 0.0


def test_optics_have_no_noise_and_no_steps():
    depth = np.zeros((60, 80), np.float32)
    depth[20:40, 30:50] = np.linspace(600, 610, 20)
    seen = seeing.optics(depth, CAMERA, ActiveStereo())
    np.testing.assert_allclose(seen[25:35, 34:46], depth[25:35, 34:46], atol=0.3)
    assert (seen[25:35, 29] > 0).all()


def test_noise_belongs_to_seed_item_and_place():
    depth = np.zeros((80, 80), np.float32)
    depth[20:60, 20:60] = 650.0
    one = sense(depth, ActiveStereo(), item=4)
    np.testing.assert_array_equal(one, sense(depth, ActiveStereo(), item=4))
    part = sense(depth[10:70, 5:75], ActiveStereo(), item=4, origin=(5, 10))
    np.testing.assert_array_equal(part, one[10:70, 5:75])
    assert (one != sense(depth, ActiveStereo(), item=5)).any()
    assert (one != sense(depth, ActiveStereo(), item=4, seed=1)).any()


@pytest.mark.parametrize(
    "bad", [{"baseline_mm": 0.0}, {"window_px": 4}, {"support": 2.0}, {"front_share": 0.0}, {"blot_share": 1.0}]
)
def test_settings_that_make_no_sensor_are_refused(bad):
    with pytest.raises(ValueError, match="No active-stereo sensor"):
        ActiveStereo(**bad)
