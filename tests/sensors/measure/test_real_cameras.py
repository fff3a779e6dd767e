"""Two Kinects and an SR305 are described as they were found by hand (experiments/real_depth.md)."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from refiner.datasets.locate import find_hand
from refiner.sensors.measure.whole import measure
from refiner.sensors.measure.window import HandWindow

DATA = Path(__file__).parents[4] / "shared" / "data"
CUBE_MM, MARGIN_PX = 260.0, 16
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the recordings in ../shared/data")


def recorded(files, unit_mm, camera=None):
    """Windows around the hands of recorded images; without a camera that of a first Kinect, the file in its middle."""
    result = []
    for file in files:
        depth = cv2.imread(str(file), cv2.IMREAD_UNCHANGED).astype(np.float32) * np.float32(unit_mm)
        rows, columns = depth.shape
        fx, fy, cx, cy = camera or (575.0, 575.0, (columns - 1) / 2, (rows - 1) / 2)
        found = find_hand(depth, (fx, fy, cx, cy), cube_mm=CUBE_MM)
        if found is None:
            continue
        x, y, z = found.centre_mm
        reach = CUBE_MM / 2
        near = z - reach
        left, right = fx * (x - reach) / near + cx - MARGIN_PX, fx * (x + reach) / near + cx + MARGIN_PX
        top, bottom = fy * (y - reach) / near + cy - MARGIN_PX, fy * (y + reach) / near + cy + MARGIN_PX
        u, v = max(int(left), 0), max(int(top), 0)
        part = np.ascontiguousarray(depth[v : int(bottom) + 1, u : int(right) + 1])
        window = HandWindow(part, (fx, fy, cx - u, cy - v), (u, v), near, z + reach, found.centre_mm)
        result.append(window)
    return result


def test_the_second_kinect():
    files = sorted((DATA / "kinect2_sequence").glob("*.png"))[::5]
    found = measure(recorded(files, 1.0, (363.9, 363.9, 255.4, 206.3)), 1.0)
    assert found["unit_mm"].value == found["step_mm_at_1m"].value == 1
    # Odd rows lie 2.2 mm before even ones.
    assert found["rows_alternate_mm"].value == pytest.approx(-2.2, abs=0.3)
    assert abs(found["columns_alternate_mm"].value) < 0.1
    # In a still scene neighbours correlate by 0.68, at two pixels by 0.33, at three by 0.1.
    for lag, wanted in ((1, 0.68), (2, 0.33), (3, 0.1)):
        assert found[f"noise_correlation_u_{lag}px"].value == pytest.approx(wanted, abs=0.1)
    # Rims: 20 mm at the left, 16 at the right, 15 at the top, 26 at the bottom.
    for side, wanted in (("left", 20), ("right", 16), ("top", 15), ("bottom", 26)):
        assert found[f"rim_{side}_mm"].value == pytest.approx(wanted, abs=6)
    assert found["rim_flying"].low > 0.02
    assert found["lost"].value < 0.01


def test_the_first_kinect():
    files = [file for letter in sorted((DATA / "kinect1_asl").iterdir()) for file in sorted(letter.glob("*.png"))[::50]]
    found = measure(recorded(files, 1.0), 1.0)
    assert found["unit_mm"].value == 1
    assert found["step_exponent"] == (2, 2, 2)
    # z^2 / 345,000 mm.
    assert found["step_mm_at_1m"].value == pytest.approx(1e6 / 345_000, rel=0.01)
    assert abs(found["rows_alternate_mm"].value) < 0.05
    # The files are mirrored: 75 mm, of which its window fills some.
    assert found["shadow_background_asymmetry"].low > 0.4
    assert found["shadow_background_baseline_mm"].value == pytest.approx(-70, abs=12)
    assert found["rim_flying"].value < 0.01


def test_the_sr305():
    files = sorted((DATA / "sr305_gestures").glob("*/*.png"))
    found = measure(recorded(files, 0.125, (476.007, 476.007, 313.683, 242.755)), 0.125)
    assert found["unit_mm"].value == found["step_mm_at_1m"].value == 0.125
    assert found["noise_mm"].value < 0.15
    assert found["shadow_background_asymmetry"].low > 0
    assert found["lost_tilt_75_90"].value > 10 * found["lost_tilt_0_30"].value
