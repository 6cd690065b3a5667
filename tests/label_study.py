"""A study that needs no model: invented posts, imported as usual; predictions, evaluations, topics and trends by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nlp_study.config import Study, load_study
from nlp_study.deduplicate import mark_duplicates
from nlp_study.schema import ALL_TOPICS, TableName, table_specs
from nlp_study.sources import import_study_sources
from nlp_study.store import Corpus, RunRecord, open_corpus

from .conftest import STUDY, write_posts

STANCES = ("favor", "against", "neutral")
TARGET = "pasar daring"


def make_label_study(folder: Path, *, n_posts: int = 48, n_authors: int = 12, extra: str = "") -> tuple[Study, Corpus]:
    """Return a study with `n_posts` posts, a third of each stance, and a model that is right on about two of three."""
    posts = write_posts(folder, n_posts=n_posts, n_authors=n_authors)
    path = folder / "study.toml"
    path.write_text(STUDY.format(encoder="e5-small-id") + extra, encoding="utf-8")
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    import_study_sources(study, corpus, RunRecord(stage="import", fingerprint={"file posts.jsonl": "ab", "code": "c1"}))
    mark_duplicates(study, corpus, RunRecord(stage="deduplicate", fingerprint={}))
    rng = np.random.default_rng(3)
    gold = [i % 3 for i in range(n_posts)]
    probas = np.array([rng.dirichlet(np.where(np.arange(3) == g, 4.0, 1.5)) for g in gold])
    ids = [str(post["post_id"]) for post in posts]
    predictions = [
        {
            "post_id": post_id,
            "target": TARGET,
            "stance": STANCES[int(p.argmax())],
            **{f"proba_{stance}": float(p[k]) for k, stance in enumerate(STANCES)},
            "abstained": False,
            "model_id": "model-a",
            "origin": "out_of_fold",
        }
        for post_id, p in zip(ids, probas, strict=True)
    ]
    write(corpus, TableName.PREDICTIONS, predictions, counts={"model_id": "model-a"})
    evaluations = [
        {
            "model": "uji",
            "seed": 1,
            "fold": i % 2,
            "post_id": post_id,
            "target": TARGET,
            "group": f"author penulis{i % n_authors}",
            "gold": STANCES[gold[i]],
            "predicted": STANCES[int(probas[i].argmax())],
            **{f"proba_{stance}": float(probas[i][k]) for k, stance in enumerate(STANCES)},
        }
        for i, post_id in enumerate(ids)
    ]
    write(corpus, TableName.EVALUATIONS, evaluations)
    topics = [
        {"topic_id": t, "words": [f"kata{t}a", f"kata{t}b"], "weights": [0.5, 0.4], "n_segments": 1, "n_posts": 1}
        for t in range(3)
    ]
    write(corpus, TableName.TOPICS, topics)
    assignments = [
        {"segment_id": f"{post_id}:0", "post_id": post_id, "topic_id": i % 3, "proba": 1.0}
        for i, post_id in enumerate(ids)
    ]
    write(corpus, TableName.TOPIC_ASSIGNMENTS, assignments)
    trends = [
        {
            "month": date(2024, 1, 1), "target": TARGET, "stance": stance, "topic_id": ALL_TOPICS, "n_posts": 10,
            "n_abstained": 0, "n_stance": n, "share": n / 10, "share_low": n / 10 - 0.1, "share_high": n / 10 + 0.1,
            "method": "by hand",
        }
        for stance, n in zip(STANCES, (5, 3, 2), strict=True)
    ]  # fmt: skip
    write(corpus, TableName.TRENDS, trends)
    return study, corpus


def write(corpus: Corpus, name: TableName, rows: list[dict[str, Any]], *, counts: dict[str, Any] | None = None) -> None:
    """Write rows to a table; its earlier record stays but for the counts given."""
    record = corpus.record(name) or RunRecord(stage=str(name), fingerprint={})
    table = pa.Table.from_pylist(rows, schema=table_specs()[name].schema)
    corpus.write(name, table, replace(record, counts=record.counts if counts is None else counts))
