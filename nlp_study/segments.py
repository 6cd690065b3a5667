"""`embed_segments(...)`: runs of whole paragraphs with their vectors, the unit of topics."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.schema import TableName, table_specs

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Segment:
    """Paragraphs `first` to `last`, included, of a post."""

    first: int
    last: int
    text: str
    n_words: int


def split_segments(paragraphs: Sequence[str], *, min_words: int = 60, max_words: int = 180) -> list[Segment]:
    """Group whole paragraphs into segments of about `min_words` to `max_words` words.

    A paragraph is never cut: one that is longer than `max_words` is a segment by itself. A short rest at the end joins
    the segment before it when both fit, and stays alone otherwise.

    Parameters
    ----------
    paragraphs : texts in order, shape (n_paragraphs,).

    Returns
    -------
    list of Segment that covers every paragraph exactly once, in order.
    """
    n_words = [len(paragraph.split()) for paragraph in paragraphs]
    runs: list[tuple[int, int]] = []
    start = 0
    for index in range(len(paragraphs)):
        size = sum(n_words[start : index + 1])
        following = n_words[index + 1] if index + 1 < len(paragraphs) else 0
        if size >= min_words or (following and size + following > max_words):
            runs.append((start, index))
            start = index + 1
    if start < len(paragraphs):
        rest = (start, len(paragraphs) - 1)
        if runs and sum(n_words[runs[-1][0] :]) <= max_words:
            rest = (runs.pop()[0], rest[1])
        runs.append(rest)
    return [
        Segment(first, last, "\n\n".join(paragraphs[first : last + 1]), sum(n_words[first : last + 1]))
        for first, last in runs
    ]


def embed_segments(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the table `segments`; vectors of unchanged texts are taken over from the last run.

    Raises
    ------
    DataError : there are no posts.
    ModelError : the encoder cannot be loaded.
    """
    from dataclasses import replace

    import numpy as np
    import pyarrow as pa
    from tqdm import tqdm

    from nlp_study.encoders import load_encoder

    posts = corpus.read(TableName.POSTS, columns=["post_id", "paragraphs"])
    if not posts.num_rows:
        raise DataError("there are no posts to segment", remedy="import some first: `nlp-study import PATH`")
    encoder = load_encoder(study.encoder.name, models_dir=study.models_dir)
    known = _known_vectors(corpus, encoder.digest)
    rows: list[dict[str, Any]] = []
    for post_id, paragraphs in zip(posts["post_id"].to_pylist(), posts["paragraphs"].to_pylist(), strict=True):
        texts = [part["text"] for part in paragraphs]
        segments = split_segments(texts, min_words=study.segments.min_words, max_words=study.segments.max_words)
        for index, segment in enumerate(segments):
            rows.append(
                {
                    "segment_id": f"{post_id}:{index}",
                    "post_id": post_id,
                    "index": index,
                    "first_paragraph": segment.first,
                    "last_paragraph": segment.last,
                    "text": segment.text,
                    "n_words": segment.n_words,
                }
            )
    fresh = sorted({row["text"] for row in rows} - known.keys())
    if fresh:
        with tqdm(total=len(fresh), desc="embed segments", unit=" segments", disable=None) as bar:
            known.update(zip(fresh, encoder.embed(fresh, progress=bar.update), strict=True))
    vectors = np.stack([known[row["text"]] for row in rows]).astype(np.float32)
    schema = table_specs()[TableName.SEGMENTS].schema
    table = pa.Table.from_pylist(rows, schema=schema.remove(schema.get_field_index("vector")))
    flat = pa.array(vectors.reshape(-1))
    offsets = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * vectors.shape[1])
    table = table.append_column("vector", pa.ListArray.from_arrays(offsets, flat))
    counts = {"encoder": study.encoder.name, "encoder_digest": encoder.digest, "embedded": len(fresh)}
    corpus.write(TableName.SEGMENTS, table, replace(record, counts=counts))
    return {"segments": len(rows), **counts}


def _known_vectors(corpus: Corpus, encoder_digest: str) -> dict[str, Any]:
    record = corpus.record(TableName.SEGMENTS)
    if record is None or record.counts.get("encoder_digest") != encoder_digest:
        return {}
    texts = corpus.read(TableName.SEGMENTS, columns=["text"])["text"].to_pylist()
    return dict(zip(texts, corpus.read_vectors(), strict=True))
