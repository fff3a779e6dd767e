# Two commands do everything from nothing: `make demo` and `make test`. Each makes the environment if it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# For a real run of the demo: make demo REAL=folder/of/depth/maps CAMERA=fx,fy,cx,cy
REAL ?=
CAMERA ?=
DEMO ?= runs/demo
export PYTHONUNBUFFERED := 1

.PHONY: demo test test-slow lint data clean

demo: $(READY)
	$(BIN)/python -m experiments.demo --out $(DEMO) $(if $(REAL),--real $(REAL)) $(if $(CAMERA),--camera $(CAMERA))

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

# The exact versions that are tested stand in constraints.txt. Without an NVIDIA driver the set-up stops rather than
# pull gigabytes of CUDA libraries: where the package index offers no CPU build of torch, hand pip one that does.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Found $$($(PYTHON) --version), wanted Python >= 3.11: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	@if [ ! -e /proc/driver/nvidia/version ] && [ -z "$(CUDA)" ] && \
		$(BIN)/pip install --dry-run --quiet --report - -c constraints.txt torch | grep -q '"name": "nvidia-'; then \
		echo "This machine has no NVIDIA driver, but pip would install the CUDA build of torch (several GB)." >&2; \
		echo "Set PIP_EXTRA_INDEX_URL to the CPU index that pytorch.org names, or CUDA=1 to go on all the same." >&2; exit 2; fi
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
