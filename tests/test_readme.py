"""The README and the pages that it leads to are true: their commands run, in order, in one folder, on tiny sets."""

import re
import shlex
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from refiner.annotate.references import codes
from refiner.cli.main import main
from refiner.fitting import whole_set
from refiner.realism import classifier, verdicts
from refiner.web.server import PageServer

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "configs/README.md", "experiments/measures.md", "refiner/annotate/README.md")
"""In the order in which a user reads them: a command may take what one before it wrote."""
TEXTS = {page: (ROOT / page).read_text() for page in (*PAGES, "refiner/datasets/README.md")}
COMMANDS = [
    line.strip()
    for page in PAGES
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", TEXTS[page], flags=re.DOTALL | re.MULTILINE)
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
    yy, xx = np.mgrid[:480, :640]
    for sequence in ("first", "second"):
        (folder / sequence).mkdir(parents=True)
        for frame in range(8):
            beside = (xx - 300 - frame) ** 2 + (yy - 240) ** 2
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
    for name in ("_FEWEST_UPDATES", "_FEWEST_EPOCHS", "_PATIENCE"):
        monkeypatch.setattr(classifier, name, 1)  # of `refiner evaluate`
    learn = codes.auto_encoder_codes
    monkeypatch.setattr(codes, "auto_encoder_codes", partial(learn, updates=5))  # of `refiner annotate select`
    monkeypatch.setattr(verdicts, "STEPS_PX", (4,))  # 6,000 patches of two dozen maps would take two minutes
    serve = PageServer.run
    monkeypatch.setattr(  # pages end when they could be opened
        PageServer, "run", lambda self, app, ready, **more: serve(self, app, lambda: (ready(), self.stop()), **more)
    )
    make_recordings(tmp_path / "recordings")
    (tmp_path / "data").symlink_to(ROOT / "data")
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        for flag, value in SMALLER.items():
            if flag in words:
                words[words.index(flag) + 1] = value
        if words[:2] == ["pose", "train"]:
            words += ["--trainer.max_steps", "2", "--data.batch_size", "2", "--trainer.val_check_interval", "2"]
        if words[:2] == ["annotate", "serve"]:
            words += ["--port", "0"]
        if words[0] == "train":
            words += ["--data.batch_size", "2"]
            words += [] if "--trainer.max_steps" in words else ["--trainer.max_steps", "3"]
            if "ddp_find_unused_parameters_true" in words:
                words[words.index("ddp_find_unused_parameters_true")] = "auto"
        # On tiny sets the controls of `evaluate` may fail, which is status 1.
        assert main(words) in ((0, 1) if words[0] == "evaluate" else (0,)), f"{command}\n{capsys.readouterr().err}"


LINKS = [(page, link) for page, text in TEXTS.items() for link in re.findall(r"\]\(((?!http)[^)#]+)[^)]*\)", text)]
FILES = [
    (page, name)
    for page, text in TEXTS.items()
    for name in sorted(set(re.findall(r"`((?:configs|experiments|data|refiner)/[\w./-]+)`", text)))
]
RECIPES = [
    (page, name)
    for page, text in TEXTS.items()
    for name in set(re.findall(r"`?((?:simgan|pose|render)/\w+\.yaml)`?", text))
]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_somewhere(page, link):
    assert (ROOT / page).parent.joinpath(link).exists()


@pytest.mark.parametrize(("page", "name"), FILES)
def test_named_files_exist(page, name):
    assert (ROOT / name).exists()


@pytest.mark.parametrize(("page", "name"), sorted(RECIPES))
def test_named_recipes_exist(page, name):
    assert (ROOT / "configs" / name).exists()


@pytest.mark.parametrize(
    ("page", "anchor"), [(p, a) for p, t in TEXTS.items() for a in re.findall(r"\]\(([^)]+#[^)]+)\)", t)]
)
def test_anchors_are_headings(page, anchor):
    path, _, heading = anchor.partition("#")
    lines = (ROOT / page).parent.joinpath(path).read_text().splitlines()
    assert heading in {line.lstrip("# ").lower().replace(" ", "-") for line in lines if line.startswith("#")}


def test_the_first_page_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= 140
