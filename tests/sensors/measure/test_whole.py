"""The analytic cameras' numbers are found again from their maps, and a clean camera has nothing."""

import numpy as np
import pytest
from ball_hands import CAMERA, ORIGIN, windows

from refiner.errors import UsageError
from refiner.sensors.measure.names import MEASURES
from refiner.sensors.measure.whole import measure
from refiner.sensors.models.active_stereo import ActiveStereo
from refiner.sensors.models.structured_light import StructuredLight
from refiner.sensors.models.time_of_flight import TimeOfFlight
from refiner.sensors.sense import sense


def lit(sensor):
    def see(depth, rng):
        return sense(depth, CAMERA, sensor, seed=1, item=int(rng.integers(1 << 20)), origin=ORIGIN)

    return see


def timed(sensor):
    def see(depth, rng):
        hand = np.where(depth < 1200, depth, 0).astype(np.float32)
        return sense(hand, CAMERA, sensor, seed=1, item=int(rng.integers(1 << 20)), origin=ORIGIN)

    return see


@pytest.mark.parametrize(("baseline_mm", "subpixels"), [(75.0, 8), (-75.0, 4)])
def test_structured_light(baseline_mm, subpixels):
    sensor = StructuredLight(baseline_mm=baseline_mm, subpixels=subpixels)
    found = measure(windows(lit(sensor), count=20, unit_mm=1.0, distance_mm=700.0), 1.0)
    assert set(found) == set(MEASURES)
    assert found["unit_mm"].value == 1
    assert found["step_exponent"] == (2, 2, 2)
    assert found["step_mm_at_1m"].value == pytest.approx(1e6 / (75 * 475 * subpixels), rel=0.005)
    # A projector at the right throws shadows to the left; windows of 9 px fill 4 of about 28 px from the sides.
    assert found["shadow_background_asymmetry"].value == pytest.approx(-np.sign(baseline_mm), abs=0.05)
    assert found["shadow_background_baseline_mm"].value == pytest.approx(baseline_mm, abs=12)
    assert found["rows_alternate_mm"].low < 0.02
    assert found["rows_alternate_mm"].high > -0.02
    assert found["rim_flying"].value < 0.01
    assert found["lost_tilt_60_75"].value > 5 * found["lost_tilt_0_30"].value


@pytest.mark.parametrize(("baseline_mm", "blot_share"), [(50.0, 0.0), (-50.0, 0.05)])
def test_active_stereo(baseline_mm, blot_share):
    sensor = ActiveStereo(
        baseline_mm=baseline_mm, subpixels=8, disparity_px=0.02, locking_px=0.0, blot_share=blot_share
    )

    def see(depth, rng):
        depth = depth.astype(np.float32)
        return sense(depth, CAMERA, sensor, seed=1, item=int(rng.integers(1 << 20)), origin=ORIGIN)

    found = measure(windows(see, count=20, unit_mm=1.0, distance_mm=650.0), 1.0)
    assert found["step_exponent"].value == 2
    assert found["step_mm_at_1m"].value == pytest.approx(1e6 / (50 * 475 * 8), rel=0.005)
    assert found["shadow_background_baseline_mm"].value == pytest.approx(baseline_mm, abs=3)
    # Blots that reach the outline are none; the blind side and steep surfaces make the rest.
    assert blot_share * 0.5 <= found["lost_blot_tilt_0_30"].value <= blot_share + 0.01


@pytest.mark.parametrize(("sigma_mm", "cell_px"), [(1.3, 2), (3.0, 1)])
def test_time_of_flight(sigma_mm, cell_px):
    sensor = TimeOfFlight(sigma_mm=sigma_mm, cell_px=cell_px, footprint_px=0.3)
    found = measure(windows(timed(sensor), count=20, unit_mm=1.0, distance_mm=650.0), 1.0)
    assert found["step_mm_at_1m"].value == 1
    assert found["step_exponent"].value == 0
    # sigma z^2 / (albedo cos tilt), of 0 to 30 degrees at 600 to 650 mm, and a twelfth for rounding.
    low, high = (np.hypot(sigma_mm * z**2 / 0.6 / cosine, 12**-0.5) for z, cosine in ((0.55, 1.0), (0.68, 0.9)))
    assert low < found["noise_mm_tilt_0_30"].value < high
    assert found["noise_mm_at_500_600"].value < found["noise_mm_at_600_700"].value
    # The module states 0.71, 0.25 and 0 for a lattice of 2 px; rounding adds a tenth of white noise.
    wanted = (0.65, 0.23, 0.0) if cell_px == 2 else (0.0, 0.0, 0.0)
    for axis in "uv":
        for lag, correlation in zip((1, 2, 3), wanted, strict=True):
            assert found[f"noise_correlation_{axis}_{lag}px"].value == pytest.approx(correlation, abs=0.07)
    assert found["shadow_background_asymmetry"] is None


def test_flying_pixels_of_time_of_flight():
    sharp, mixed = (
        measure(windows(timed(TimeOfFlight(footprint_px=footprint)), count=12, unit_mm=1.0), 1.0)
        for footprint in (0.2, 0.9)
    )
    assert sharp["rim_flying"].value < 0.01
    assert mixed["rim_flying"].value > 0.1


def test_a_clean_camera():
    found = measure(windows(count=12, unit_mm=0.125), 0.125)
    assert found["unit_mm"].value == found["step_mm_at_1m"].value == 0.125
    assert found["noise_mm"].value < 0.125 / 2
    for lines in ("rows", "columns"):
        assert abs(found[f"{lines}_alternate_mm"].value) < 0.02
    for name, estimate in found.items():
        if name.startswith(("lost", "shadow")) and estimate is not None:
            assert estimate.value == pytest.approx(0, abs=0.01), name
    assert found["rim_flying"].value < 0.001
    assert found["rim_flat_px"].value < 0.1
    assert abs(found["rim_excess_mm"].value) < 0.5


def test_the_same_seed_measures_the_same():
    seen = windows(lambda depth, rng: depth + rng.normal(size=depth.shape), count=6, unit_mm=1.0)
    assert measure(seen, 1.0, seed=3) == measure(seen, 1.0, seed=3)
    first, second = measure(seen, 1.0, seed=3), measure(seen, 1.0, seed=4)
    assert first["noise_mm"].value == second["noise_mm"].value
    assert first["noise_mm"].low != second["noise_mm"].low


def test_windows_without_a_hand_tell_nothing():
    empty = [window._replace(depth_mm=np.zeros((40, 40), np.float32)) for window in windows(count=3)]
    assert measure(empty, 1.0) == dict.fromkeys(MEASURES)


def test_no_window_and_no_unit_are_refused():
    with pytest.raises(UsageError, match="wanted one and more"):
        measure([], 1.0)
    with pytest.raises(UsageError, match="wanted more than 0"):
        measure(windows(count=2), 0.0)
