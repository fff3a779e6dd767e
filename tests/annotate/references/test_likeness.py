"""Distances of frames: descriptors are computed once, from a few maps at a time."""

import hashlib
from functools import partial

import numpy as np
import pytest
from labelled_sequence import write_sequence
from shipped_session import FRAMES, write_cut

from refiner.annotate.references import codes, descriptors, likeness, maps
from refiner.annotate.references.codes import auto_encoder_codes
from refiner.annotate.references.descriptors import hog
from refiner.annotate.references.distances import CosineDistances
from refiner.annotate.references.likeness import distances_of, known_distances
from refiner.annotate.sessions.session import Session
from refiner.datasets.store import DepthStore


def test_descriptors_are_kept_in_the_session(tmp_path, monkeypatch):
    write_sequence(tmp_path / "a.zarr", count=3)
    asked = []

    def coded(depth_mm, centre_mm, cube_mm, *, seed, on_update):
        on_update(codes.UPDATES, 1.0)
        asked.append((depth_mm.shape, centre_mm.shape, cube_mm.shape, seed))
        return np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float32)

    told = []
    monkeypatch.setattr(codes, "auto_encoder_codes", coded)
    with Session.create(tmp_path / "s", tmp_path / "a.zarr") as session:
        first = distances_of(session, "codes", 5, lambda done, of: told.append((done, of)))[:]
        assert told == [(0, codes.UPDATES), (codes.UPDATES, codes.UPDATES)]  # at once, not after the first update
        np.testing.assert_array_equal(first, distances_of(session, "codes", 5)[:])
        expected = CosineDistances(np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32))[:]
        np.testing.assert_array_equal(first, expected)
        assert asked == [((3, 32, 32), (3, 3), (3,), 5)]
        assert (distances_of(session, "codes", 6)[:] != first).any()  # of another seed others
        assert distances_of(session, "hog")[0][1] == 1  # flat walls have no gradients to be alike in
        assert len(asked) == 2


@pytest.mark.parametrize("descriptor", ["codes", "hog"])
def test_descriptors_of_parts_are_those_of_all_maps_at_once(descriptor, tmp_path, monkeypatch):
    write_cut(tmp_path / "a.zarr")
    monkeypatch.setattr(codes, "auto_encoder_codes", partial(auto_encoder_codes, updates=3))
    asked, read = [], DepthStore.read

    def counted(store, name, start=0, stop=None):
        if name == "depth":
            asked.append((len(store) if stop is None else stop) - start)
        return read(store, name, start, stop)

    with Session.create(tmp_path / "s", tmp_path / "a.zarr") as session:
        store = session.store
        depth_mm = store.read("depth") * np.float32(store.depth_unit_mm)
        if descriptor == "hog":
            whole = hog(depth_mm)
        else:
            whole = auto_encoder_codes(depth_mm, store.read("centre_mm"), store.read("cube_mm"), seed=2, updates=3)
        monkeypatch.setattr(maps, "_TOGETHER", 6)
        monkeypatch.setattr(codes, "_TOGETHER", 6)
        monkeypatch.setattr(descriptors, "_TOGETHER", 4)
        monkeypatch.setattr(DepthStore, "read", counted)
        distances = distances_of(session, descriptor, 2)
        if descriptor == "hog":
            np.testing.assert_array_equal(distances[:], CosineDistances(whole)[:])
        else:  # codes of 6 frames and of 20 are other sums
            np.testing.assert_allclose(distances[:], CosineDistances(whole)[:], atol=1e-4)
        assert max(asked) == 6
        assert sum(asked) >= FRAMES


def test_known_distances_are_never_computed(tmp_path, monkeypatch):
    write_sequence(tmp_path / "a.zarr", count=3)
    with Session.create(tmp_path / "s", tmp_path / "a.zarr") as session:
        with monkeypatch.context() as patched:
            patched.setattr(likeness, "_descriptors", lambda *words: pytest.fail(f"computed {words}"))
            assert known_distances(session, "hog") is None
        written = distances_of(session, "hog", 4)
        monkeypatch.setattr(likeness, "_descriptors", lambda *words: pytest.fail(f"computed {words}"))
        np.testing.assert_array_equal(known_distances(session, "hog", 4)[:], written[:])
        assert known_distances(session, "hog", 5) is None
        assert known_distances(session, "codes", 4) is None
        key = hashlib.sha256(f"{session.store.digest()} hog 4".encode()).hexdigest()[:16]
        assert [path.name for path in session.path.glob("*.npy")] == [f"hog-{key}.npy"]  # as sessions have it so far
