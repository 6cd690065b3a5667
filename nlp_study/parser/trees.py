"""The best tree for a matrix of scores: Chu-Liu/Edmonds with exactly one root."""

from __future__ import annotations

import numpy as np


def find_tree(scores: np.ndarray) -> np.ndarray:
    """Return the heads of the best tree in which one word alone hangs from the root.

    Parameters
    ----------
    scores : float, shape (n_words + 1, n_words + 1); row = dependent, column = head, 0 is the root.

    Returns
    -------
    int, shape (n_words,); heads count words from 1, 0 is the root.

    References
    ----------
    Chu & Liu (1965); Edmonds (1967); one root: Zmigrod, Vieira & Cotterell (2020), here by making the root dear.
    """
    scores = np.array(scores, dtype=np.float64)
    np.fill_diagonal(scores, -np.inf)
    finite = scores[np.isfinite(scores)]
    scores[1:, 0] -= len(scores) * (np.ptp(finite) + 1.0)  # a second word at the root costs more than any tree can gain
    return _arborescence(scores)[1:]


def _arborescence(scores: np.ndarray) -> np.ndarray:
    """Heads of the best arborescence from node 0; entry 0 is 0."""
    heads = scores.argmax(axis=1)
    heads[0] = 0
    cycle = _find_cycle(heads)
    if cycle is None:
        return heads
    inside = np.zeros(len(heads), dtype=bool)
    inside[cycle] = True
    outside = np.flatnonzero(~inside)
    cycle_scores = scores[cycle, heads[cycle]]
    total = float(cycle_scores.sum())
    n = len(outside)
    smaller = np.full((n + 1, n + 1), -np.inf)
    smaller[:n, :n] = scores[np.ix_(outside, outside)]
    entering = scores[np.ix_(cycle, outside)] - cycle_scores[:, None] + total
    enter_at = entering.argmax(axis=0)
    smaller[n, :n] = entering[enter_at, np.arange(n)]
    leaving = scores[np.ix_(outside, cycle)]
    leave_from = leaving.argmax(axis=1)
    smaller[:n, n] = leaving[np.arange(n), leave_from]
    found = _arborescence(smaller)
    full = heads.copy()
    for k, node in enumerate(outside[1:], start=1):
        full[node] = cycle[leave_from[k]] if found[k] == n else outside[found[k]]
    head = found[n]
    full[cycle[enter_at[head]]] = outside[head]
    return full


def _find_cycle(heads: np.ndarray) -> np.ndarray | None:
    state = np.zeros(len(heads), dtype=int)
    state[0] = 2
    for start in range(1, len(heads)):
        path, node = [], start
        while state[node] == 0:
            state[node] = 1
            path.append(node)
            node = int(heads[node])
        if state[node] == 1 and node in path:
            return np.array(path[path.index(node) :])
        state[path] = 2
    return None
