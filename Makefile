VENV ?= .venv
BIN := $(VENV)/bin
# Processes that share the tests, up to 3 GB each; 0 runs them one after the other.
WORKERS ?= 2

.PHONY: help demo lab test test-colab lessons bench clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile

demo: $(VENV)/.ready-demo  ## speak a sentence, clone a voice, draw both: outputs/
	@$(BIN)/tinyclone demo

lab: $(VENV)/.ready-lab  ## open the lessons in Jupyter
	@$(BIN)/jupyter lab lessons

test: $(VENV)/.ready-test  ## run the tests, then every lesson
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests
	@TINYCLONE_FAST=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=300 lessons

test-colab:  ## run the lessons with the versions of Google Colab (needs Python 3.13)
	@bash scripts/test_colab.sh

lessons: $(VENV)/.ready-test  ## run every lesson in full and keep its outputs (one: ONLY=02_mel_extraction)
	@$(BIN)/python scripts/run_lessons.py $(ONLY)

bench: $(VENV)/.ready-demo  ## measure speed and quality, side by side with other synthesisers
	@$(BIN)/python benchmarks/bench.py

clean:  ## remove what the targets made, except the installed packages
	rm -rf outputs build dist .pytest_cache
	find . -name '.venv*' -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

$(VENV)/.ready-%: pyproject.toml
	@bash scripts/setup.sh $(VENV) $*
	@touch $@
