.PHONY: install test lint quickstart samples bench

install:
	pip install -e '.[dev]' -c constraints.txt

test:
	pytest

lint:
	ruff check .
	ruff format --check .
	mypy

quickstart:
	python train.py experiment=quickstart

samples:  # needs the program espeak-ng
	python samples/make_samples.py

bench:  # every figure that the README quotes
	set -e; for script in benchmarks/*.py; do python $$script; done
