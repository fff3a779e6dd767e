import json
from pathlib import Path

import pytest

from experiments import baseline

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")


def test_both_sides_train_for_their_time_and_are_done_once(monkeypatch, capsys):
    words = ["--out", "runs/b", "--seconds", "0.01", "--maps", "40"]
    # Small networks on the published side, the recipe's own batch; the first validation after 0.01 s ends each.
    more = ["--data.probe_maps=4", "--data.batch_size=2", "--trainer.val_check_interval=3"]
    baseline.main([*words, *more])
    out = capsys.readouterr().out
    sides = json.loads(Path("runs/b/baseline.json").read_text())
    assert list(sides) == ["fast", "published"]
    for rows in sides.values():
        assert [row["updates"] for row in rows] == [0, 3]
        assert rows[0]["processor_s"] == 0 < rows[1]["processor_s"]
    assert "| renders | 0 s, 0 |" in out
    assert "| published | " in out

    def never(*_):
        raise AssertionError("done already")

    monkeypatch.setattr(baseline, "trained", never)
    baseline.main([*words, *more])
    assert json.loads(Path("runs/b/baseline.json").read_text()) == sides


@pytest.mark.slow
def test_the_published_recipe_learns():
    """Held-out patches of the stand-in camera are told from its refined ones less surely than before D advised R.

    In its warm-up R learns to copy the renders, with 0.96 and more; the game begins at update 120. A GAN swings, so
    that the best of five looks counts. A game that teaches nothing stays at 0.96, one that collapses goes to 1.
    """
    words = ["--trainer.max_steps", "320"]
    rows = baseline.trained("b", "published", baseline.demo_sets(Path("b"), 600), 1e6, words)
    accuracy = {row["updates"]: row["two_sample_accuracy"] for row in rows}
    assert list(accuracy) == list(range(0, 321, 40))
    assert accuracy[0] > 0.99  # untrained
    assert accuracy[120] == accuracy[80] > 0.95  # D's warm-up moves nothing
    assert min(accuracy[update] for update in (160, 200, 240, 280, 320)) < accuracy[80] - 0.03
    assert rows[-1]["shift_mm"] < 5
