"""Every module can be imported, in a fresh process, without a warning."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import refiner

ROOT = Path(refiner.__file__).parent
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(ROOT)], "refiner."))
SOURCES = sorted(path for path in ROOT.rglob("*.py"))


def test_every_module_imports_in_a_fresh_process():
    script = f"import importlib\nfor name in {MODULES}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "module", ["refiner.cli.main", "refiner.datasets.store", "refiner.cli.render", "refiner.web.annotation.page"]
)
def test_light_modules_do_not_import_torch(module):
    script = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_lightning_and_torchvision_come_from_frameworks(path):
    if path.name in ("frameworks.py", "operators.py"):
        pytest.skip("the modules that make them importable")
    imported = {
        (alias.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not imported & {"lightning", "torchvision", "pytorch_lightning"}
