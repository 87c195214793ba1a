# Every target sets up what it needs in .venv. Start with: make demo
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV := 0.13.9
RESOLVE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url
# DATA=path/to/ratings runs the demo on your own; ARGS passes further flags, such as column names.
DATA ?=
ARGS ?=
MINUTES ?= 10

.PHONY: demo test test-faults fuzz lint bench bench-train bench-quality bench-index bench-fold-in bench-serve \
	bench-swap bench-overload soak stubs lock debian clean
.DEFAULT_GOAL := demo

# Versions and hashes are pinned, so that two machines get the same.
$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(VENV)/ready
	$(BIN)/matinee demo $(DATA) $(ARGS)

test: $(VENV)/ready
	$(BIN)/pytest $(ARGS)

# The store under a kill, a full disk, a failing one and a power cut at every system call that changes it: minutes.
test-faults: $(VENV)/ready
	$(BIN)/python -B -m tests.indexer.faults $(ARGS)

# Bytes that coverage guides, straight into every method, for an hour. MINUTES=5 for less; ARGS=FILE repeats what was found.
fuzz: MINUTES = 60
fuzz: $(VENV)/fuzz-ready
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(ARGS)

$(VENV)/fuzz-ready: $(VENV)/ready requirements-fuzz.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	touch $@

lint: $(VENV)/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python proto/generate.py --check
	cd proto && ../$(BIN)/buf lint

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks.scale $(ARGS)

# Our trainer beside the notebook's code: speed, seconds to quality, memory. ARGS=--full runs the notebook to its end.
bench-train: $(VENV)/ready
	$(BIN)/python -m benchmarks.train $(ARGS)

# Our trainer beside others: errors and rankings. ARGS='--data ml-latest-small --only ease' measures one cell.
bench-quality: $(VENV)/bench-ready
	$(BIN)/python -m benchmarks.quality $(ARGS)

# Which index is chosen at which size, beside others. SIZE=10m for ten million items; ARGS=--no-peers for ours alone.
bench-index: $(VENV)/bench-ready
	$(BIN)/python -m benchmarks.index $(if $(SIZE),--size $(SIZE)) $(ARGS)

# Strangers solved from their ratings beside strangers trained on.
bench-fold-in: $(VENV)/ready
	$(BIN)/python -m benchmarks.fold_in $(ARGS)

# How fast the server answers on each transport, beside an empty handler, and where the time goes. ITEMS=1m: a million items.
bench-serve: $(VENV)/ready
	$(BIN)/python -m benchmarks.serve $(if $(ITEMS),--items $(ITEMS)) $(ARGS)

# Fifty swaps under half of the load that the server can take: errors, mixed answers, p99 around each, memory.
bench-swap: $(VENV)/ready
	$(BIN)/python -m benchmarks.swap $(if $(ITEMS),--items $(ITEMS)) $(ARGS)

# Three times the load that the server can take: what is accepted, what is shed, and how soon latency is back.
bench-overload: $(VENV)/ready
	$(BIN)/python -m benchmarks.overload $(if $(ITEMS),--items $(ITEMS)) $(ARGS)

# Every method for MINUTES, with a swap every ten seconds: errors, memory and file handles over time.
soak: $(VENV)/ready
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) $(ARGS)

# Other people's trainers and indexes, for the benchmarks alone. cmfrec is compiled here, with a C compiler; pip can't pin by hash
# what a package is built with, uv can.
$(VENV)/bench-ready: $(VENV)/ready requirements-bench.lock
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV)
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes --build-constraints requirements-bench.lock \
		-r requirements-bench.lock
	touch $@

# After a change to a .proto.
stubs: $(VENV)/ready
	$(BIN)/python proto/generate.py

# After a change to the dependencies in pyproject.toml; uv resolves for every platform at once.
lock: $(VENV)/ready
	$(BIN)/pip install --quiet uv==$(UV)
	$(RESOLVE) pyproject.toml --extra dev --output-file requirements.lock
	$(RESOLVE) pyproject.toml --extra bench --constraints requirements.lock --output-file requirements-bench.lock
	$(RESOLVE) tests/fuzz/requirements.in --constraints requirements.lock --output-file requirements-fuzz.lock

# What some tests use and skip without: Node.js for a client in another language, Chromium to open reports. And h2load,
# which the benchmarks of the server ask with. A Node.js from elsewhere stays: Debian's npm can't be beside it.
debian:
	apt-get install --yes chromium nghttp2-client $(shell command -v npm >/dev/null || echo nodejs npm)

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz
