"""The README is true: its commands are run, in order, in one folder, on tiny sets."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from refiner.cli.main import main
from refiner.fitting import whole_set
from refiner.realism import classifier, verdicts

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.strip()
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", README, flags=re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.strip().startswith("refiner ")
]
SMALLER = {
    "--count": "24",
    "--trainer.max_steps": "3",
    "--batch-size": "8",
    "--variants": "2",
    "--trainer.devices": "1",
    "--bank": "100",
}


def make_recordings(folder):
    """Two sequences of a bowl before a wall, as a camera's 16-bit PNG files."""
    yy, xx = np.mgrid[:120, :160]
    for sequence in ("first", "second"):
        (folder / sequence).mkdir(parents=True)
        for frame in range(12):
            beside = (xx - 70 - frame) ** 2 + (yy - 60) ** 2
            depth = np.where(beside < 40**2, 600 + beside / 40, 1500).astype(np.uint16)
            cv2.imwrite(str(folder / sequence / f"{frame:04d}.png"), depth)


def test_commands_are_found():
    assert {shlex.split(command)[1] for command in COMMANDS} >= {
        "prepare",
        "inspect",
        "render",
        "fit",
        "train",
        "refine",
        "pose",
        "annotate",
    }


def test_every_command_of_the_readme_runs(tmp_path, capsys, monkeypatch):
    for name, value in {"STARTS": 1, "SIDE_MAPS": 2, "_SHAPE_MAPS": 2, "_SHAPE_ROUNDS": 1, "PASSES": 0}.items():
        monkeypatch.setattr(whole_set, name, value)  # tries of `refiner fit`
    monkeypatch.setattr(classifier, "_FEWEST_UPDATES", 1)  # of `refiner evaluate`
    monkeypatch.setattr(verdicts, "STEPS_PX", (4,))  # 6,000 patches of two dozen maps would take two minutes
    make_recordings(tmp_path / "recordings")
    (tmp_path / "data").symlink_to(ROOT / "data")
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        for flag, value in SMALLER.items():
            if flag in words:
                words[words.index(flag) + 1] = value
        if words[:2] == ["pose", "train"]:
            words += ["--trainer.max_steps", "2", "--data.batch_size", "2", "--trainer.val_check_interval", "2"]
        if words[0] == "train":
            words += ["--data.batch_size", "2"]
            words += [] if "--trainer.max_steps" in words else ["--trainer.max_steps", "3"]
            if "ddp_find_unused_parameters_true" in words:
                words[words.index("ddp_find_unused_parameters_true")] = "auto"
        # On tiny sets the controls of `evaluate` may fail, which is status 1.
        assert main(words) in ((0, 1) if words[0] == "evaluate" else (0,)), f"{command}\n{capsys.readouterr().err}"


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:configs|experiments|data|refiner)/[\w./-]+)`", README))))
def test_named_files_exist(path):
    assert (ROOT / path).exists()
