# What there is to do here. `make demo` and `make test` set up all that they need by themselves.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
LOCK := envs/lock.txt
# Bears the lock's digest: nothing is installed twice, and a changed lock is installed at once.
INSTALLED = $(VENV)/installed-$(shell sha256sum $(LOCK) | cut -c1-16)
REPORT := results/report.html
DEMO := data/demo
DEMO_STUDY := config/studies/demo.yaml
SAMPLES_STUDY := config/studies/real_samples.yaml
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help env lock demo-data demo report real-samples why compare test test-cluster test-studies soak docs debian-tools lint clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

env: $(INSTALLED)  ## install everything of envs/lock.txt into .venv, unless that is done

$(INSTALLED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1); expected Python 3.11 or newer;" \
	       "install one and give it: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	  then apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; \
	  else echo "error: $(PYTHON) cannot make environments (no ensurepip); on Debian: apt-get install python3-venv" >&2; exit 1; fi; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "installing $(LOCK) into $(VENV) (some GB, once)"
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $(LOCK)
	@rm -f $(VENV)/installed-*
	@touch $@

lock:  ## resolve envs/requirements.in into envs/lock.txt anew (needs uv)
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	  envs/requirements.in --output-file $(LOCK)

demo-data: $(DEMO)/pannuke $(DEMO)/brecahad $(DEMO)/slides  ## make the demo's images: H&E-like, by rule and seed, as PanNuke and BreCaHAD lie, and a slide

# One command makes all folders.
$(DEMO)/pannuke $(DEMO)/brecahad $(DEMO)/slides &: scripts/make_demo_data.py $(wildcard scripts/histoloom/prepare/demo/*.py) | env
	python scripts/make_demo_data.py --pannuke $(DEMO)/pannuke --brecahad $(DEMO)/brecahad --slides $(DEMO)/slides \
	  --seed 0 --patches-per-fold 16 --images-per-case 4

demo: demo-data  ## run the whole workflow on the demo's images and write the report
	snakemake --configfile $(DEMO_STUDY)
	@$(MAKE) --no-print-directory report

report: env  ## write the report of the demo's results
	@mkdir -p $(dir $(REPORT))
	snakemake --configfile $(DEMO_STUDY) --report $(REPORT)
	@echo "The report: $(CURDIR)/$(REPORT)"

real-samples: env  ## run the whole workflow on small real samples (study.samples in config/studies/real_samples.yaml)
	@python scripts/lay_real_samples.py --study $(SAMPLES_STUDY)
	snakemake --configfile $(SAMPLES_STUDY)
	snakemake --configfile $(SAMPLES_STUDY) --report results/real_samples.html
	@echo "The report: $(CURDIR)/results/real_samples.html"

STUDY ?= $(DEMO_STUDY)

why: env  ## say what a run would do, and why: make why STUDY=config/studies/mine.yaml
	@python scripts/explain_rerun.py --configfile $(STUDY)

compare: env  ## say what changed between two runs: make compare A=old/results B=results
	@test -n "$(A)" -a -n "$(B)" || { echo "error: A and B are to be results folders: make compare A=... B=..." >&2; exit 1; }
	@python scripts/compare_runs.py --first $(A) --second $(B) $(if $(HTML),--html $(HTML)) $(if $(TABLE),--table $(TABLE))

test: env debian-tools  ## run all tests
	python -m pytest -n auto --dist loadfile --no-loadscope-reorder

CLUSTER ?=

test-cluster: env demo-data  ## run the demo on a real two-node Slurm on this machine, as root, and compare with a local run (CLUSTER="--small --part study": minutes)
	python -m tests.cluster.run_cluster_tests $(CLUSTER)

ONLY ?=

test-studies: env  ## run the five studies, and hnscc's animation, on small real samples, to their reports (ONLY="--study pannuke": one)
	python -m tests.studies.run_studies $(ONLY)

MINUTES ?= 10
SEED ?= 0

soak: env  ## try random faults for so long: make soak MINUTES=30
	python tests/faults/soak.py --minutes $(MINUTES) --seed $(SEED)

docs: env  ## build the documentation site into site/, without a network
	@python scripts/write_config_reference.py
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@echo "The site: $(CURDIR)/site/index.html"

# What some tests need of Debian: a browser for the report, Groovy for the scripts that run in QuPath, a C++ compiler
# for networks that are compiled.
debian-tools:
	@missing=""; \
	command -v chromium >/dev/null || missing="chromium chromium-driver"; \
	command -v groovy >/dev/null || missing="$$missing groovy"; \
	command -v c++ >/dev/null || missing="$$missing g++"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	then echo "installing $$missing for the tests"; \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null; fi

lint: demo-data  ## check style and rules
	ruff check
	ruff format --check
	snakemake --lint

clean:  ## remove results, logs and the demo's images, not the environment
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf logs benchmark data/demo data/real_samples data/small .snakemake site
