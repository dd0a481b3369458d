"""The words that a cluster's clips say and others' do not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import false_discovery_control, hypergeom
from sklearn.feature_extraction.text import CountVectorizer

from fusion.explore.clusters.partition import NOISE
from fusion.explore.clusters.rows import Ints

EVERYWHERE = 0.5  # share of the clips; a word in more of them tells nothing apart
LEVEL = 0.05  # false discovery rate of what is called oftener than in other clusters
# scripts without spaces between words, whose words are taken for pairs of characters
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+")
_WORD = re.compile(r"[^\W\d_][\w'’]+")


def words_of(text: str) -> list[str]:
    """Words in small letters; Chinese, Japanese and Thai as pairs of characters.

    >>> words_of("It's late, 你好吗")
    ["it's", 'late', '你好', '好吗']
    """
    spaced = _UNSPACED.sub(" ", text)
    found = [word.lower() for word in _WORD.findall(spaced)]
    for run in _UNSPACED.findall(text):
        found += [a + b for a, b in pairwise(run)] or [run]
    return found


def cluster_words(texts: Sequence[str | None], labels: Ints, most: int) -> list[list[tuple[str, float]]]:
    """Of each cluster at most `most` words with their weights: class-based TF-IDF (Grootendorst, "BERTopic",
    arXiv 2203.05794, 2022, eq. 2): share of the cluster's words × log(1 + words of a mean cluster / count in all).

    A word must be in two clips of the cluster, in at most half of all clips, and in more of the cluster's clips than chance
    would put there (hypergeometric, false discovery rate 5 % over all words and clusters): without a difference, no words.

    >>> said = ["no refund", "a refund please"] * 10 + ["lovely day", "such a lovely day", "a walk"] * 10
    >>> [[word for word, _ in words] for words in cluster_words(said, np.repeat([0, 1], [20, 30]), 2)]
    [['refund', 'no'], ['day', 'lovely']]
    """
    clusters = int(labels.max()) + 1
    rows = [row for row, text in enumerate(texts) if text and labels[row] != NOISE]
    if not rows or not most:
        return [[] for _ in range(clusters)]
    vectorizer = CountVectorizer(analyzer=words_of)
    try:
        counts = csr_matrix(vectorizer.fit_transform([str(texts[row]) for row in rows]))
    except ValueError:  # no words at all
        return [[] for _ in range(clusters)]
    names = vectorizer.get_feature_names_out()
    owner = labels[rows]
    member = csr_matrix((np.ones(len(rows)), (owner, np.arange(len(rows)))), shape=(clusters, len(rows)))
    said = (member @ counts).toarray()  # (clusters, words)
    clips = (member @ (counts > 0).astype(float)).toarray()
    total, spoken = said.sum(axis=0), said.sum(axis=1)
    share = said / np.maximum(spoken, 1)[:, None]
    weight = share * np.log1p(spoken.sum() / np.count_nonzero(spoken) / total)
    telling = (clips >= 2) & (clips.sum(axis=0) <= EVERYWHERE * len(rows))
    if telling.any():
        telling[telling] = _oftener(clips, np.bincount(owner, minlength=clusters), telling)
    weight[~telling] = 0
    return [
        [
            (str(names[word]), float(row[word]))
            for word in np.lexsort((np.arange(len(names)), -row))[:most]
            if row[word] > 0
        ]
        for row in weight
    ]


def _oftener(clips: NDArray[np.float64], sizes: Ints, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the (clusters, words) cells that are asked for, those with more clips than chance would give them."""
    cluster, word = np.nonzero(asked)
    inside = clips.sum(axis=0)
    chance = hypergeom.sf(clips[asked] - 1, int(sizes.sum()), inside[word], sizes[cluster])
    return np.asarray(false_discovery_control(np.clip(chance, 0, 1)) < LEVEL)
