import json
import subprocess
from pathlib import Path

import cv2
import pytest
import yaml

from experiments.zoo import __main__ as module
from experiments.zoo import rows as rows_module
from experiments.zoo.rows import COLUMNS, REFINED, ROWS, Camera, trained
from refiner.datasets.store import DepthStore
from refiner.render.generate import generate
from refiner.render.settings import RenderSettings
from refiner.sensors.catalogue import CATALOGUE, PLAIN

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")


def make_sets(name, camera, out, maps, test_maps, size):
    """Render a stand-in's sets, as the zoo's cameras do."""
    for seed, (kind, count) in enumerate((("synthetic", maps), ("camera", maps), ("test", test_maps))):
        sensor = PLAIN if kind == "synthetic" else CATALOGUE[camera["sensor"]]
        if not (out / f"{kind}.zarr").exists():
            generate(
                out / f"{kind}.zarr",
                RenderSettings(size=size, sensor=sensor, noise=kind != "synthetic"),
                count=count,
                seed=seed,
                provenance={},
            )


def never(*_, **__):
    raise AssertionError("done already")


def tiny(**cameras):
    """The zoo, as small as can be."""
    settings = yaml.safe_load(module.ZOO.read_text())
    settings |= {"maps": 40, "test_maps": 24, "size": 48, "judge": {"maps": 20, "patches": 200, "most_epochs": 1}}
    settings["refiner"]["updates"], settings["pose"]["updates"], settings["published"]["validate_every"] = 2, 2, 2
    settings["cameras"] = cameras or {"a": {"sensor": "kinect2"}, "kept": {"sensor": "kinect2", "final": True}}
    Path("tiny.yaml").write_text(yaml.safe_dump(settings))
    return settings


def run(*words, sets=make_sets):
    module.main(["--zoo", "tiny.yaml", "--out", "zoo", *words], sets)
    return json.loads(Path("zoo/a/table.json").read_text())


def test_the_settings_of_the_zoo():
    """Generic noise and loss stand there; the recipes are the untouched ones."""
    settings = yaml.safe_load(module.ZOO.read_text())
    assert settings["refiner"]["config"] == "simgan/fast.yaml"
    assert all(settings["augmentation"][name] > 0 for name in ("noise", "lost", "squares"))


def test_rows_without_a_refiner_and_their_continuation(capsys):
    tiny()
    rows = ["raw", "control_measured"]
    first = run("--rows", "raw", "--results", "results")
    assert json.loads(Path("results/zoo_a.json").read_text()) == first
    assert "--model.augmentation.noise=0.04" in capsys.readouterr().out
    whole = run("--rows", *rows, sets=never)
    assert list(whole["rows"]) == rows
    out = capsys.readouterr().out
    assert "pose/raw-0-plain" not in out  # that job is done
    assert "pose/control_measured-0-plain" in out
    assert whole["rows"]["raw"] == first["rows"]["raw"]
    assert set(first["rows"]["raw"]) == {"judged", *COLUMNS}
    assert not Path("runs").exists()  # no refiner was trained
    assert cv2.imread("zoo/a/sheet.png").shape[1] > 8 * 192
    assert DepthStore("zoo/a/control_measured.zarr").depth_unit_mm == DepthStore("zoo/a/camera.zarr").depth_unit_mm
    config = yaml.safe_load(Path("zoo/a/pose/raw-0-augmented/config.yaml").read_text())
    assert config["model"]["augmentation"]["squares"] == 4
    plain = yaml.safe_load(Path("zoo/a/pose/raw-0-plain/config.yaml").read_text())
    assert plain["model"]["augmentation"]["noise"] == plain["model"]["augmentation"]["lost"] == 0


def test_results_of_other_settings_are_refused(capsys):
    tiny()
    Path("zoo/a").mkdir(parents=True)
    Path("zoo/a/table.json").write_text("{}")
    with pytest.raises(SystemExit):
        run("--rows", "raw")
    assert "nobody knows what they were made with" in capsys.readouterr().err


def test_cameras_that_are_kept_apart_are_refused(capsys):
    sections = tiny()["cameras"]
    assert module.chosen_cameras(sections, None, final=False) == ["a"]
    assert module.chosen_cameras(sections, None, final=True) == ["a", "kept"]
    assert module.chosen_cameras(sections, ["kept"], final=True) == ["kept"]
    for words, wanted in (
        (["a", "kept"], "kept is kept apart until the recipe is frozen"),
        (["b"], "Found the camera b, wanted one of a, kept"),
    ):
        with pytest.raises(SystemExit) as error:
            run("--cameras", *words)
        assert error.value.code == 2
        assert wanted in capsys.readouterr().err
    assert not Path("zoo").exists()
    with pytest.raises(SystemExit):
        module.chosen_cameras({}, None, final=False)


def git(*words):
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", "-C", "repository", *words], check=True)


def test_a_final_run_wants_a_clean_tree(capsys):
    Path("repository").mkdir()
    with pytest.raises(SystemExit):
        module.clean_commit(Path("repository"))
    assert "git found none" in capsys.readouterr().err
    git("init", "-q")
    Path("repository/file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "m")
    assert len(module.clean_commit(Path("repository"))) == 40
    for name in ("file", "new"):
        Path("repository", name).write_text("2")
        with pytest.raises(SystemExit):
            module.clean_commit(Path("repository"))
        assert name in capsys.readouterr().err
        git("add", name)
        git("commit", "-qm", "m")


def test_the_commit_is_part_of_a_final_cameras_settings():
    """Results of two commits must not be mixed; an open camera does not know it."""
    settings = tiny()
    cameras = [Camera("kept", {}, settings, Path("o"), commit) for commit in (None, "1", "2")]
    assert [camera.all_settings()["commit"] for camera in cameras] == [None, "1", "2"]


def test_another_refiner_has_jobs_of_its_own():
    """Rows without a refiner stay when a recipe changes; the others are done again."""
    one = Camera("a", {}, tiny(), Path("o"))
    other = Camera("a", {}, tiny() | {"refiner": {"config": "simgan/fast.yaml", "updates": 9}}, Path("o"))
    assert one.all_settings() == other.all_settings()
    assert one.job_name("raw", 0) == other.job_name("raw", 0) == "raw-0"
    for side in REFINED:
        assert one.job_name(side, 0) != other.job_name(side, 0)
        assert one.job_name(side, 0) == Camera("a", {}, tiny(), Path("p")).job_name(side, 0)


def test_the_published_side_trains_as_long_as_the_other(monkeypatch):
    told = {}

    def train(name, is_done, synthetic, camera, *words):
        told["words"], told["is_done"] = words, is_done

    monkeypatch.setattr(rows_module, "trained_refiner", train)
    monkeypatch.setattr(rows_module, "refiner_record", lambda *_: {"processor_s": 123.5})
    trained(Camera("a", {}, tiny(), Path("o")), "published", 0)
    assert "--trainer.callbacks.seconds=123.5" in told["words"]
    counted = lambda spent_s: {"callbacks": {"Clock": {"spent_s": spent_s}}, "global_step": 1}  # noqa: E731
    assert told["is_done"](counted(123.5))
    assert not told["is_done"](counted(123.4))
    trained(Camera("a", {}, tiny(), Path("o")), "refined", 0)
    assert told["words"][told["words"].index("--config") + 1] == "simgan/fast.yaml"
    assert told["is_done"]({"global_step": 2})
    assert not told["is_done"]({"global_step": 1})


@pytest.mark.slow
def test_every_row_is_made():
    tiny()
    whole = run()
    assert list(whole["rows"]) == list(ROWS)
    seconds = {side: whole["rows"][side]["refiner"][0]["processor_s"] for side in REFINED}
    assert seconds["published"] >= seconds["refined"] > 0
    for side in ("control_fixed", "control_measured", *REFINED):
        assert 0 <= whole["rows"][side]["judged"]["label_shift"]["silhouette_iou"] <= 1
    text = Path("zoo/a/table.md").read_text()
    assert text.count("\n| ") == 2 * len(ROWS) + 3
    assert run(sets=never) == whole


def test_another_recipe_can_be_asked_for(monkeypatch):
    tiny()
    asked = []

    def table_of(camera, rows, *_):
        asked.append((camera.settings["refiner"], rows))
        return {}

    monkeypatch.setattr(module, "table_of", table_of)
    monkeypatch.setattr(module, "as_markdown", lambda _: "")
    module.main(["--zoo", "tiny.yaml", "--rows", "refined", "--recipe", "simgan/paired.yaml"])
    assert asked == [({"config": "simgan/paired.yaml", "updates": 2}, ["refined"])]
