"""Corpora whose file names say all there is to know: one rule reads one name."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from pathlib import Path
from typing import ClassVar

from fusion.corpora.base import Corpus, Reading, Utterance
from fusion.corpora.files import AUDIO, audio_by_name, files_of, stem


class NamedFiles(Corpus):
    """Reads every audio file below the root by `utterance`; what that does not know is a problem, all told together."""

    def read(self, root: Path) -> Reading:
        files, problems, notes = audio_by_name(files_of(root, AUDIO), self.key)
        reading = Reading(problems=problems, notes=notes)
        aside: Counter[str] = Counter()
        for path in files.values():
            found = self.utterance(path)
            if isinstance(found, Utterance):
                reading.utterances.append(found)
            elif found is None:
                reading.problems.append(f"{path.relative_to(root)}: not a name of {self.title} ({self.names})")
            else:
                aside[found] += 1
        reading.notes += [f"{count:,} files left aside: {reason}" for reason, count in sorted(aside.items())]
        return reading

    names: ClassVar[str]  # what a name looks like, with an example

    @abstractmethod
    def utterance(self, path: Path) -> Utterance | str | None:
        """What the name of `path` says; a string is why the variant has no use for it, None that the name is unknown."""

    def key(self, path: Path) -> str:
        """What tells utterances apart; two files of one key are copies of each other, or a contradiction."""
        return stem(path)
