# Two commands matter: `make demo` and `make test`. Both start from nothing but python3 (3.11 or newer) and a C/C++ compiler.

PYTHON ?= python3
VENV ?= .venv
DEMO_DIR ?= studies
DEMO := $(DEMO_DIR)/demo
DEMO_TRIALS ?= 60
DEMO_INSTANCES ?= 5
TEST_PROCESSES ?= 2
N ?= 20
SEED ?= 0

BIN := $(VENV)/bin
# --no-compile: compiling two gigabytes of modules ahead costs more than compiling the ones that are imported.
PIP_INSTALL := $(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check --constraint constraints.txt
STAMP := $(VENV)/.installed-for-eiann
# One thread per process: the machine's cores are shared out by the packs, not by the libraries inside them.
export OMP_NUM_THREADS ?= 1
# Ray measures how it is used and sends that home, unless told not to.
export RAY_USAGE_STATS_ENABLED ?= 0

.PHONY: help venv check format test test-long demo bench faults docs pages clean

help:
	@echo "make demo       a small real search on the spiral data, to its table, best network and pictures"
	@echo "make test       check + the test suite"
	@echo "make test-long  the tests that take longer"
	@echo "make check      lint, format, types, import contract"
	@echo "make format     let ruff mend what it can"
	@echo "make faults     random faults of drivers, workers and disks, and what became of the studies: make faults N=50"
	@echo "make docs       the documents as a site, build/site/index.html"
	@echo "make pages      write those pages again that are made from code"
	@echo "make bench      benchmarks, as JSON lines"
	@echo "make clean      remove what was made here, except $(VENV) and studies"

venv: $(STAMP)

# torch first and alone: the other packages then find it and ask for no other build of it.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11 (or missing); name a newer one: make PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) from constraints.txt: a minute or two"
	@$(PIP_INSTALL) torch
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Two tests at a time, those of one file after each other.
test: check
	$(BIN)/python -m pytest -m "not long" -n $(TEST_PROCESSES) --dist loadfile

test-long: check
	$(BIN)/python -m pytest -m long -o faulthandler_timeout=1800

# Interrupted, it goes on where it was; done, it shows the result again.
demo: venv
	@if test -d $(DEMO); then \
	  set -x; $(BIN)/eiann resume $(DEMO) --trials $(DEMO_TRIALS); \
	else \
	  set -x; $(BIN)/eiann optimize spiral/dale_backprop --trials $(DEMO_TRIALS) --instances $(DEMO_INSTANCES) \
	    --points x0 --sampler annealing --sampler-option population_size=10 --sampler-option path_length=2 \
	    --sampler-option initial_step_size=0.3 \
	    --studies $(DEMO_DIR) --name $(notdir $(DEMO)); \
	fi
	$(BIN)/eiann best $(DEMO) --top 5 --export $(DEMO)/best/best.yaml
	$(BIN)/eiann train $(DEMO)/best/best.yaml --out $(DEMO)/best/trained
	$(BIN)/python docs/make_picture.py $(DEMO)/best/best.yaml $(DEMO)/best/picture.png

bench: venv
	@for file in train_step plain_network cuda_step study_overhead storages; do $(BIN)/python benchmarks/$$file.py || exit; done

# N random faults, each in a search of its own: killed drivers, workers and machines, full disks, stopped databases.
faults: venv
	$(BIN)/python -m tests.faults -n $(N) --seed $(SEED)

docs: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pages: venv
	@for script in make_glossary make_rules make_commands make_speed make_notebooks; do $(BIN)/python docs/$$script.py || exit; done

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find eiann optimize search_spaces cluster tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +
