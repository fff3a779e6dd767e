"""Flags that are flipped by lot."""

import json
from pathlib import Path

import numpy as np
import pytest
from shipped_session import write_cut

from experiments import annotation_flags
from refiner.annotate.sessions.labels import FrameLabels


def test_a_twentieth_of_the_flags_that_are_there_is_flipped_and_the_same_for_a_seed():
    flag, count = np.array([0, 1, 2] * 7, np.int8), 0
    for frame in range(300):
        labels = FrameLabels(frame, np.zeros((21, 2)), flag, ())
        told, wrong = annotation_flags.flipped(labels, 0)
        again, _ = annotation_flags.flipped(labels, 0)
        np.testing.assert_array_equal(told.flag, again.flag)
        np.testing.assert_array_equal(told.flag[~wrong], flag[~wrong])
        np.testing.assert_array_equal(told.flag[wrong], 3 - flag[wrong])
        assert not wrong[flag == 0].any()
        count += wrong.sum()
    assert abs(count / (300 * 14) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / (300 * 14))


@pytest.mark.slow
def test_both_sequences_are_measured_in_every_way():
    cut, way = write_cut("cut.zarr", 8), next(iter(annotation_flags.WAYS))
    words = ["--out", "flags.json", "--choose", str(cut), "--judge", str(cut), "--step", "2", "--ways", way]
    annotation_flags.main(words)
    table = json.loads(Path("flags.json").read_text())
    assert (table["choose"]["frames"], table["judge"]["frames"]) == (8, 4)
    assert 0 < table["choose"][way]["right_all_mm"] < 10
    assert table["choose"][way]["flipped_visible_called_hidden_mm"] > 0
