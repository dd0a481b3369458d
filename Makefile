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

bench:  # every figure that the README quotes; real_data needs the corpora at $$EMOFUSE_DATA
	set -e; for name in emotion2vec extraction store training real_data; do python benchmarks/$$name.py; done
