"""The clicks on the real sequence, and how it is drawn and measured, on a cut of the shipped one."""

import contextlib

import numpy as np
import pytest
from shipped_session import write_cut

from experiments import kinect2_annotation
from refiner.annotate.exchange.coco import write_labels
from refiner.annotate.exchange.reading import read_labels
from refiner.annotate.sessions.session import Session
from refiner.annotate.simulate import labels_of_truth
from refiner.datasets.store import DepthStore
from refiner.hand.skeleton import HAND21


@pytest.mark.parametrize(("file", "frames"), [("kinect2_labels.json", 22), ("kinect2_page_labels.json", 42)])
def test_the_committed_clicks_are_of_that_sequence(file, frames):
    labels = read_labels(kinect2_annotation.LABELS.with_name(file), HAND21, 128, [""] * 220).labels
    assert len(labels) == frames
    assert all((one.flag == 2).sum() >= 5 for one in labels)


def test_a_strip_and_figures_of_a_solved_sequence():
    sequence = write_cut("sequence.zarr", 12)
    truth = DepthStore(sequence)
    with contextlib.closing(Session.create("drawn", sequence)) as session:
        labels = labels_of_truth(truth, [0, 5, 10], 0.0, 0)
        write_labels("clicks.json", labels, session.skeleton, [""] * session.frames, session.store.size)
    session, labels = kinect2_annotation.solved("whole", sequence, "clicks.json")
    with contextlib.closing(session):
        assert np.median(kinect2_annotation.off_clicks_px(session, labels[1])) < 2
        strip = kinect2_annotation.film_strip(session)
    assert strip.shape[0] % 5 == 0
    assert len(np.unique(strip.reshape(-1, 3), axis=0)) > 50
    without, _ = kinect2_annotation.solved("without", sequence, "clicks.json", without=5)
    with contextlib.closing(without):
        assert without.labelled_frames() == [0, 10]
        off_px = kinect2_annotation.off_clicks_px(without, labels[1])
    assert kinect2_annotation.spread(np.array([1.0, 2.0, 9.0])) == {
        "mean": 4.0,
        "median": 2.0,
        "within_5": pytest.approx(2 / 3),
    }
    assert 0 < np.median(off_px) < 20
