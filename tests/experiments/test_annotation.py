"""The table of annotation, on a sequence of a few frames."""

import json
import shutil
from pathlib import Path

import pytest
from shipped_session import write_cut

from experiments import annotation
from refiner.annotate.stages.case import Options

FRAMES = 12


@pytest.fixture
def rows(monkeypatch):
    """Two rows, on a cut of the shipped sequence instead of a rendered one."""
    hog = Options(descriptor="hog")
    monkeypatch.setattr(
        annotation,
        "ROWS",
        {
            "noisy_clicks": annotation.Row(noise_px=1.0, budget=0.34, choice="hog", options=hog, correct="space"),
            "equally_spaced": annotation.Row(budget=0.34, choice="equal", options=hog, all_seeds=False),
        },
    )
    made = []

    def sequence_of(out, seed, frames, motion):
        made.append((seed, frames))
        path = Path(f"sequence_{seed}.zarr")
        return path if path.exists() else write_cut(path, frames)

    monkeypatch.setattr(annotation, "sequence_of", sequence_of)
    return made


def test_every_row_is_measured_and_what_is_there_is_not_done_again(rows, capsys):
    words = ["--out", "out", "--seeds", "2", "--frames", str(FRAMES), "--rows", "noisy_clicks", "equally_spaced"]
    annotation.main(words)
    table = json.loads(Path("out/annotation.json").read_text())
    assert table["frames"] == FRAMES
    assert set(table["rows"]) == {"noisy_clicks", "equally_spaced"}
    noisy = table["rows"]["noisy_clicks"]
    assert (noisy["global_mm"]["seeds"], table["rows"]["equally_spaced"]["global_mm"]["seeds"]) == (2, 1)
    assert noisy["global_mm"]["lowest"] <= noisy["global_mm"]["mean"] <= noisy["global_mm"]["highest"]
    assert 0 < noisy["lift_and_nearer_mm"]["mean"] < noisy["lift_clicks_and_lengths_mm"]["mean"] * 1.5
    assert noisy["ms_per_frame"]["mean"] > 0
    assert noisy["beyond_17_mm_in_image"]["mean"] <= noisy["beyond_17_mm"]["mean"] + 0.01
    assert noisy["corrected"]["frames_left"]["mean"] == 0
    assert noisy["corrected"]["joints"]["mean"] == noisy["corrected"]["joints_share"]["mean"] * FRAMES * 21
    assert "corrected" not in table["rows"]["equally_spaced"]
    assert len(rows) == 3
    shutil.rmtree("out/sessions")
    capsys.readouterr()
    annotation.main(words)
    assert len(rows) == 3
    assert "noisy_clicks, seed 1: " in capsys.readouterr().out
    assert json.loads(Path("out/annotation.json").read_text()) == table
