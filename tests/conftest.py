"""Settings of the whole suite: one BLAS thread, no state outside the test's own folder."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

# A machine that does other work, too, is no failure.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    """Work in an empty folder, with an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEPTH_REFINER_CACHE", str(tmp_path / "cache"))
