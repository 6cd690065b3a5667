"""`print_post(...)`: everything the study knows of one post, on the terminal."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.schema import OUTLIER_TOPIC, Stance, TableName
from nlp_study.tables import PIPE_WIDTH

if TYPE_CHECKING:
    from nlp_study.store import Corpus

_PAGE_LINES = 12


def find_post(corpus: Corpus, post_id: str) -> dict[str, Any]:
    """Return the row of the post whose id is, or starts with, `post_id`.

    Raises
    ------
    DataError : no post matches, or several do.
    """
    found = corpus.fetch(
        "SELECT * FROM posts WHERE starts_with(post_id, $id) ORDER BY post_id LIMIT 6", {"id": post_id}
    )
    rows: list[dict[str, Any]] = found.to_pylist()
    exact = [row for row in rows if row["post_id"] == post_id]
    if exact:
        return exact[0]
    if not rows:
        raise DataError(
            f"no post {post_id}", remedy='list some: nlp-study query "SELECT post_id, title FROM posts LIMIT 20"'
        )
    if len(rows) > 1:
        raise DataError(
            f"{post_id} fits several posts: {', '.join(row['post_id'] for row in rows)}", remedy="give more characters"
        )
    return rows[0]


def print_post(corpus: Corpus, post_id: str, *, whole_page: bool = False) -> None:
    """Print a post: the page, the extraction, labels, predictions with probabilities, segments with topics.

    Raises
    ------
    DataError : no post matches, or several do.
    """
    from rich.console import Console
    from rich.text import Text

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False)
    post = find_post(corpus, post_id)
    key = {"id": post["post_id"]}

    def heading(text: str) -> None:
        console.print(Text(text, style="bold"))

    _print_page(console, heading, corpus.fetch("SELECT * FROM pages WHERE post_id = $id", key).to_pylist(), whole_page)
    heading("Extraction")
    for name in (
        "post_id", "source", "url", "title", "author", "author_id", "author_job", "author_bio", "category", "badge", "tags",
        "published_at", "updated_at", "date_source", "n_views", "n_ratings", "n_comments", "caption", "n_words",
        "n_removed", "is_cut",
    ):  # fmt: skip
        value = post[name]
        if value not in (None, []):
            console.print(f"  {name:<13} {value.isoformat(sep=' ') if hasattr(value, 'isoformat') else value}")
    console.print(f"  {'paragraphs':<13} {len(post['paragraphs'])}")
    for index, paragraph in enumerate(post["paragraphs"]):
        mark = "" if paragraph["kind"] == "text" else f"({paragraph['kind']}) "
        console.print(
            textwrap.fill(
                f"{mark}{paragraph['text']}", 96, initial_indent=f"  {index:>3}  ", subsequent_indent="       "
            )
        )
    labels = corpus.fetch("SELECT * FROM labels WHERE post_id = $id ORDER BY target, annotator", key).to_pylist()
    heading("\nLabels")
    for row in labels:
        console.print(f"  {row['target']}: {row['stance']} by {row['annotator']}")
    if not labels:
        console.print("  none")
    heading("\nStance")
    predictions = corpus.fetch("SELECT * FROM predictions WHERE post_id = $id ORDER BY target", key).to_pylist()
    evidence = corpus.fetch("SELECT * FROM evidence WHERE post_id = $id ORDER BY target, rank", key).to_pylist()
    record = corpus.record(TableName.PREDICTIONS)
    for row in predictions:
        _print_prediction(console, row, record.counts.get("abstain_below") if record else None)
        _print_evidence(console, [found for found in evidence if found["target"] == row["target"]])
    if not predictions:
        console.print("  not classified yet: nlp-study classify")
    heading("\nSegments")
    segments = corpus.fetch(
        "SELECT s.*, a.topic_id, a.proba, t.name, t.is_stable FROM segments s "
        "LEFT JOIN topic_assignments a USING (segment_id) LEFT JOIN topics t USING (topic_id) "
        "WHERE s.post_id = $id ORDER BY s.index",
        key,
    ).to_pylist()
    for row in segments:
        console.print(f"  {row['index']:>3}  paragraphs {row['first_paragraph']}-{row['last_paragraph']}, "
                      f"{row['n_words']} words, {_topic(row)}", markup=False)  # fmt: skip
    if not segments:
        console.print("  not segmented yet: nlp-study topics")


def _print_page(console: Any, heading: Any, pages: list[dict[str, Any]], whole: bool) -> None:
    if not pages:
        return
    page = pages[0]
    lines = page["content"].splitlines()
    heading(f"Page  {page['path']}, {len(lines)} lines, sha256 {page['digest'][:12]}")
    for line in lines if whole else lines[:_PAGE_LINES]:
        console.print(f"  │ {line}")
    if not whole and len(lines) > _PAGE_LINES:
        console.print(f"  … {len(lines) - _PAGE_LINES} more lines: --page shows them all")
    console.print()


def _print_prediction(console: Any, row: dict[str, Any], abstain_below: float | None) -> None:
    console.print(f"  {row['target']}: {row['stance']}  ({row['origin']}, {row['model_id']})")
    if row.get("abstained"):
        console.print(f"    undecided: less sure than stance.abstain_below = {abstain_below}; this is the best guess")
    for stance in Stance:
        proba = row[f"proba_{stance}"]
        if proba is not None:
            console.print(f"    {stance:<10} {proba:6.1%}  {'█' * round(proba * 40)}")
    console.print(f"    read: {row['n_tokens']} of {row['n_tokens_total']} tokens in {row['n_windows']} inputs")


def _print_evidence(console: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        console.print("    sentences that moved it most (log-odds; below 0: against it):")
    for row in rows:
        text = f"{row['weight']:+.2f}  {' '.join(row['sentence'].split())}"
        console.print(textwrap.fill(text, 96, initial_indent="      ", subsequent_indent="             "), markup=False)


def _topic(row: dict[str, Any]) -> str:
    if row["topic_id"] is None:
        return "no topics yet"
    if row["topic_id"] == OUTLIER_TOPIC:
        return "outlier"
    mark = ", unstable" if row["is_stable"] is False else ""
    return f"topic {row['topic_id']} ({row['name']}{mark}), {row['proba']:.2f}"
