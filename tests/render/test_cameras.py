import pytest

from refiner.errors import UsageError
from refiner.render.cameras import CAMERAS, ImageCamera, camera_of


def test_names_and_numbers():
    assert camera_of("kinect2") is CAMERAS["kinect2"]
    assert camera_of("500,510,319.5,239.5") == ImageCamera((500, 510, 319.5, 239.5), 640, 480)
    assert camera_of("500,510,300,200,640,400") == ImageCamera((500, 510, 300, 200), 640, 400)


@pytest.mark.parametrize("text", ["kinect3", "1,2,3", "500,500,a,240", "0,500,320,240", "500,500,320,240,300,200", ""])
def test_what_is_no_camera_is_refused_with_the_names(text):
    with pytest.raises(UsageError, match="Found the camera") as error:
        camera_of(text)
    assert "wanted" in str(error.value)
