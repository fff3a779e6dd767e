"""Distances of frames: descriptors are computed once."""

import numpy as np
from labelled_sequence import write_sequence

from refiner.annotate.references import likeness
from refiner.annotate.references.descriptors import cosine_distances
from refiner.annotate.references.likeness import distances_of
from refiner.annotate.sessions.session import Session


def test_descriptors_are_kept_in_the_session(tmp_path, monkeypatch):
    write_sequence(tmp_path / "a.zarr", count=3)
    asked = []

    def codes(depth_mm, centre_mm, cube_mm, *, seed):
        asked.append((depth_mm.shape, centre_mm.shape, cube_mm.shape, seed))
        return np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float32)

    monkeypatch.setattr(likeness, "auto_encoder_codes", codes)
    with Session.create(tmp_path / "s", tmp_path / "a.zarr") as session:
        first = distances_of(session, "codes", 5)
        np.testing.assert_array_equal(first, distances_of(session, "codes", 5))
        expected = cosine_distances(np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32))
        np.testing.assert_array_equal(first, expected)
        assert asked == [((3, 32, 32), (3, 3), (3,), 5)]
        assert (distances_of(session, "codes", 6) != first).any()  # of another seed others
        assert distances_of(session, "hog")[0, 1] == 1  # flat walls have no gradients to be alike in
        assert len(asked) == 2
