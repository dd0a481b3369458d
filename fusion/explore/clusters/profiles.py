"""Who is in which cluster: the share of each speaker's clips, and where a speaker is found oftener than others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, hypergeom

from fusion.explore.clusters.rows import Ints

FEW = 10  # clips of a speaker; shares of fewer are marked
LEVEL = 0.05  # false discovery rate of what is called over-represented
COLUMNS = ("speaker", "cluster", "clips", "of", "share", "share_of_all", "lift", "p_adjusted", "over", "few")


def speaker_profiles(speakers: Sequence[str | None], labels: Ints) -> pd.DataFrame:
    """A row for each speaker and cluster (1 the largest, −1 noise); empty where nobody's speaker is known.

    share        : of the speaker's clips; `few` marks those of fewer than 10 clips
    share_of_all : of the clips of all known speakers
    lift         : share / share_of_all
    p_adjusted   : of so many or more by chance (hypergeometric: clips drawn without replacement, taken for independent),
                   after Benjamini & Hochberg, J. Royal Stat. Soc. B 57(1), 1995; NaN where the speaker has few clips
    over         : p_adjusted below 0.05

    >>> frame = speaker_profiles(["ann"] * 12 + ["ben"] * 12 + ["cy"], np.array([0] * 12 + [1] * 12 + [0]))
    >>> frame.loc[frame["over"], ["speaker", "cluster"]].values.tolist(), frame.loc[frame["few"], "speaker"].unique().tolist()
    ([['ann', 1], ['ben', 2]], ['cy'])
    """
    known = np.array([speaker is not None for speaker in speakers], bool)
    if not known.any():
        return pd.DataFrame(columns=list(COLUMNS))
    names = [str(speaker) for speaker in speakers if speaker is not None]
    numbers = np.where(labels[known] < 0, -1, labels[known] + 1)
    counts = pd.crosstab(pd.Series(names, name="speaker"), pd.Series(numbers, name="cluster"))
    present = {int(number) for number in numbers}
    counts = counts[sorted(present - {-1}) + [-1] * (-1 in present)]
    clips = counts.to_numpy()
    of, inside, total = clips.sum(axis=1), clips.sum(axis=0), int(clips.sum())
    chance = hypergeom.sf(clips - 1, total, inside[None, :], of[:, None])
    few = of < FEW
    adjusted = np.full(clips.shape, np.nan)
    if (~few).any():
        adjusted[~few] = false_discovery_control(np.clip(chance[~few], 0, 1).ravel()).reshape(-1, clips.shape[1])
    share, overall = clips / of[:, None], inside / total
    rows, columns = (place.ravel() for place in np.indices(clips.shape))
    return pd.DataFrame(
        {
            "speaker": counts.index.to_numpy()[rows],
            "cluster": counts.columns.to_numpy()[columns],
            "clips": clips.ravel(),
            "of": of[rows],
            "share": share.ravel(),
            "share_of_all": overall[columns],
            "lift": (share / overall).ravel(),
            "p_adjusted": adjusted.ravel(),
            "over": (np.nan_to_num(adjusted, nan=1.0) < LEVEL).ravel(),
            "few": few[rows],
        },
        columns=list(COLUMNS),
    )


def columns_shown(frame: pd.DataFrame, most: int) -> list[int]:
    """The `most` largest clusters, then noise where there is any: rows of all columns add up to 1."""
    numbers = [int(number) for number in frame["cluster"].unique()]
    return [number for number in numbers if number > 0][:most] + [-1] * (-1 in numbers)


def named(number: int) -> str:
    """
    >>> named(3), named(-1)
    ('3', 'noise')
    """
    return str(number) if number > 0 else "noise"
