"""Segments of three planted themes, for the tests of topics."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nlp_study.schema import OUTLIER_TOPIC, TableName, table_specs
from nlp_study.store import RunRecord

THEMES = ("ojek helm bensin tarif penumpang", "beras cabai dapur tumis santan", "gawang wasit pelatih klub penalti")
RECORD = RunRecord(stage="topics", fingerprint={})


def fill(corpus, *, n=90, hidden=16, lone=0):
    """Three clouds of vectors around three directions, each with words of its own; `lone` segments that mix them all."""
    rng = np.random.default_rng(4)
    rows = []
    for i in range(n + lone):
        theme = i % 3
        vector = np.eye(hidden)[theme] + rng.normal(0, 0.08, hidden)
        words = rng.permutation(THEMES[theme].split())
        if i >= n:
            vector = rng.normal(0, 1, hidden)
            words = [rng.choice(other.split()) for other in THEMES]
        post = i // 2
        place = {"segment_id": f"p{post}:{i % 2}", "post_id": f"p{post}", "index": i % 2}
        text = {"text": f"Yang {' '.join(words)} dan {i} itu", "n_words": 9, "first_paragraph": 0, "last_paragraph": 0}
        rows.append({**place, **text, "vector": (vector / np.linalg.norm(vector)).tolist()})
    # two segments of a post are of one theme, as those of a real post
    texts = [(row["text"], row["vector"]) for row in rows[:n]]
    for place in range(n):
        source = (place // 2 % 3) + 3 * (place // 6) * 2 + 3 * (place % 2)
        rows[place]["text"], rows[place]["vector"] = texts[source]
    table = pa.Table.from_pylist(rows, schema=table_specs()[TableName.SEGMENTS].schema)
    corpus.write(TableName.SEGMENTS, table, RunRecord(stage="segment", fingerprint={}))


def real_topics(corpus):
    return [row for row in corpus.read(TableName.TOPICS).to_pylist() if row["topic_id"] != OUTLIER_TOPIC]
