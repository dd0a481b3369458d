"""Corpora as they are distributed → manifests. One module each; `corpus=<name>` in conf/corpus/ says which class."""

from fusion.corpora.base import Corpus, Published, Reading, Utterance
from fusion.corpora.build import Built, build_manifest

__all__ = ["Built", "Corpus", "Published", "Reading", "Utterance", "build_manifest"]
