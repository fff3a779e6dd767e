from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from refiner.cli.main import main
from refiner.cli.scene import read_scene
from refiner.datasets.store import DepthStore
from refiner.errors import UsageError
from refiner.hand.limits import HandPrior
from refiner.render.scene import Viewpoints
from refiner.sensors.models.structured_light import StructuredLight
from refiner.sensors.models.time_of_flight import TimeOfFlight


def write(tmp_path, given):
    path = tmp_path / "scene.yaml"
    path.write_text(yaml.safe_dump(given))
    return str(path)


def test_without_a_file_all_is_default():
    assert read_scene(None) == (Viewpoints(), HandPrior(), None)


def test_the_shipped_scene_holds_the_palm_to_the_camera(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    views, hands, _ = read_scene("render/facing.yaml")
    assert (views.palm, views.any_roll, views.tilt_deg) == (1.0, 0.0, (-30.0, 10.0, 50.0))
    assert hands == HandPrior()


def test_a_file_changes_what_it_names_and_no_more(tmp_path):
    tof = TimeOfFlight(sigma_mm=7.0)
    path = write(tmp_path, {"views": {"palm": 0.7}, "hands": {"left": 0.5}, "sensor": {"albedo": 0.3}})
    views, hands, model = read_scene(path, tof)
    assert (views.palm, views.back) == (0.7, Viewpoints().back)
    assert (hands.left, hands.between) == (0.5, HandPrior().between)
    assert model == replace(tof, albedo=0.3)
    with pytest.raises(UsageError, match="where --sensor names a camera"):
        read_scene(path)


@pytest.mark.parametrize(
    ("given", "model", "message"),
    [
        ({"views": {"palmo": 1}}, None, "palmo"),
        ({"views": {"palm": 3}}, None, "wanted shares"),
        ({"hands": {"left": "x"}}, None, "hands.left"),
        ({"hands": {"left": 2.0}}, None, "between 0 and 1"),
        ({"light": {}}, TimeOfFlight(), "wanted some of views, hands, sensor"),
        (["views"], None, "wanted some of"),
        ({"sensor": {"window_px": 9}}, TimeOfFlight(), "window_px"),
        ({"sensor": {"window_px": 8}}, StructuredLight(), "an odd window"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, given, model, message):
    with pytest.raises(UsageError, match=message):
        read_scene(write(tmp_path, given), model)


def test_a_missing_file_and_one_that_is_no_yaml(tmp_path):
    with pytest.raises(UsageError, match="wanted a YAML file"):
        read_scene(str(tmp_path / "none.yaml"))
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(UsageError, match="wanted a YAML file"):
        read_scene(str(tmp_path / "bad.yaml"))


def test_render_takes_it_and_writes_it_down(tmp_path):
    out = tmp_path / "a.zarr"
    words = ["--count", "3", "--size", "32", "--sensor", "kinect2", "--hand", "left"]
    scene = write(tmp_path, {"views": {"spin_deg": 5.0}, "sensor": {"albedo": 0.5}})
    assert main(["render", str(out), *words, "--scene", scene]) == 0
    configuration = DepthStore(out).provenance["configuration"]
    assert configuration["views"]["spin_deg"] == 5.0
    assert configuration["sensor"]["albedo"] == 0.5
    assert configuration["prior"]["left"] == 1.0  # --hand says what the file does not
    assert Path(scene).name in DepthStore(out).provenance["command"]
