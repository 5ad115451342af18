# The two commands a newcomer needs: `make demo` and `make test`. Everything happens in .venv below this directory.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# files of tests are spread over the processors
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile
KERNELS := $(wildcard cython_core/*.pyx cython_core/*.pxd)

.PHONY: demo install test test-slow test-long test-debug soak mutants lint house bench wheel clean

demo: $(STAMP)
	@$(BIN)/accel-sim run squeezenet1_0 eie --out runs/demo

install: $(STAMP)

test: $(STAMP)
	@$(PYTEST) -m "not slow"

test-slow: $(STAMP)
	@$(PYTEST) -m "slow and not long"

# what takes longer than the other tiers together: whole experiments, thousands of mutants
test-long: $(STAMP)
	@$(PYTEST) -m long

# the fast tier with bounds and initialisation checks in every kernel; then the portable build again
test-debug: $(STAMP)
	@ACCEL_SIM_DEBUG=1 $(BIN)/pip install -q -e ".[dev]" && status=0; \
	ACCEL_SIM_EXPECT_DEBUG=1 $(PYTEST) -m "not slow" || status=$$?; \
	$(BIN)/pip install -q -e ".[dev]" && exit $$status

# random networks on random machines under laws that hold for all; the same seed gives the same cases
SEED ?= 0
MINUTES ?= 2
soak: $(STAMP)
	@$(BIN)/python -m tests.soak --seed $(SEED) --minutes $(MINUTES)

# COUNT small faults drawn from SEED, each put into a copy of the source and run through the tests that could notice
COUNT ?= 60
mutants: $(STAMP)
	@$(BIN)/python -m tests.mutants --seed $(SEED) --count $(COUNT)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/mypy --ignore-missing-imports cython_core workloads accel_sim experiments

# how the house stands: rooms, floors, circles, sizes, types
house: $(STAMP)
	@$(BIN)/python -m tests.house

bench: $(STAMP)
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

wheel: $(STAMP)
	@$(BIN)/pip wheel -q --no-deps -w dist .

$(STAMP): pyproject.toml setup.py $(KERNELS)
	@command -v $(PYTHON) >/dev/null || { echo "accel_sim needs python 3.11 or newer; '$(PYTHON)' was not found (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "accel_sim needs python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version)"; exit 1; }
	@command -v $${CC:-cc} >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || { echo "accel_sim needs a C compiler (gcc or clang) to build its kernels; none was found"; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV) and building the kernels (a minute or two, once)"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/pip install -q -e ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find . -name '__pycache__' -prune -exec rm -rf {} + ; find cython_core -name '*.so' -delete
