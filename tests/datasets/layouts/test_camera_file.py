import json

import pytest

from refiner.datasets.layouts.camera_file import GivenCamera, read_camera_file
from refiner.errors import DepthFormatError

ROWS = [[600, 0, 320], [0, 601, 240], [0, 0, 1]]


def read(tmp_path, record):
    path = tmp_path / "camera.json"
    path.write_text(record if isinstance(record, str) else json.dumps(record), encoding="utf-8")
    return read_camera_file(path)


REALSENSE = {"width": 640, "height": 480, "ppx": 320, "ppy": 240, "fx": 600, "fy": 601, "model": 4, "coeffs": [0] * 5}
OPEN3D = {
    "color_format": "RGB8", "depth_format": "Z16", "depth_scale": 1000.0, "device_name": "L515", "fps": 30,
    "height": 480, "intrinsic_matrix": [600, 0, 0, 0, 601, 0, 320, 240, 1], "width": 640,
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "image_px", "unit_mm"),
    [
        ({"fx": 600, "fy": 601, "cx": 320, "cy": 240}, None, None),
        ({"fx": 600, "fy": 601, "cx": 320, "cy": 240, "depth_unit_mm": 0.25}, None, 0.25),
        ({"fx": 600, "fy": 601, "cx": 320, "cy": 240, "width": 640, "height": 480}, (640, 480), None),
        (REALSENSE, (640, 480), None),
        ({**REALSENSE, "depth_scale": 0.00025}, (640, 480), 0.25),
        ({"serial": "1", "depth": REALSENSE, "color": {}}, (640, 480), None),
        (OPEN3D, (640, 480), 1.0),
        (
            {"intrinsic": {k: OPEN3D[k] for k in ("width", "height", "intrinsic_matrix")}, "extrinsic": []},
            (640, 480),
            None,
        ),
        ({"K": ROWS}, None, None),
        ({"camera_matrix": [n for row in ROWS for n in row]}, None, None),
        ("\ufeff" + json.dumps(REALSENSE), (640, 480), None),
    ],
)
def test_the_words_of_many_tools(tmp_path, record, image_px, unit_mm):
    found = read(tmp_path, record)
    assert found.given == GivenCamera((600, 601, 320, 240), image_px)
    assert found.depth_unit_mm == unit_mm


def test_azure_kinect_has_a_camera_for_each_size_of_map(tmp_path):
    intrinsics = {"ModelParameters": [0.5, 0.5, 0.4921875, 0.4921875, 6.08, 4.37, 0.2], "ModelParameterCount": 14}
    depth = {"Location": "CALIBRATION_CameraLocationD0", "Intrinsics": intrinsics, "SensorWidth": 1024}
    given = read(tmp_path, {"CalibrationInformation": {"Cameras": [{"Location": "PV0"}, depth]}}).given
    # 0.4921875 of 1024 px is 504; the middle of the sensor is 511.5, and the narrow modes begin at 192, 180 of it.
    assert given.of_image(1024, 1024) == (504, 504, 511.5, 511.5)
    assert given.of_image(640, 576) == (504, 504, 319.5, 331.5)
    assert given.of_image(320, 288) == (252, 252, 159.5, 165.5)
    assert given.of_image(512, 512) == (252, 252, 255.5, 255.5)
    assert given.distorted


def test_distortion_is_noticed(tmp_path):
    assert read(tmp_path, {**REALSENSE, "coeffs": [0.1, 0, 0, 0, 0]}).given.distorted


def test_numbers_for_another_image_are_scaled_by_its_width():
    given = GivenCamera((950, 950, 639.5, 359.5), (1280, 720))
    assert given.of_image(1280, 720) == (950, 950, 639.5, 359.5)
    assert given.of_image(640, 360) == (475, 475, 319.5, 179.5)
    assert given.of_image(640, 480) == (475, 475, 319.5, 239.5)  # 60 rows more above and below
    # The left edge of the image is -0.5 px in both.
    shifted = GivenCamera((950, 950, -0.5, -0.5), (1280, 720)).of_image(640, 360)
    assert shifted == (475, 475, -0.5, -0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "found list, wanted an object"),
        ('{"fx": 1, "fy": 1}', "found fx, fy, wanted"),
        ('{"fx": 1, "fy": 1, "cx": 1, "cy": 1, "unit": 1}', "found fx, fy, cx, cy, unit, wanted"),
        ('{"fx": 0, "fy": 1, "cx": 1, "cy": 1}', "fx, fy and the unit above 0"),
        ('{"fx": "1", "fy": 1, "cx": 1, "cy": 1}', "wanted an object of numbers"),
        ('{"K": [1, 2, 3]}', "found K, wanted"),
        ('{"K": [[1, 0, 1], [0, 1, 1], [0, 0, 2]]}', "found K, wanted"),
        ('{"CalibrationInformation": {"Cameras": []}}', "found CalibrationInformation, wanted"),
        ('{"fx": 1, "fy": 1, "cx": 1, "cy": 1, "depth_unit_mm": 0}', "the unit above 0"),
    ],
)
def test_a_camera_file_that_is_none(tmp_path, text, message):
    with pytest.raises(DepthFormatError, match=r"camera\.json") as error:
        read(tmp_path, text)
    assert message in str(error.value)
