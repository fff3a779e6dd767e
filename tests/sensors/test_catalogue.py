import pytest

from refiner.errors import UsageError
from refiner.sensors.catalogue import CATALOGUE, PLAIN, camera_of, modelled
from refiner.sensors.depth_sensor import DepthSensor


def test_names_and_numbers():
    assert camera_of("kinect2") is CATALOGUE["kinect2"]
    assert camera_of("500,510,319.5,239.5") == DepthSensor((500, 510, 319.5, 239.5), (640, 480))
    assert camera_of("500,510,300,200,640,400") == DepthSensor((500, 510, 300, 200), (640, 400))


@pytest.mark.parametrize("text", ["kinect3", "1,2,3", "500,500,a,240", "0,500,320,240", "500,500,320,240,300,200", ""])
def test_what_is_no_camera_is_refused_with_the_names(text):
    with pytest.raises(UsageError, match="Found the camera") as error:
        camera_of(text)
    assert "wanted" in str(error.value)


def test_cameras_know_their_names_and_look_into_their_images():
    for name, sensor in CATALOGUE.items():
        assert sensor.name == name
        assert 0 < sensor.camera[2] < sensor.columns
        assert 0 < sensor.camera[3] < sensor.rows
        assert sensor.unit_mm in (0.125, 0.25, 1.0)
    assert PLAIN.model is None


def test_steps_of_a_first_kinect_are_as_khoshelham_and_elberink_derive_them():
    # z^2 / (8 f b): 2.9 mm at 1 m.
    model = CATALOGUE["kinect1"].model
    assert 1e6 / (model.subpixels * 575 * model.baseline_mm) == pytest.approx(2.9, abs=0.01)


def test_only_cameras_with_a_model_make_noise():
    assert modelled("d435") is CATALOGUE["d435"]
    for name, message in (("sr305", "wanted one with a model"), ("sonar", "'sonar'"), ("tof", "called kinect2 now"),
                          ("structured-light", "called kinect1 now")):  # fmt: skip
        with pytest.raises(UsageError, match=message):
            modelled(name)
