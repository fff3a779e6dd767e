from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.sensors.catalogue import CATALOGUE
from refiner.sensors.depth_sensor import DepthSensor


def test_a_first_kinects_windows_in_cropped_maps_by_hand():
    # At 770 mm a pixel is 770 / 575 = 1.34 mm wide, a window of 9 px 12 mm: 3 px of 260 / 64 mm, 5 of 260 / 128.
    kinect1 = CATALOGUE["kinect1"]
    assert kinect1.window_in_maps_px(64, 260.0, 770.0) == 3
    assert kinect1.window_in_maps_px(128, 260.0, 770.0) == 5
    assert CATALOGUE["kinect2"].window_in_maps_px(128, 260.0, 650.0) == 1


@given(st.floats(300, 2000), st.sampled_from([32, 64, 128, 256]))
def test_windows_in_maps_are_odd_and_as_wide_as_the_cameras_to_a_pixel(distance_mm, size):
    sensor = CATALOGUE["d435"]
    window_px = sensor.window_in_maps_px(size, 260.0, distance_mm)
    wide_mm = sensor.window_px * distance_mm / sensor.camera[0]
    assert window_px % 2 == 1
    assert abs(window_px * 260.0 / size - wide_mm) <= 260.0 / size + 1e-6 or window_px == 1


def test_a_mirrored_camera_has_its_partner_on_the_other_side():
    kinect1 = CATALOGUE["kinect1"]
    assert kinect1.mirrored().model == replace(kinect1.model, baseline_mm=-75.0)
    assert kinect1.mirrored().mirrored() == kinect1
    for sensor in (CATALOGUE["kinect2"], DepthSensor((500.0, 500.0, 50.0, 50.0), (101, 101))):
        with pytest.raises(ValueError, match="wanted a camera with a baseline"):
            sensor.mirrored()
