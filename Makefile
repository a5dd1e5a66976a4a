# Two commands matter to a newcomer: `make demo` and `make test`. Both set up what they need, from nothing.
.DEFAULT_GOAL := all
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
PY := $(VENV)/bin/python
DEVICE := $(VENV)/.device
WORKSHOP := $(VENV)/.workshop
PIP := $(PY) -m pip --disable-pip-version-check

.PHONY: all demo workshop check format test test-vm soak bench quantisers peers system requirements clean

all: check test  ## lint, types, floors, tests

demo: $(DEVICE)  ## the whole appliance on this machine: belt, broker, dashboard
	$(VENV)/bin/edgeloupe demo

$(VENV)/bin/python:
	@echo "== making a virtual environment in $(VENV)"
	python3 -m venv $(VENV)

$(DEVICE): requirements/device.txt pyproject.toml | $(VENV)/bin/python
	@echo "== installing what a device needs (pinned and hashed, no torch)"
	$(PIP) install --quiet --require-hashes -r requirements/device.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(WORKSHOP): requirements/workshop.txt requirements/torch-cpu.txt requirements/torch-cuda.txt $(DEVICE)
	@echo "== installing what the workshop and the tests need (pinned and hashed)"
	$(PIP) install --quiet --require-hashes --no-deps -r requirements/torch-cpu.txt 2>/dev/null \
	  || $(PIP) install --quiet --require-hashes --no-deps -r requirements/torch-cuda.txt
	$(PIP) install --quiet --require-hashes -r requirements/workshop.txt
	@touch $@

workshop: $(WORKSHOP)  ## torch and the converters, for training and quantising

system:  ## mosquitto, Chromium and the other programs that tests start
	@./tests/install-system-parts

check: $(WORKSHOP)  ## lint, format, types, floors
	@echo "== ruff, mypy, import-linter"
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(WORKSHOP)  ## mend what ruff can mend
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test: system $(WORKSHOP)  ## the whole test suite
	@echo "== tests"
	$(PY) -m pytest -n 2 --dist loadfile

test-vm: $(WORKSHOP)  ## cameras of the kernel, systemd and power cuts, in a virtual machine; make test-vm VM=--tcg without KVM
	@./tests/install-system-parts vm
	$(PY) -m tests.vm $(VM)

SOAK := power_cut kill corruption io_faults disk_full broker_kill hostile bad_link offline sinks faults battery frames calibrating

soak: system $(WORKSHOP)  ## long forms of the fault tests: some hours; make soak SOAK=kill for one
	for name in $(SOAK); do echo "== $$name"; $(PY) -m tests.soak.$$name; done

bench: $(WORKSHOP)  ## whole pipeline against the bare runtime, as ratios
	$(VENV)/bin/edgeloupe bench edge/demo/coffee-leaf.loupe
	$(PY) -m tests.bench.alerts

QUANTISERS := modelopt onnx2tf ai-edge-quantizer litert-torch
MODEL ?= models/pretrained/coffee-leaf.onnx

quantisers: $(WORKSHOP) $(QUANTISERS:%=.peers/%/.installed)  ## our INT8 beside other quantisers': make quantisers DATA=DIR [MODEL=FILE]
	$(PY) -m tests.bench.quantisers $(MODEL) $(DATA)

BUNDLE ?= edge/demo/coffee-leaf.loupe

peers: $(WORKSHOP)  ## our pipeline beside others': make peers [BUNDLE=FILE]
	$(PY) -m tests.bench.peers $(BUNDLE)

.peers/%/.installed: requirements/peers/%.txt requirements/torch-cpu.txt
	@echo "== an environment of its own for $*"
	python3 -m venv .peers/$*
	[ $* != modelopt -a $* != litert-torch ] || .peers/$*/bin/pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r requirements/torch-cpu.txt
	.peers/$*/bin/pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

requirements: $(WORKSHOP)  ## pin and hash anew from pyproject.toml
	./requirements/pin

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
