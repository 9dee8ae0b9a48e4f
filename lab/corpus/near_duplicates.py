"""Near-duplicates by MinHash (Broder 1997), as FineWeb looks for them: word 5-grams, 14 buckets of 8 hashes.

Two texts whose sets of 5-grams have the Jaccard similarity s agree in one bucket with probability s⁸, and in at least
one of 14 with 1 − (1 − s⁸)¹⁴: 0.56 at 0.70, 0.92 at 0.80, 0.99 at 0.85. Texts that share a bucket are joined, and of
each group the first one stays.
"""

from __future__ import annotations

import hashlib
import re

import numpy as np

BUCKETS, HASHES, WORDS = 14, 8, 5
_SIGNS = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")


def shingles(text: str) -> set[str]:
    """The runs of 5 words, in small letters, without signs, every number as 0. A shorter text is one run."""
    words = _SIGNS.sub(" ", _DIGITS.sub("0", text.lower())).split()
    if not words:
        return set()
    runs = zip(*(words[start:] for start in range(WORDS))) if len(words) >= WORDS else [tuple(words)]
    return {" ".join(run) for run in runs}


def similarity(first: set[str], second: set[str]) -> float:
    """Jaccard: what is in both over what is in either."""
    return len(first & second) / (len(first | second) or 1)


def chance_of_match(similarity: float, buckets: int = BUCKETS, hashes: int = HASHES) -> float:
    """The probability that two texts of this similarity share a bucket."""
    return 1 - (1 - similarity**hashes) ** buckets


def buckets_of(parts: set[str]) -> np.ndarray:
    """The 14 buckets of a set of runs, as numbers of 64 bits; zeros for an empty set, which is like nothing."""
    if not parts:
        return np.zeros(BUCKETS, dtype=np.uint64)
    from datasketch import MinHash

    sketch = MinHash(num_perm=BUCKETS * HASHES, seed=1)
    sketch.update_batch([part.encode("utf-8", "replace") for part in parts])
    rows = np.ascontiguousarray(sketch.hashvalues.reshape(BUCKETS, HASHES))
    digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows]
    return np.maximum(np.frombuffer(b"".join(digests), dtype=np.uint64), np.uint64(1))


def first_of_each(buckets: np.ndarray, alive: np.ndarray, needed: int = 1) -> np.ndarray:
    """For each document the one that it is a near-duplicate of, or its own number.

    Args:
        buckets: [N, 14], from `buckets_of`.
        alive: [N], which documents come to this step. Of each group of them the first one stays.
        needed: how many buckets two documents have to share.

    Returns:
        [N]. A document that did not come to the step is told what it would have been a duplicate of.
    """
    count = len(buckets)
    edges = [_edges(buckets[:, bucket], alive) for bucket in range(buckets.shape[1])]
    pairs = np.concatenate([*edges, np.zeros((0, 2), dtype=np.int64)])
    if needed > 1 and len(pairs):
        # With one bucket it is enough to join each document with the first of its bucket; more need the pair itself.
        unique, times = np.unique(pairs, axis=0, return_counts=True)
        pairs = unique[times >= needed]
    first = _first_of_group(pairs[alive[pairs[:, 1]]], count)
    late = pairs[~alive[pairs[:, 1]]]
    for leader, follower in late[::-1]:
        first[follower] = first[leader]
    return first


def _edges(bucket: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """[E, 2]: the first document alive in each bucket, with each of the others in it."""
    filled = np.flatnonzero(bucket != 0)
    _, group = np.unique(bucket[filled], return_inverse=True)
    leaders = np.full(group.max() + 1 if len(group) else 0, -1, dtype=np.int64)
    living = alive[filled]
    leaders[group[living][::-1]] = filled[living][::-1]
    of = leaders[group]
    joined = (of >= 0) & (of != filled)
    return np.stack([of[joined], filled[joined]], axis=1)


def _first_of_group(pairs: np.ndarray, count: int) -> np.ndarray:
    """The smallest number of each document's connected group."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    _, first = np.unique(group, return_index=True)
    return first[group]
