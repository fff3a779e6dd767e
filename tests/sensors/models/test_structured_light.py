from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.sensors import sense as seeing
from refiner.sensors.models.structured_light import StructuredLight

CAMERA = (575.0, 575.0, 0.0, 0.0)
# Shadow, window and rounding alone.
STILL = StructuredLight(disparity_px=0.0, lateral_px=0.0)


def sense(depth, sensor=STILL, item=0, origin=(0, 0), seed=0):
    return seeing.sense(depth.astype(np.float32), CAMERA, sensor, seed=seed, item=item, origin=origin)


def wall(z, shape=(40, 60)):
    return np.full(shape, z, np.float32)


def test_depth_comes_in_steps_of_an_eighth_pixel_of_disparity():
    # At 700 mm d = 575 * 75 / 700 = 61.607 px, which rounds to 61.625 = 493 / 8; one step less is 492 / 8 = 61.5.
    seen = sense(wall(700.0))[10:-10, 10:-10]
    np.testing.assert_allclose(seen, 575 * 75 * 8 / 493, atol=1e-3)
    # The step between them: z^2 / (8 f b) = 1.42 mm.
    below = 575 * 75 * 8 / 492 - 575 * 75 * 8 / 493
    assert below == pytest.approx(700**2 / (8 * 575 * 75), rel=0.01)
    np.testing.assert_allclose(sense(wall(700.0 + below))[10:-10, 10:-10], 575 * 75 * 8 / 492, atol=1e-3)


@settings(deadline=None, max_examples=20)
@given(z=st.floats(400, 4000), subpixels=st.sampled_from([1, 4, 8]))
def test_a_wall_is_read_within_half_a_step(z, subpixels):
    seen = sense(wall(z), replace(STILL, subpixels=subpixels))[10:-10, 10:-10]
    assert (np.abs(575 * 75 / seen - 575 * 75 / z) <= 0.5 / subpixels + 1e-4).all()


@pytest.mark.parametrize("front", [600.0, 640.0, 660.0])
@pytest.mark.parametrize("baseline_mm", [75.0, -75.0])
def test_an_edge_casts_a_shadow_as_wide_as_its_step_in_disparity(front, baseline_mm):
    depth = wall(700.0, (30, 120))
    depth[:, 50:70] = front
    # A window of one pixel and no least support: only the projector's shadow is left.
    seen = sense(depth, replace(STILL, baseline_mm=baseline_mm, window_px=1, support=0.0))
    # b f (1 / z_front - 1 / z_back) = 10.3, 5.8 and 3.7 px.
    expected = 575 * 75 * (1 / front - 1 / 700)
    shadow = np.flatnonzero(seen[15] == 0)
    assert len(shadow) == pytest.approx(expected, abs=1)
    if baseline_mm > 0:
        assert shadow.max() == 49  # left of the edge, on the side away from the projector
    else:
        assert shadow.min() == 70


def test_a_wide_shadow_is_a_hole_and_a_narrow_one_is_filled():
    wide, narrow = wall(900.0, (40, 160)), wall(705.0, (40, 160))
    wide[:, 80:110] = narrow[:, 80:110] = 700.0  # 13.7 px and 0.4 px
    holes = np.flatnonzero(sense(wide)[20, 20:140] == 0) + 20
    assert 6 <= len(holes) <= 14
    assert holes.max() < 82
    assert (sense(narrow)[10:30, 20:140] > 0).all()


def test_nothing_is_read_where_nothing_is():
    depth = np.zeros((60, 60), np.float32)
    depth[20:40, 20:40] = 700.0
    for item in range(3):
        seen = sense(depth, StructuredLight(), item=item)
        inside = np.zeros((60, 60), bool)
        margin = StructuredLight().margin_px
        inside[20 - margin : 40 + margin, 20 - margin : 40 + margin] = True
        assert not seen[~inside].any()
        assert (seen[26:34, 30:34] > 0).all()
    assert not sense(np.zeros((20, 20))).any()


def test_gaps_narrower_than_half_the_window_close_and_corners_go():
    depth = np.zeros((60, 80), np.float32)
    depth[15:45, 15:65] = 700.0
    depth[15:45, 40:42] = 0.0  # two fingers with a gap of 2 px
    seen = sense(depth, replace(STILL, baseline_mm=75.0, support=0.4))
    assert (seen[25:35, 40:42] > 0).all()
    assert seen[15, 15] == 0
    assert seen[30, 20] > 0


def test_grazing_surfaces_are_lost():
    # A plane tilted about the y axis: z = z0 + x tan(theta); beyond the last angle nothing is read.
    def tilted(degrees):
        tangent = np.tan(np.deg2rad(degrees))
        u = np.arange(-30, 30)
        return np.broadcast_to(700 / (1 - tangent * u / 575), (40, 60)).astype(np.float32)

    sensor = replace(STILL, baseline_mm=1.0, grazing_deg=(60.0, 70.0))  # hardly any shadow
    share = [(sense(tilted(angle), sensor)[10:30, 10:50] > 0).mean() for angle in (55, 65, 75)]
    assert share[0] == 1.0
    assert 0.2 < share[1] < 0.8
    assert share[2] == 0.0


def test_disparity_noise_has_the_published_size():
    # sigma_z = z^2 sigma_d / (b f) with sigma_d a sixth of an eighth pixel: 0.24 mm at 700 mm. Rounding all but off.
    sensor = replace(StructuredLight(), lateral_px=0.0, window_px=1, subpixels=1000)
    readings = np.stack([sense(wall(700.0), sensor, item=item)[10:-10, 10:-10] for item in range(60)])
    assert readings.std() == pytest.approx(700**2 / (575 * 75) / 48, rel=0.1)
    assert readings.mean() == pytest.approx(700, abs=0.05)


def test_edges_stray_by_the_lateral_deviation():
    depth = np.zeros((200, 60), np.float32)
    depth[:, 30:] = 700.0
    sensor = replace(STILL, lateral_px=1.5, cell_px=4, window_px=1, support=0.0)
    edge = np.concatenate([(sense(depth, sensor, item=item) > 0).argmax(axis=1) for item in range(10)])
    # The edge lies where u + 1.5 n(u) crosses it: its deviation, rounding included, is near 1.5 px.
    assert edge.mean() == pytest.approx(30, abs=0.5)
    assert 1.0 < edge.std() < 2.2


def test_noise_belongs_to_seed_item_and_place():
    depth = np.zeros((80, 80), np.float32)
    depth[20:60, 20:60] = 650.0
    one = sense(depth, StructuredLight(), item=4)
    np.testing.assert_array_equal(one, sense(depth, StructuredLight(), item=4))
    part = sense(depth[10:70, 5:75], StructuredLight(), item=4, origin=(5, 10))
    np.testing.assert_array_equal(part, one[10:70, 5:75])
    assert (one != sense(depth, StructuredLight(), item=5)).any()
    assert (one != sense(depth, StructuredLight(), item=4, seed=1)).any()


@pytest.mark.parametrize(
    "bad", [{"baseline_mm": 0.0}, {"window_px": 4}, {"support": 2.0}, {"grazing_deg": (80.0, 70.0)}, {"cell_px": 0}]
)
def test_settings_that_make_no_sensor_are_refused(bad):
    with pytest.raises(ValueError, match="No structured-light sensor"):
        StructuredLight(**bad)


def test_optics_are_the_same_without_noise_and_steps():
    depth = np.zeros((60, 80), np.float32)
    depth[15:45, 15:65] = np.linspace(700, 720, 50)
    seen, fine = seeing.optics(depth, CAMERA, StructuredLight()), sense(depth, replace(STILL, subpixels=4000))
    np.testing.assert_array_equal((seen > 0)[3:-3], (fine > 0)[3:-3])
    np.testing.assert_allclose(seen[20:40, 20:60], fine[20:40, 20:60], atol=0.01)
