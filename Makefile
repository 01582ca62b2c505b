# make demo | make test | make lint | make help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
SNAKEMAKE := $(BIN)/snakemake

# Where it is set, every job of a study compiles the library's modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo screenshots test test-unit test-cluster test-gpu bench lint format

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(COMPILED) ## create the environment .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Error: $(PYTHON) was not found; install Python 3.11 or newer, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Error: $$($(PYTHON) --version) is too old; install Python 3.11 or newer, or run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Error: $(PYTHON) cannot create environments; install its venv package (Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing the packages of requirements.lock into $(VENV); this takes a few minutes the first time."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on -r requirements.lock || { echo "Error: pip could not install requirements.lock; fix the cause shown above (no network, or no wheel for this platform) and run make again" >&2; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

$(COMPILED): $(STAMP)
	@echo "Compiling the comparison of motifs, once; this takes a minute or two."
	@$(BIN)/python -c 'from chromattend.sequence.matching import compile_matching; compile_matching()'
	@touch $@

demo: $(COMPILED) ## run the whole pipeline on a small synthetic example
	@$(BIN)/chromattend simulate resources/demo/mirror --chrom-sizes config/demo/synthetic.chrom.sizes
	@$(BIN)/chromattend simulate-sequences resources/demo/sequences
	@$(BIN)/chromattend simulate-graphs resources/demo/graphs
	@# Delete results made from an older mirror.
	@[ results/demo/genes.tsv -nt resources/demo/mirror/simulation.json ] || rm -rf results/demo resources/demo/roadmap
	@$(SNAKEMAKE) --profile workflow/profiles/demo
	@echo
	@echo "All epigenomes: results/demo/index.html"
	@echo "Data quality: results/demo/quality.html"
	@echo "Report: results/demo/report.html"
	@echo "One page per epigenome: results/demo/SYN1/report.html, SYN2, SYN3"
	@echo "Graphs of three contexts: results/demo/graphs/simulated/report.html"
	@echo "Sequences and their motifs: results/demo/sequence/synthetic/report.html"
	@echo "What turns the models: results/demo/robustness/index.html"

screenshots: $(STAMP) ## take the screenshots for docs/ from a finished demo (needs Chromium)
	@$(BIN)/python docs/screenshots.py --results results/demo --images docs/images

test: $(COMPILED) ## run all tests except those that need Slurm or a GPU
	@# One process per core: threads of each would only wait for those of the others.
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --ignore tests/cluster --ignore tests/gpu tests

test-cluster: $(COMPILED) ## run the study on a Slurm cluster on this machine (as root, with slurm-wlm and munge installed)
	@$(BIN)/python -m pytest -s tests/cluster

test-gpu: $(COMPILED) ## compare training on this machine's GPU with training on its CPU
	@$(BIN)/python -m pytest tests/gpu

bench: $(COMPILED) ## compare every stage with other programs, and draw the figure of docs/performance.md (20 minutes)
	@mkdir -p build
	@$(BIN)/python benchmarks/planning.py
	@$(BIN)/python benchmarks/counting.py --reads 5 --read-curve 1 3 10 30 --gene-curve 2000 6000 20000 60000 --output build/counting.json
	@$(BIN)/python benchmarks/training.py --threads 1 --output build/training.json
	@$(BIN)/python benchmarks/training.py --threads 2 --output build/training-2.json
	@$(BIN)/python benchmarks/stacked.py --epigenomes 1 2 4 8 16 56 --genes 640 --output build/stacked.json
	@$(BIN)/python benchmarks/kernel.py --sets ../shared/data/sequences/gkm --threads 2 --output build/kernel.json
	@$(BIN)/python benchmarks/graphs.py --output build/graphs.json
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/graph_scale.py --variables 2000 5000 10000 30000 --contexts 91 --threshold --output build/graph_scale.json
	@$(BIN)/python benchmarks/demo.py --cores 2 --output build/demo.json
	@$(BIN)/python benchmarks/plot.py --folder build --output docs/images/performance.svg

test-unit: $(COMPILED) ## run the fast tests only
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 tests/unit

lint: $(STAMP) ## check style, types and the workflow
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/snakefmt --check Snakefile workflow/Snakefile workflow/rules
	@$(BIN)/chromattend simulate-sequences resources/demo/sequences
	@$(BIN)/chromattend simulate-graphs resources/demo/graphs
	@$(SNAKEMAKE) --lint --configfile config/demo/config.yaml config/demo/sequences.yaml config/demo/graphs.yaml config/demo/robustness.yaml

format: $(STAMP) ## format all code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/snakefmt Snakefile workflow/Snakefile workflow/rules
