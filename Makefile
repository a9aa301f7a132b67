# make run: the main job on the sample. make test: the tests. make test-fast: those without
# training, browser and processes of their own. All install what they need first.
PYTHON ?= python3.11
BIN := .venv/bin
export DO_NOT_TRACK = 1
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-fast lint lock docs

run: .venv/installed
	$(BIN)/kedro run

test: .venv/installed
	$(PYTEST)

test-fast: .venv/installed
	$(PYTEST) -m "not (training or browser or subprocess or slow)"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/lock.py --check
	$(BIN)/python tools/parameter_reference.py --check

docs: .venv/installed
	$(BIN)/python tools/parameter_reference.py

# pip would compile on one core. Some packages hold files of other Pythons, which do not compile.
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-deps --no-compile -r requirements.lock
	$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	$(BIN)/pip install --quiet --no-deps -e .
	touch $@

# Resolve pyproject.toml anew and write what pip chose.
lock:
	rm -rf .venv && $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e ".[dev]"
	$(BIN)/python tools/lock.py
	touch .venv/installed
