# Two commands do everything from nothing: `make demo` and `make test`. Each makes the environment if it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# For a real run of the demo: make demo REAL=folder/of/depth/maps CAMERA=fx,fy,cx,cy UNIT=mm_a_unit DEMO=runs/mine
REAL ?=
CAMERA ?=
UNIT ?=
DEMO ?= runs/demo
export PYTHONUNBUFFERED := 1

.PHONY: demo test test-slow lint data clean

demo: $(READY)
	$(BIN)/python -m experiments.demo --out $(DEMO) $(if $(REAL),--real $(REAL)) $(if $(CAMERA),--camera $(CAMERA)) \
		$(if $(UNIT),--depth-unit-mm $(UNIT))

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# What takes minutes: recipes at their real size, several devices, kills.
test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# The shipped sets; see data/README.md.
data: $(READY)
	$(BIN)/python -m experiments.shipped_data --out data

# Where the CPU build of torch comes from when the package index has none and there is no NVIDIA driver.
CPU_INDEX ?= https://download.pytorch.org/whl/cpu
export CPU_INDEX CUDA

# The exact versions that are tested stand in constraints.txt.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Found $$($(PYTHON) --version), wanted Python >= 3.11: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) .ci/environment.py $(VENV) -e '.[dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
