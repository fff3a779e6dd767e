"""The page on NYU is true: its commands are run, in order, on folders in the set's own bytes, with tiny networks."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from nyu_fixture import make_nyu

from refiner.cli.main import main
from refiner.datasets.store import DepthStore

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "experiments/nyu.md").read_text()
RECIPE = "--config simgan/paper.yaml --name nyu"
FRAMES, TEST_FRAMES, SIZE = 10, 3, "32"  # fewer than 10 maps are no training set
# Kernels, blocks and maps small enough for a test; everything else as the page and its recipes say.
SMALLER = {
    "train": [
        "--data.size", SIZE, "--model.refiner.init_args.kernel", "3", "--model.refiner.init_args.blocks", "1",
        "--model.refiner.init_args.channels", "4", "--model.schedule.refiner_warmup", "1",
        "--model.schedule.discriminator_warmup", "1", "--data.num_workers", "0", "--data.batch_size", "2",
        "--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--trainer.accelerator", "cpu",
    ],
    "pose train": [
        "--model.network.init_args.channels", "8", "--model.network.init_args.input_px", "64",
        "--data.batch_size", "2", "--trainer.max_steps", "2", "--trainer.val_check_interval", "2",
        "--trainer.accelerator", "cpu",
    ],
}  # fmt: skip


def commands():
    """Give the page's `refiner` commands; those in a loop over rows once for each row."""
    rows, found = [""], []
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE):
        for line in map(str.strip, block.splitlines()):
            if loop := re.fullmatch(r"for row in (.*); do", line):
                rows, body = loop[1].split(), []
            elif line == "done":
                found += [command.replace("$row", row) for row in rows for command in body]
                rows = [""]
            elif line.startswith("refiner "):
                (found if rows == [""] else body).append(line)
    return found


def shrunk(command):
    """Give the words of a command after `refiner`, for tiny maps and networks."""
    words = shlex.split(command)[1:]
    if "--size" in words:
        words[words.index("--size") + 1] = SIZE
    verb = next((verb for verb in ("pose train", "train") if command.startswith(f"refiner {verb} ")), "")
    return words + SMALLER.get(verb, [])


def test_the_whole_page(capsys):
    make_nyu(Path("dataset/train"), frames=FRAMES, views=(1, 2, 3))
    make_nyu(Path("dataset/test"), frames=TEST_FRAMES, views=(1,))
    for command in commands():
        assert main(shrunk(command)) == 0, f"{command}\n{capsys.readouterr().err}"

    stores = {path.stem: DepthStore(path) for path in Path("nyu").glob("*.zarr")}
    once, thrice = dict.fromkeys(("real", "synthetic", "refined"), FRAMES), 3 * FRAMES
    counts = {**once, "synthetic_3x": thrice, "refined_3x": thrice, "test": TEST_FRAMES}
    assert {name: len(store) for name, store in stores.items()} == counts
    for store in stores.values():
        assert store.skeleton is not None
        assert store.skeleton.name == "nyu14"
        assert (store.read("cube_mm") == 300).all()
    # The mask: a camera map has no reading where its render has none. (The ball of the fixture's render is smaller.)
    hand, render = (stores[name].read("depth") > 0 for name in ("real", "synthetic"))
    assert not (hand & ~render).any()

    config = yaml.safe_load(Path("runs/nyu/version_0/config.yaml").read_text())
    assert config["model"]["refiner"]["class_path"].endswith("PaperRefiner")
    assert config["data"]["synthetic"] == "nyu/synthetic.zarr"
    for row in set(counts) - {"test"}:
        report = json.loads(Path(f"nyu/{row}.json").read_text())
        assert (report["frames"], report["skeleton"], report["pck_size_px"]) == (TEST_FRAMES, "nyu14", 224)
        assert len(report["per_joint_mm"]) == 14
        assert set(report["pck"]) == {str(px) for px in range(1, 11)}
        pose = yaml.safe_load(Path(f"runs/nyu_pose/{row}/config.yaml").read_text())
        assert pose["data"]["store"] == f"nyu/{row}.zarr"
        assert pose["model"]["network"]["class_path"].endswith("HourglassEstimator")


def test_the_page_gives_every_option_that_the_numbers_depend_on():
    by_verb = {verb: [c for c in commands() if c.startswith(f"refiner {verb} ")] for verb in ("prepare", "train")}
    assert all("--layout nyu" in command and "--size 224" in command for command in by_verb["prepare"])
    real = [command for command in by_verb["prepare"] if "--kind synthetic" not in command]
    assert real
    assert all("--mask-with-synthetic" in command for command in real)
    assert [RECIPE in command for command in by_verb["train"]] == [True]
    evaluations = [command for command in commands() if command.startswith("refiner pose evaluate ")]
    assert len(evaluations) == 5
    assert all("nyu/test.zarr" in command and "--pck-size 224" in command for command in evaluations)
    assert all(row in PAGE for row in ("69.7", "72.4", "74.5", "77.7", "83.3"))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:configs|experiments|tests|refiner)/[\w./-]+)`", PAGE))))
def test_named_files_exist(path):
    assert (ROOT / path).exists()
