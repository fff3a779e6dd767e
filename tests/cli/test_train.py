import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from fakes import write_balls
from killing import ENVIRONMENT, kill_once_written, run

from refiner import __version__
from refiner.cli import train as train_module
from refiner.cli.main import main
from refiner.cli.training import files_first, with_shipped_recipes, without_expected_noise
from refiner.datasets.store import DepthStore
from refiner.simgan.checkpoint import load_refiner

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")

RECIPE = """
seed_everything: 5
model:
  refiner:
    class_path: refiner.nets.refiner.ComposedRefiner
    init_args:
      channels: 8
      blocks: 1
      loss: {class_path: refiner.nets.refiner.PixelLoss}
      measurement: {class_path: refiner.nets.refiner.MapNoise}
  discriminator:
    class_path: refiner.nets.discriminator.PatchDiscriminator
    init_args:
      layers: [{kernel: 3, stride: 2, channels: 8}, {kernel: 3, stride: 1}]
      classes: 1
  optimizer_refiner: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}
  optimizer_discriminator: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}
  schedule: {refiner_warmup: 1, discriminator_warmup: 1, k_g: 1, k_d: 1}
  objective: {adversarial: least_squares, reduction: mean, penalty_weight: 0.1, penalty_every: 2}
  augmentation: {depth_offset: 0.5, flip_up_down: true}
  history_maps: 8
  average_decay: 0.9
data: {batch_size: 4, probe_maps: 5}
trainer: {max_steps: 8, val_check_interval: 4, log_every_n_steps: 2, accelerator: cpu}
checkpoints: {every_n_updates: 2}
"""


@pytest.fixture(autouse=True)
def _job():
    """A recipe and two stores in the current folder."""
    Path("r.yaml").write_text(RECIPE)
    write_balls("a.zarr")
    write_balls("b.zarr", unit_mm=1.0, seed=1, noisy=True)


def train(*more):
    return main(["train", "--config", "r.yaml", "--data.synthetic", "a.zarr", "--data.real", "b.zarr", *more])


def result(name, version=0):
    checkpoint = torch.load(f"runs/{name}/version_{version}/checkpoints/last.ckpt", weights_only=True)
    return checkpoint["state_dict"], checkpoint["optimizer_states"], checkpoint["history"], checkpoint["latest"]


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def test_what_a_run_writes_and_says(capsys):
    assert train("--name", "first") == 0
    out, err = capsys.readouterr()
    folder = Path("runs/first/version_0")
    assert out.splitlines() == [
        f"seed 5, 8 updates, {folder}",
        f"{folder}/checkpoints/last.ckpt: 8 updates",
    ]
    assert err.splitlines()[-1].startswith("8 of 8 updates")
    assert re.match(r"refiner train: only \d+ camera maps: a discriminator learns so few by heart", err)
    assert len(err.splitlines()) <= 3  # quiet when piped
    names = {path.name for path in folder.iterdir()}
    assert {"config.yaml", "run.json", "checkpoints"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["seed_everything"] == 5
    assert config["trainer"]["max_steps"] == 8
    provenance = {
        side: {"path": f"{name}.zarr", "digest": DepthStore(f"{name}.zarr").digest(), "maps": 40}
        for side, name in (("synthetic", "a"), ("real", "b"))
    }
    assert json.loads((folder / "run.json").read_text()) == {"version": __version__, "data": provenance}
    loaded = load_refiner(folder / "checkpoints/last.ckpt")
    assert loaded.facts["updates"] == 8
    assert loaded.facts["data"] == provenance
    assert loaded.codec.unit_mm == 1.0


def test_a_run_is_never_overwritten():
    for _ in range(2):
        assert train("--trainer.max_steps", "2") == 0
    first = Path("runs/simgan/version_0/checkpoints/last.ckpt")
    assert first.exists()
    assert Path("runs/simgan/version_1/checkpoints/last.ckpt").exists()


def test_the_same_command_gives_the_same_run_and_another_seed_another():
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert train("--name", name, "--seed_everything", seed) == 0
    assert same(result("a"), result("b"))
    assert not same(result("a")[0], result("c")[0])


@pytest.fixture
def killed_at(monkeypatch):
    """Give a function that trains a run and kills it at an update."""

    class Killed(BaseException):
        """As sudden as SIGKILL for everything that could clean up."""

    step = train_module.SimGAN.training_step

    def killed(update, *words):
        def stop_in_the_middle(self, *arguments):
            if self.global_step == update:
                raise Killed
            step(self, *arguments)

        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            patch.setattr(train_module.SimGAN, "training_step", stop_in_the_middle)
            train(*words)

    return killed


def test_the_same_command_continues_an_interrupted_run(killed_at, capsys):
    assert train("--name", "whole") == 0
    killed_at(5, "--name", "cut")
    assert train("--name", "cut") == 0
    assert "continuing the interrupted run runs/cut/version_0" in capsys.readouterr().out
    assert same(result("cut"), result("whole"))
    assert [path.name for path in Path("runs/cut").iterdir()] == ["version_0"]
    assert train("--name", "cut") == 0  # a run that is done is not touched
    assert Path("runs/cut/version_1").is_dir()


def test_other_settings_or_data_begin_a_run_of_their_own(killed_at):
    killed_at(5, "--name", "cut")
    assert train("--name", "cut", "--seed_everything", "6") == 0
    killed_at(5, "--name", "data")
    shutil.rmtree("b.zarr")
    write_balls("b.zarr", unit_mm=1.0, seed=3, noisy=True)
    assert train("--name", "data") == 0
    for name in ("cut", "data"):
        last = f"runs/{name}/version_0/checkpoints/last.ckpt"
        assert torch.load(last, weights_only=True)["global_step"] == 4
        assert Path(f"runs/{name}/version_1").is_dir()


def test_a_run_killed_before_its_first_checkpoint_begins_again(killed_at):
    killed_at(1, "--name", "cut")
    assert train("--name", "cut") == 0
    assert Path("runs/cut/version_1/checkpoints/last.ckpt").exists()


def test_an_interrupted_run_goes_on_bit_for_bit(killed_at):
    assert train("--name", "whole") == 0
    killed_at(5, "--name", "cut")
    last = "runs/cut/version_0/checkpoints/last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 4
    assert train("--name", "cut", "--ckpt_path", last) == 0
    assert same(result("cut", 1), result("whole"))
    assert torch.load(last, weights_only=True)["global_step"] == 4  # the earlier run is left as it was


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit():
    words = ["--config", "r.yaml", "--data.synthetic", "a.zarr", "--data.real", "b.zarr", "--trainer.max_steps", "400"]
    last = Path("runs/cut/version_0/checkpoints/last.ckpt")
    run("train", *words, "--name", "whole")
    kill_once_written(last, "train", *words, "--name", "cut", wait_s=1.0)
    assert 0 < torch.load(last, weights_only=True)["global_step"] < 400
    run("train", *words, "--name", "cut")
    assert same(result("cut"), result("whole"))


def test_further_training_goes_on_from_a_finished_run():
    assert train("--name", "long", "--trainer.max_steps", "12") == 0
    assert train("--name", "short") == 0
    last = "runs/short/version_0/checkpoints/last.ckpt"
    assert train("--name", "short", "--trainer.max_steps", "12", "--ckpt_path", last) == 0
    assert same(result("short", 1), result("long"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.schedule.kg", "3"], "kg"),
        (["--model.objective.psi", "other"], "identity.*gradients"),
        (["--model.schedule.k_g", "0"], "wanted warm-ups >= 0 and k_g, k_d >= 1"),
        (["--data.size", "224"], "16 px, but this recipe wants 224 px"),
        (["--data.real", "nothing.zarr"], "No dataset at nothing.zarr"),
        (["--data.tau", "2"], "0 < tau < 1"),
        (["--config", "nothing.yaml"], "nothing.yaml"),
        (["--ckpt_path", "nothing.ckpt"], "No checkpoint at nothing.ckpt"),
        (["--ckpt_path", "r.yaml"], "r.yaml .* is not a readable checkpoint"),
        (["--model.average_decay", "x"], "average_decay"),
    ],
)
def test_mistakes_are_explained_in_one_paragraph(capsys, words, message):
    assert train(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("refiner train: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert re.search(message, err), err
    assert not Path("runs").exists()  # nothing is begun


def test_a_misspelt_key_in_the_file_is_named(capsys):
    Path("r.yaml").write_text(RECIPE.replace("history_maps", "histroy_maps"))
    assert train() == 2
    assert "histroy_maps" in capsys.readouterr().err


def test_a_checkpoint_that_does_not_fit_is_refused(capsys):
    assert train("--trainer.max_steps", "2") == 0
    last = "runs/simgan/version_0/checkpoints/last.ckpt"
    assert train("--ckpt_path", last, "--model.refiner.init_args.channels", "9") == 2
    assert "its refiner is" in capsys.readouterr().err
    assert train("--ckpt_path", last, "--trainer.max_steps", "2") == 2
    assert "already done 2 updates" in capsys.readouterr().err


def test_other_data_is_noticed_when_resuming(capsys):
    assert train("--trainer.max_steps", "2") == 0
    write_balls("c.zarr", unit_mm=1.0, seed=2)
    last = "runs/simgan/version_0/checkpoints/last.ckpt"
    assert train("--ckpt_path", last, "--data.real", "c.zarr", "--trainer.max_steps", "4") == 0
    assert "trained on other data" in capsys.readouterr().err


def test_reading_ahead_in_processes_changes_nothing():
    assert train("--name", "a", "--trainer.max_steps", "4") == 0
    assert train("--name", "b", "--trainer.max_steps", "4", "--data.num_workers", "2") == 0
    assert same(result("a"), result("b"))


def test_shipped_recipes_are_found_from_any_folder():
    found = with_shipped_recipes(["--config=simgan/fast.yaml", "--x", "1"])
    assert found[0] == "--config"
    assert Path(found[1]).is_file()
    assert found[2:] == ["--x", "1"]
    assert with_shipped_recipes(["--config", "r.yaml"]) == ["--config", "r.yaml"]


def settings_of(*words):
    """The settings that `refiner train` would run with, which nothing is run for."""
    with without_expected_noise():
        return train_module.build(list(words)).config


def test_options_win_over_the_file_wherever_they_stand():
    """The file says 8 updates, 4 maps a batch and seed 5."""
    files, stores = ["--config", "r.yaml"], ["--data.synthetic", "a.zarr", "--data.real", "b.zarr"]
    options = ["--trainer.max_steps", "2", "--data.batch_size=3", "--seed_everything", "6"]
    for words in ([*files, *options, *stores], [*options, *files, *stores], [*stores, *options, "--config=r.yaml"]):
        found = settings_of(*words)
        assert (found["trainer"]["max_steps"], found["data"]["batch_size"], found["seed_everything"]) == (2, 3, 6)
    Path("more.yaml").write_text("seed_everything: 7\n")  # of two files the later wins, as written
    assert settings_of("--config", "r.yaml", *stores, "--config", "more.yaml")["seed_everything"] == 7
    assert settings_of("--config", "more.yaml", *stores, "--config", "r.yaml")["seed_everything"] == 5
    Path("trainer.yaml").write_text("max_steps: 9\naccelerator: cpu\n")
    for section in (["--trainer", "trainer.yaml"], ["--trainer=trainer.yaml"]):
        found = settings_of("--trainer.max_steps", "2", *section, *files, *stores)["trainer"]
        assert (found["max_steps"], found["accelerator"]) == (2, "cpu")
        assert settings_of(*section, *files, *stores)["trainer"]["max_steps"] == 9


def test_files_come_first_in_their_order():
    words = ["--a", "1", "--config", "x", "--trainer.b=2", "--config=y", "--data", "z", "-c", "w", "--last"]
    wanted = ["--config", "x", "--config=y", "-c", "w", "--data", "z", "--a", "1", "--trainer.b=2", "--last"]
    assert files_first(words) == wanted
    assert files_first(["--config"]) == ["--config"]  # which the parser explains


@pytest.fixture
def tf32():
    """Let GPUs round to TF32, as torch does by default for convolutions."""
    backends = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = True
    yield backends
    for backend, value in zip(backends, before, strict=True):
        backend.allow_tf32 = value


def test_gpus_compute_with_all_32_bits(tf32):
    train("--trainer.max_steps", "1")
    assert not any(backend.allow_tf32 for backend in tf32)


@pytest.mark.slow
def test_two_devices_agree_on_the_best_checkpoints_whatever_their_scores():
    """By rank 0's scores updates 2 and 4 of 8 are the best, by rank 1's 6 and 8: alone each would save at its own."""
    script = (
        "import sys\nfrom refiner.cli.main import main\nfrom refiner.simgan.module import SimGAN\n"
        "SimGAN.score = property(lambda self: self.global_step if self.global_rank == 0 else -self.global_step)\n"
        "if __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n"
    )
    Path("go.py").write_text(script)
    words = ["--config", "r.yaml", "--data.synthetic", "a.zarr", "--data.real", "b.zarr", "--trainer.devices", "2"]
    words += ["--trainer.strategy", "ddp_find_unused_parameters_true", "--trainer.val_check_interval", "2"]
    subprocess.run([sys.executable, "go.py", "train", *words], env=ENVIRONMENT, check=True, timeout=120)
    names = sorted(path.name for path in Path("runs/simgan/version_0/checkpoints").glob("update=*"))
    assert names == ["update=0000002-score=2.0000.ckpt", "update=0000004-score=4.0000.ckpt"]


@pytest.mark.slow
def test_two_devices_train_together_and_resume_bit_for_bit():
    script = (
        "import sys\nfrom refiner.cli.main import main\nif __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n"
    )
    Path("go.py").write_text(script)  # Lightning starts the second process with the same words
    words = ["--config", "r.yaml", "--data.synthetic", "a.zarr", "--data.real", "b.zarr", "--trainer.devices", "2"]
    command = [sys.executable, "go.py", "train", *words, "--trainer.strategy", "ddp_find_unused_parameters_true"]
    subprocess.run([*command, "--name", "whole"], env=ENVIRONMENT, check=True)
    subprocess.run([*command, "--name", "cut", "--trainer.max_steps", "5"], env=ENVIRONMENT, check=True)
    last = "runs/cut/version_0/checkpoints/last.ckpt"
    subprocess.run([*command, "--name", "cut", "--ckpt_path", last], env=ENVIRONMENT, check=True)
    assert same(result("cut", 1), result("whole"))
    first, second = result("whole")[2]
    assert not torch.equal(first["maps"], second["maps"])  # each device has batches and a history of its own
