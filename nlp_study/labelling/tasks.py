"""`export_tasks(...)`: a draw as tasks for Label Studio or doccano, or as a CSV sheet.

Annotators get title and text of a post and nothing else: no author, and no prediction unless it is asked for, because readers
who see a suggestion follow it (anchoring), and a share that is corrected by such labels is corrected toward the model.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from nlp_study.errors import DataError
from nlp_study.labelling.draws import Draw
from nlp_study.labelling.texts import COLOURS, HINTS, INSTRUCTION, NAMES, PREFILLED, QUESTION
from nlp_study.schema import TIMEZONE, Stance, TableName
from nlp_study.store import write_file

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

FOLDER = "labelling"
"""Under the study's data folder: what is here holds texts of the authors, is not tracked, and `forget` empties it."""
CONTROL = "stance"
"""Name of the choice in Label Studio, and of the column in CSV."""


class Tool(StrEnum):
    """What the annotators work with."""

    LABEL_STUDIO = "label-studio"
    DOCCANO = "doccano"
    CSV = "csv"


@dataclass(frozen=True)
class Task:
    """One post to read toward one target; `guess` is the model's label with its probability, only when asked for."""

    post_id: str
    target: str
    question: str
    definition: str
    title: str
    text: str
    published: str
    guess: tuple[str, float, str] | None = None


def read_tasks(
    study: Study, corpus: Corpus, draw: Draw, *, skip: Sequence[str] = (), prefill: bool = False
) -> list[Task]:
    """Return the tasks of a draw in random order, the same at every call.

    Annotators who stop early have then read a random part of the draw.

    Parameters
    ----------
    skip : ids of posts that are not wanted, such as those that have a label.
    prefill : bring the model's label along.
    """
    import numpy as np

    target = next((entry for entry in study.targets if entry.id == draw.target), None)
    if target is None:
        raise DataError(
            f"the study has no target «{draw.target}»", remedy="name the study file of the draw with --study"
        )
    wanted = [post_id for post_id in draw.drawn if post_id not in set(skip)]
    rows = corpus.fetch(
        "SELECT post_id, title, text, published_at FROM posts WHERE post_id IN (SELECT unnest($ids))", {"ids": wanted}
    ).to_pylist()
    posts = {row["post_id"]: row for row in rows}
    guesses: dict[str, tuple[str, float, str]] = {}
    if prefill:
        for row in corpus.read(TableName.PREDICTIONS).to_pylist():
            if row["target"] == draw.target:
                guesses[row["post_id"]] = (row["stance"], row[f"proba_{row['stance']}"] or 0.0, row["model_id"])
    order = np.random.default_rng([draw.seed, *draw.name.encode(), 1]).permutation(len(draw.drawn))
    shuffled = [draw.drawn[i] for i in order]
    return [
        Task(
            post_id=post_id,
            target=draw.target,
            question=QUESTION.format(target=target.name),
            definition=target.definition_id,
            title=posts[post_id]["title"] or "",
            text=posts[post_id]["text"] or "",
            published=_day(posts[post_id]["published_at"]),
            guess=guesses.get(post_id),
        )
        for post_id in shuffled
        if post_id in posts and post_id in set(wanted)
    ]


def export_tasks(
    tasks: Sequence[Task],
    tool: Tool,
    path: Path,
    *,
    stances: Sequence[Stance],
    hints: Mapping[Stance, str] = HINTS,
) -> list[Path]:
    """Write tasks for a tool, and beside them what sets the tool up; return the files.

    Parameters
    ----------
    path : the tasks' file; its folder is made.
    stances : the study's labels, in order.
    hints : what each label means, in Indonesian; those of the codebook, see `read_hints`.

    Raises
    ------
    DataError : there is no task.
    StoreError : a file cannot be written.
    """
    if not tasks:
        raise DataError("there is nothing to label", remedy="draw posts first: `nlp-study label sample`")
    prefilled = any(task.guess for task in tasks)
    written = [path]
    if tool is Tool.LABEL_STUDIO:
        write_file(path, _dump_label_studio(tasks))
        written.append(path.with_suffix(".xml"))
        write_file(
            written[-1], dump_label_config(stances, hints, prefilled=prefilled, defined=bool(tasks[0].definition))
        )
    elif tool is Tool.DOCCANO:
        write_file(path, _dump_doccano(tasks))
        written.append(path.with_suffix(".labels.json"))
        write_file(written[-1], _dump_doccano_labels(stances))
    else:
        write_file(path, _dump_sheet(tasks))
    if tool is not Tool.LABEL_STUDIO:
        written.append(path.with_suffix(".petunjuk.md"))
        write_file(written[-1], _dump_instruction(tasks[0], stances, hints, prefilled=prefilled))
    return written


def dump_label_config(
    stances: Sequence[Stance], hints: Mapping[Stance, str] = HINTS, *, prefilled: bool = False, defined: bool = False
) -> str:
    """Return the labelling interface of Label Studio: the question, title and text, one choice, a note.

    Results hold the stance's own name (`alias`), annotators see the Indonesian one with its hint. With `defined` the target's
    definition stands above the text.
    """
    choices = "\n".join(
        f"    <Choice value={quoteattr(NAMES[stance])} alias={quoteattr(str(stance))} "
        f"hint={quoteattr(hints[stance])} hotkey={quoteattr(str(i))}/>"
        for i, stance in enumerate(stances, 1)
    )
    meanings = "\n".join(
        f"  <Text name={quoteattr(f'arti_{stance}')} value={quoteattr(f'{NAMES[stance]}: {hints[stance]}.')}/>"
        for stance in stances
    )
    note = f"{INSTRUCTION} {PREFILLED}" if prefilled else INSTRUCTION
    shown = '  <Text name="definisi" value="$definition"/>\n' if defined else ""
    return f"""<View>
  <Header value="$question"/>
{shown}  <Header value={quoteattr(note)} size="6"/>
  <Header value="$title" size="3"/>
  <Text name="text" value="$text" granularity="word"/>
  <Choices name="{CONTROL}" toName="text" choice="single-radio" required="true"
    requiredMessage="Pilih satu label; kalau ragu, yang paling mungkin.">
{choices}
  </Choices>
{meanings}
  <TextArea name="catatan" toName="text" placeholder="Catatan untuk pengadil (boleh kosong)" rows="2" maxSubmissions="1"/>
</View>
"""


def _dump_label_studio(tasks: Sequence[Task]) -> str:
    rows = []
    for task in tasks:
        entry: dict[str, Any] = {
            "data": {
                "post_id": task.post_id,
                "target": task.target,
                "question": task.question,
                "definition": task.definition,
                "title": task.title,
                "published": task.published,
                "text": task.text,
            }
        }
        if task.guess:
            stance, proba, model = task.guess
            choice = {"from_name": CONTROL, "to_name": "text", "type": "choices", "value": {"choices": [stance]}}
            entry["predictions"] = [{"model_version": model, "score": round(proba, 4), "result": [choice]}]
        rows.append(entry)
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def _dump_doccano(tasks: Sequence[Task]) -> str:
    """JSON lines with the columns that doccano's import asks for, `text` and `label`; the others come back as metadata."""
    return "".join(
        json.dumps(
            {
                "text": f"{task.title}\n\n{task.text}",
                "label": [task.guess[0]] if task.guess else [],
                "post_id": task.post_id,
                "target": task.target,
                "published": task.published,
            },
            ensure_ascii=False,
        )
        + "\n"
        for task in tasks
    )


def _dump_doccano_labels(stances: Sequence[Stance]) -> str:
    keys = {stance: str(i) for i, stance in enumerate(stances, 1)}
    rows = [
        {"text": str(stance), "suffix_key": keys[stance], "background_color": COLOURS[stance], "text_color": "#ffffff"}
        for stance in stances
    ]
    return json.dumps(rows, indent=1) + "\n"


def _dump_sheet(tasks: Sequence[Task]) -> str:
    """CSV with a byte-order mark, without which spreadsheets read Indonesian quotation marks wrongly."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["post_id", "target", "published", "title", "text", CONTROL, "annotator", "catatan"])
    for task in tasks:
        guess = task.guess[0] if task.guess else ""
        row = [task.post_id, task.target, task.published, task.title, task.text, guess, "", ""]
        writer.writerow([_plain_cell(cell) for cell in row])
    return "\ufeff" + buffer.getvalue()


def _plain_cell(text: str) -> str:
    """A cell that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _dump_instruction(task: Task, stances: Sequence[Stance], hints: Mapping[Stance, str], *, prefilled: bool) -> str:
    rows = "\n".join(f"| `{stance}` | {NAMES[stance]} | {hints[stance]} |" for stance in stances)
    note = f"\n**{PREFILLED}**\n" if prefilled else ""
    definition = f"{task.definition}\n\n" if task.definition else ""
    return f"# {task.question}\n\n{definition}{INSTRUCTION}\n{note}\n| label | nama | arti |\n|---|---|---|\n{rows}\n"


def _day(moment: Any) -> str:
    return f"{moment.astimezone(TIMEZONE):%Y-%m-%d}" if moment else ""
