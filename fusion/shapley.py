"""How much each modality contributed to a prediction: the exact Shapley value of a game with few players.

Shapley, "A value for n-person games", 1953: the mean of a player's marginal gain over all orders of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray


def shapley_values(
    players: Sequence[str], value: Callable[[frozenset[str]], NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Each player's share, (rows,) float64. They sum to `value(all) - value(none)`.

    `value(coalition)` gives (rows,) float64 and is asked once for each of the 2^n coalitions.

    >>> worth = {frozenset(): 0.2, frozenset("s"): 0.5, frozenset("t"): 0.4, frozenset("st"): 0.9}
    >>> shares = shapley_values("st", lambda coalition: np.array([worth[coalition]]))
    >>> {player: round(float(share[0]), 3) for player, share in shares.items()}
    {'s': 0.4, 't': 0.3}
    """
    count = len(players)
    worth = {
        frozenset(chosen): value(frozenset(chosen))
        for size in range(count + 1)
        for chosen in combinations(players, size)
    }
    shares = {}
    for player in players:
        others = [other for other in players if other != player]
        total = np.zeros_like(worth[frozenset()])
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for chosen in combinations(others, size):
                total += weight * (worth[frozenset((*chosen, player))] - worth[frozenset(chosen)])
        shares[player] = total
    return shares
