# make run    the main job on a sample recording (make run FILE=path: on any recording)
# make test   all tests            make lint   style, types, layers, spelling
# make bench  speed as ratios      make docs   the documentation, in docs/_build
#             (make bench-service: of the data service alone, over HTTP)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := sample
FILE ?= $(OUT)/recording.vhdr
CONVERTED := $(OUT)/$(if $(filter $(OUT)/recording.vhdr,$(FILE)),converted.csv,converted.vhdr)
# served until Ctrl-C where somebody watches, else until one request has been answered
ONCE := $(shell test -t 0 && test -t 2 || echo --once)
NAMESPACE_FILES := pyproject.toml src/ephyrus/_version.py

.PHONY: run test lint bench bench-service docs peers clean

run: $(VENV)/.run
	@mkdir -p $(OUT)
	$(if $(filter $(OUT)/recording.vhdr,$(FILE)),$(BIN)/python docs/examples/sample_recording.py $(FILE))
	$(BIN)/ephyrus info "$(FILE)"
	$(BIN)/ephyrus convert --overwrite "$(FILE)" $(CONVERTED)
	$(BIN)/ephyrus plot "$(FILE)" -o $(OUT)/overview.png
	$(BIN)/ephyrus serve --data-folder $(OUT)/served $(ONCE) "$(FILE)"

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not peers" $(ARGS)

lint: $(VENV)/.lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src docs tests benchmarks README.md CONTRIBUTING.md CHANGELOG.md

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks $(ARGS)
	$(if $(ARGS),,$(MAKE) bench-service)

bench-service: $(VENV)/.test
	$(BIN)/python -m benchmarks.service $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m benchmarks.service_load)

peers: $(VENV)/.test $(VENV)/.peers
	$(BIN)/python -m pytest -n 2 -m peers tests/peers $(ARGS)

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) $(OUT) docs/_build

$(VENV)/.pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q "pip>=25.1"
	touch $@

$(VENV)/.run: $(VENV)/.pip $(NAMESPACE_FILES)
	$(BIN)/python -m pip install -q -e ".[plot,service]"
	touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.docs $(VENV)/.peers: $(VENV)/.%: $(VENV)/.pip $(NAMESPACE_FILES)
	$(BIN)/python -m pip install -q --group $* -e .
	touch $@
