import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
import zarr
from fakes import write_balls

from refiner.cli import training
from refiner.cli.main import main
from refiner.datasets.store import DepthStore
from refiner.pose.checkpoint import load_estimator
from refiner.pose.module import PoseEstimator
from refiner.pose.predict import estimate, evaluate, read_estimates
from refiner.render.generate import generate
from refiner.render.settings import RenderSettings

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")

RECIPES = Path(training.__file__).parents[2] / "configs/pose"
NAMES = sorted(path.name for path in RECIPES.glob("*.yaml"))
SMALL = {
    "small.yaml": ["--model.network.init_args.channels", "8"],
    "offset.yaml": ["--model.network.init_args.channels", "8", "--model.network.init_args.input_px", "32"],
    "hourglass.yaml": [
        "--model.network.init_args.channels", "8", "--model.network.init_args.input_px", "64",
        "--model.network.init_args.joints", "21",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def renders(tmp_path_factory):
    """A labelled store of 24 renders of 32 px."""
    path = tmp_path_factory.mktemp("renders") / "a.zarr"
    generate(path, RenderSettings(size=32), count=24, seed=3, provenance={"command": "test"})
    return path


def train(store, *more, out="run", recipe="small.yaml"):
    words = ["--data", str(store), "--out", out, "--config", str(RECIPES / recipe), *SMALL[recipe]]
    words += ["--trainer.max_steps", "6", "--trainer.val_check_interval", "3", "--trainer.accelerator", "cpu"]
    words += ["--data.batch_size", "4", "--data.held_out", "0.2", "--checkpoints.every_n_updates", "2", *more]
    return main(["pose", "train", *words])


def weights(out):
    checkpoint = torch.load(f"{out}/checkpoints/last.ckpt", weights_only=True)
    return checkpoint["state_dict"], checkpoint["global_step"]


def equal(a, b):
    return a[1] == b[1] and all(torch.equal(a[0][name], b[0][name]) for name in a[0])


def test_two_stores_are_mixed(renders, capsys):
    generate(Path("other.zarr"), RenderSettings(size=32), count=24, seed=4, provenance={})
    assert train(renders, "--data", "other.zarr") == 0
    data = torch.load("run/checkpoints/last.ckpt", weights_only=True)["data"]
    assert [part["path"] for part in data.values()] == [str(renders), "other.zarr"]
    assert train(renders, "--data=other.zarr") == 2  # done
    assert "holds a run that is done" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", NAMES)
def test_every_recipe_trains_estimates_and_is_measured(renders, recipe, capsys):
    assert train(renders, recipe=recipe) == 0
    assert "run/checkpoints/last.ckpt: 6 updates" in capsys.readouterr().out.splitlines()[-1]
    last = "run/checkpoints/last.ckpt"
    assert load_estimator(last).skeleton.name == "hand21"
    assert main(["pose", "predict", last, str(renders), "joints.npz"]) == 0
    joints_mm, record = read_estimates(Path("joints.npz"))
    assert joints_mm.shape == (24, 21, 3)
    assert record["estimator"]["updates"] == 6
    assert main(["pose", "evaluate", last, str(renders), "--out", "report.json"]) == 0
    report = json.loads(Path("report.json").read_text())
    truth = DepthStore(renders).read("joints_mm")
    assert report["mean_mm"] == pytest.approx(np.linalg.norm(joints_mm - truth, axis=-1).mean(), rel=1e-5)
    assert {"mean_mm", "median_mm", "per_joint_mm", "pck", "auc", "ci95_mm"} <= set(report)
    assert report["ci95_mm"][0] < report["mean_mm"] < report["ci95_mm"][1]


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_a_recipe_has_a_comment(name):
    lines = [line for line in (RECIPES / name).read_text().splitlines() if line.strip()]
    for line in lines:
        assert "#" in line or line.endswith(":") or line.strip().startswith("class_path:"), line


def test_the_same_command_continues_an_interrupted_run(renders, monkeypatch, capsys):
    assert train(renders, out="whole") == 0

    class Killed(BaseException):
        """As sudden as SIGKILL for everything that could clean up."""

    step = PoseEstimator.training_step

    def stop_in_the_middle(self, *arguments):
        if self.global_step == 5:
            raise Killed
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(PoseEstimator, "training_step", stop_in_the_middle)
        with pytest.raises(Killed):
            train(renders, out="cut")
    assert weights("cut")[1] == 4
    assert train(renders, out="cut") == 0
    assert "continuing the interrupted run cut" in capsys.readouterr().out
    assert equal(weights("cut"), weights("whole"))
    assert train(renders, out="cut") == 2  # a run that is done is not touched
    assert "--overwrite" in capsys.readouterr().err
    assert train(renders, "--overwrite", out="cut") == 0


def test_overwriting_spares_a_folder_that_is_no_run(renders, capsys):
    Path("thesis").mkdir()
    Path("thesis/chapter.txt").write_text("years")
    assert train(renders, "--overwrite", out="thesis") == 2
    assert "holds no run of `refiner pose train`" in capsys.readouterr().err
    assert Path("thesis/chapter.txt").read_text() == "years"


def test_the_log_says_how_it_goes(renders):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert train(renders, "--trainer.log_every_n_steps", "2") == 0
    events = EventAccumulator("run")
    events.Reload()
    steps = {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert steps == {"train/loss": [1, 2, 4, 6], "train/learning_rate": [1, 2, 4, 6], "val/mean_mm": [0, 3, 6]}
    assert yaml.safe_load(Path("run/config.yaml").read_text())["seed_everything"] == 0


def test_estimates_do_not_depend_on_the_companions(renders):
    assert train(renders) == 0
    trained = load_estimator("run/checkpoints/last.ckpt")
    whole = estimate(trained, DepthStore(renders))
    # Items 8 to 23 as a store of their own: the same maps in other places of the batch.
    part = zarr.open_group("part.zarr", mode="w")
    part.attrs.update({"format": "depth-refiner/1", "depth_unit_mm": 0.1})
    for name in ("depth", "camera", "centre_mm", "cube_mm"):
        rows = DepthStore(renders).read(name, 8, 24)
        part.create_array(name, data=rows, chunks=(16, *rows.shape[1:]))
    np.testing.assert_allclose(estimate(trained, DepthStore("part.zarr")), whole[8:], atol=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pose"], "Found 'nothing', wanted one of train, predict, evaluate"),
        (["pose", "learn"], "Found 'learn'"),
        (["pose", "train", "--data", "balls.zarr", "--out", "run"], "has no joints_mm, wanted labels"),
        (["pose", "train", "--data", "none.zarr", "--out", "run"], "No dataset at none.zarr"),
        (["pose", "predict", "none.ckpt", "balls.zarr", "o.npz"], "No checkpoint at none.ckpt.*`refiner pose train`"),
        (["pose", "predict", "junk.ckpt", "balls.zarr", "o.npz"], "not a readable checkpoint"),
        (["pose", "predict", "junk.ckpt", "balls.zarr", "junk.ckpt"], "exists.*--overwrite"),
        (["pose", "evaluate", "junk.ckpt", "balls.zarr", "--out", "junk.ckpt"], "exists.*--overwrite"),
        (["pose", "evaluate", "junk.ckpt", "balls.zarr"], "--out|out"),
    ],
)
def test_mistakes_are_explained(capsys, words, message):
    write_balls("balls.zarr")
    Path("junk.ckpt").write_text("junk")
    assert main(words) == 2
    err = capsys.readouterr().err
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert not Path("run").exists()


def test_an_evaluation_killed_before_its_report_goes_on(renders, monkeypatch, capsys):
    assert train(renders) == 0
    words = ["pose", "evaluate", "run/checkpoints/last.ckpt", str(renders), "--out", "a.json"]
    assert main(words) == 0
    report = Path("a.json").read_bytes()
    Path("a.json").unlink()  # as a kill after the estimates leaves it
    with monkeypatch.context() as patch:
        patch.setattr("refiner.cli.pose.predict", None)  # not called again
        assert main(words) == 0
    assert Path("a.json").read_bytes() == report
    Path("a.json").unlink()
    generate(Path("other.zarr"), RenderSettings(size=32), count=24, seed=4, provenance={})
    words[3] = "other.zarr"
    assert main(words) == 2  # estimates of something else are not overwritten
    assert "a.npz exists" in capsys.readouterr().err


def test_the_wrong_number_of_joints_is_refused(renders, capsys):
    assert train(renders, "--model.network.init_args.joints", "14") == 2
    assert "finds 14 joints and the data's hand21 has 21" in capsys.readouterr().err


def test_estimates_of_another_set_are_not_scored(renders):
    assert train(renders) == 0
    assert main(["pose", "predict", "run/checkpoints/last.ckpt", str(renders), "joints.npz"]) == 0
    generate(Path("other.zarr"), RenderSettings(size=32), count=24, seed=4, provenance={})
    with pytest.raises(Exception, match="not what lies at other.zarr"):
        evaluate(Path("joints.npz"), Path("other.zarr"))
    del zarr.open_group("other.zarr", mode="r+")["joints_mm"]
    with pytest.raises(Exception, match="no joints_mm to measure against"):
        evaluate(Path("joints.npz"), Path("other.zarr"))
