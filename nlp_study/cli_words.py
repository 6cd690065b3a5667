"""Commands that count words: collocates, sketch, keywords, ngrams, dispersion, readability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp_study.cli_options import DEFAULT_STUDY, FormatOption, OutputOption, StudyOption, open_study
from nlp_study.collocation.counts import Part
from nlp_study.collocation.readability import MATTR_WINDOW, Group
from nlp_study.errors import DataError
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    from nlp_study.collocation.subcorpora import Subcorpus
    from nlp_study.collocation.word_table import WordTable
    from nlp_study.store import Corpus

NodeArgument = Annotated[
    str, typer.Argument(metavar="WORD", help="A word, or lemma=, root=, form=, upos=, deprel=, ent=; commas join.")
]
ByOption = Annotated[str, typer.Option(metavar="COLUMN", help="Count words by lower, lemma, root or form.")]
WhereOption = Annotated[
    str, typer.Option("--where", metavar="SQL", help="Condition on posts, such as: category = 'Ekonomi'")
]
StanceOption = Annotated[str, typer.Option(help="Only posts that the model found to have this stance.")]
TargetOption = Annotated[str, typer.Option(help="The stance's target; needed where the study has several.")]
TopicOption = Annotated[int | None, typer.Option(help="Only posts with a segment in this topic.")]
SinceOption = Annotated[str, typer.Option(metavar="MONTH", help="First month or year: 2024-06, 2024.")]
UntilOption = Annotated[str, typer.Option(metavar="MONTH", help="Last month or year.")]
StopWordsOption = Annotated[bool, typer.Option("--stop-words/--no-stop-words", help="Show stop words.")]
UposOption = Annotated[list[str] | None, typer.Option(metavar="CLASS", help="Only this part of speech; repeatable.")]
MaxQOption = Annotated[float | None, typer.Option(min=0, max=1, help="Highest p, adjusted by Benjamini-Hochberg.")]
PartOption = Annotated[Part, typer.Option(help="What range and DP count.")]
LimitOption = Annotated[int, typer.Option(min=0, help="Rows at most; 0 for all.")]
SortOption = Annotated[str, typer.Option(metavar="COLUMN", help="Column to sort by.")]
LanguageOption = Annotated[str, typer.Option(metavar="id|en", help="Language of the footnotes.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog="Examples:  nlp-study collocates platform   ·   nlp-study collocates lemma=ekonomi --by lemma "
        "--stance favor   ·   "
        "nlp-study collocates root=dukung --left 0 --right 3 --sort log_likelihood   ·   "
        "nlp-study collocates platform --dependency --relation amod --where \"category = 'Ekonomi'\""
    )(collocates)
    app.command(
        epilog="Examples:  nlp-study sketch lemma=platform   ·   nlp-study sketch root=monopoli --relation subject   ·   "
        "nlp-study sketch platform --relation adjective --since 2024 --format csv"
    )(sketch)
    app.command(
        epilog="Examples:  nlp-study keywords stance=favor stance=against   ·   nlp-study keywords month=2025 month=2023 "
        '--by lemma --no-stop-words   ·   nlp-study keywords "topic=3, month=2024"   ·   '
        'nlp-study keywords "where n_words > 800" --part author --min-range 5 --max-dp 0.9'
    )(keywords)
    app.command(
        epilog="Examples:  nlp-study ngrams --size 4   ·   nlp-study ngrams --node lemma=ekonomi   ·   "
        "nlp-study ngrams --size 2 --stance against --no-stop-words --min-range 10"
    )(ngrams)
    app.command(
        epilog="Examples:  nlp-study dispersion platform pedagang   ·   nlp-study dispersion --part author --sort dp   ·   "
        "nlp-study dispersion monopoli --by root --part month"
    )(dispersion)
    app.command(
        epilog="Examples:  nlp-study readability   ·   nlp-study readability --group stance   ·   "
        "nlp-study readability --group year --format csv --output readability.csv"
    )(readability)


def collocates(
    word: NodeArgument,
    study: StudyOption = DEFAULT_STUDY,
    by: ByOption = "lower",
    left: Annotated[int, typer.Option(min=0, help="Words before the node.")] = 5,
    right: Annotated[int, typer.Option(min=0, help="Words after the node.")] = 5,
    across_sentences: Annotated[bool, typer.Option("--across-sentences", help="Windows may cross sentences.")] = False,
    dependency: Annotated[
        bool, typer.Option("--dependency", help="Instead of a window: words the node depends on, or the reverse.")
    ] = False,
    relation: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="Only this relation, as nsubj or nsubj*; repeatable.")
    ] = None,
    count_pairs: Annotated[
        bool, typer.Option("--count-pairs", help="Count a word for every node that reaches it.")
    ] = False,
    min_together: Annotated[int, typer.Option(min=1, help="Occurrences within reach.")] = 3,
    min_posts: Annotated[int, typer.Option(min=1, help="Posts with one.")] = 2,
    stop_words: StopWordsOption = True,
    upos: UposOption = None,
    max_q: MaxQOption = None,
    rarer: Annotated[bool, typer.Option("--rarer", help="Also words rarer near the node than by chance.")] = False,
    where: WhereOption = "",
    stance: StanceOption = "",
    target: TargetOption = "",
    topic: TopicOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    sort: SortOption = "log_dice",
    limit: LimitOption = 50,
    language: LanguageOption = "en",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """List the words that keep company with a word: logDice, MI, t, log-likelihood.

    Frequencies stand beside every measure; docs/words.md has the formulas.
    """
    from nlp_study.collocation.collocates import find_collocates

    found = find_collocates(
        _open(study),
        word,
        _subcorpus(where, stance, target, topic, since, until),
        by=by,
        left=left,
        right=right,
        across_sentences=across_sentences,
        dependency=dependency,
        relations=tuple(relation or ()),
        count_pairs=count_pairs,
        min_together=min_together,
        min_posts=min_posts,
        stop_words=stop_words,
        upos=tuple(upos or ()),
        max_q=max_q,
        rarer=rarer,
        sort=sort,
        limit=limit,
    )
    _print(found, language, format, output)


def sketch(
    word: NodeArgument,
    study: StudyOption = DEFAULT_STUDY,
    by: ByOption = "lemma",
    relation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only this relation: subject, 'subject of', object, adjective …; repeatable."
        ),
    ] = None,
    min_together: Annotated[int, typer.Option(min=1, help="Pairs with the word.")] = 2,
    min_posts: Annotated[int, typer.Option(min=1, help="Posts with one.")] = 2,
    stop_words: StopWordsOption = True,
    upos: UposOption = None,
    max_q: MaxQOption = None,
    each: Annotated[int, typer.Option(min=0, help="Rows a relation at most; 0 for all.")] = 10,
    where: WhereOption = "",
    stance: StanceOption = "",
    target: TargetOption = "",
    topic: TopicOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    language: LanguageOption = "en",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """List a word's company by grammatical relation: its subjects, objects, modifiers, and what it is those of."""
    from nlp_study.collocation.sketch import sketch_word

    found = sketch_word(
        _open(study),
        word,
        _subcorpus(where, stance, target, topic, since, until),
        by=by,
        relations=tuple(relation or ()),
        min_together=min_together,
        min_posts=min_posts,
        stop_words=stop_words,
        upos=tuple(upos or ()),
        max_q=max_q,
        each=each,
    )
    _print(found, language, format, output)


def keywords(
    focus: Annotated[
        str,
        typer.Argument(
            metavar="FOCUS",
            help="KEY=VALUE of stance, target, topic, month, category, author, tag, source; commas join.",
        ),
    ],
    reference: Annotated[
        str, typer.Argument(metavar="REFERENCE", help="What to compare with; by default all other posts.")
    ] = "",
    study: StudyOption = DEFAULT_STUDY,
    by: ByOption = "lower",
    part: PartOption = Part.POST,
    min_count: Annotated[int, typer.Option(min=1, help="Occurrences in both together.")] = 5,
    min_range: Annotated[int, typer.Option(min=1, help="Posts (or other parts) that must have the word.")] = 3,
    max_dp: Annotated[float | None, typer.Option(min=0, max=1, help="Highest DP.")] = None,
    stop_words: StopWordsOption = True,
    upos: UposOption = None,
    max_q: MaxQOption = 0.01,
    rarer: Annotated[bool, typer.Option("--rarer", help="Also words that are rarer in the first.")] = False,
    sort: SortOption = "log_likelihood",
    limit: LimitOption = 50,
    language: LanguageOption = "en",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """List the words that tell some posts from others: log-likelihood, log ratio with interval, %DIFF, range, DP.

    A line that starts with `where` is an SQL condition on posts.
    """
    from nlp_study.collocation.keyness import find_keywords
    from nlp_study.collocation.subcorpora import parse_subcorpus

    found = find_keywords(
        _open(study),
        parse_subcorpus(focus),
        parse_subcorpus(reference) if reference.strip() else None,
        by=by,
        part=part,
        min_count=min_count,
        min_range=min_range,
        max_dp=max_dp,
        stop_words=stop_words,
        upos=tuple(upos or ()),
        max_q=max_q,
        rarer=rarer,
        sort=sort,
        limit=limit,
    )
    _print(found, language, format, output)


def ngrams(
    study: StudyOption = DEFAULT_STUDY,
    size: Annotated[int, typer.Option(help="Words of a run.")] = 3,
    node: Annotated[str, typer.Option(metavar="WORD", help="Only runs with this word, given as for collocates.")] = "",
    by: ByOption = "lower",
    part: PartOption = Part.POST,
    min_count: Annotated[int, typer.Option(min=1, help="Occurrences.")] = 5,
    min_range: Annotated[int, typer.Option(min=1, help="Posts (or other parts) with the run.")] = 2,
    stop_words: Annotated[
        bool, typer.Option("--stop-words/--no-stop-words", help="Show runs of stop words only.")
    ] = True,
    where: WhereOption = "",
    stance: StanceOption = "",
    target: TargetOption = "",
    topic: TopicOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    sort: SortOption = "n",
    limit: LimitOption = 50,
    language: LanguageOption = "en",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """List runs of words that recur, all or those with a word in them, with range and DP."""
    from nlp_study.collocation.ngrams import find_ngrams

    found = find_ngrams(
        _open(study),
        _subcorpus(where, stance, target, topic, since, until),
        size=size,
        node=node or None,
        by=by,
        part=part,
        min_count=min_count,
        min_range=min_range,
        stop_words=stop_words,
        sort=sort,
        limit=limit,
    )
    _print(found, language, format, output)


def dispersion(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORDS", help="These words; by default the most frequent.")
    ] = None,
    study: StudyOption = DEFAULT_STUDY,
    by: ByOption = "lower",
    part: PartOption = Part.POST,
    min_count: Annotated[int, typer.Option(min=1, help="Occurrences, where no words are named.")] = 5,
    stop_words: StopWordsOption = True,
    upos: UposOption = None,
    where: WhereOption = "",
    stance: StanceOption = "",
    target: TargetOption = "",
    topic: TopicOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    sort: SortOption = "n",
    limit: LimitOption = 50,
    language: LanguageOption = "en",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Say how often words occur, in how many posts, and how evenly (Gries' DP)."""
    from nlp_study.collocation.dispersion import measure_dispersion

    found = measure_dispersion(
        _open(study),
        words or (),
        _subcorpus(where, stance, target, topic, since, until),
        by=by,
        part=part,
        min_count=min_count,
        stop_words=stop_words,
        upos=tuple(upos or ()),
        sort=sort,
        limit=limit,
    )
    _print(found, language, format, output)


def readability(
    study: StudyOption = DEFAULT_STUDY,
    group: Annotated[Group, typer.Option(help="How posts are grouped.")] = Group.ALL,
    window: Annotated[int, typer.Option(min=2, help="Words of a MATTR window.")] = MATTR_WINDOW,
    min_posts: Annotated[int, typer.Option(min=1, help="Posts of a group.")] = 2,
    where: WhereOption = "",
    stance: StanceOption = "",
    target: TargetOption = "",
    topic: TopicOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    language: LanguageOption = "en",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Measure sentence length, long words, LIX, TTR and MATTR of groups of posts."""
    from nlp_study.collocation.readability import measure_readability

    found = measure_readability(
        _open(study),
        _subcorpus(where, stance, target, topic, since, until),
        group=group,
        window=window,
        min_posts=min_posts,
    )
    _print(found, language, format, output)


def _open(study: Path) -> Corpus:
    from nlp_study.schema import TableName

    _, corpus = open_study(study)
    if not corpus.has(TableName.TOKENS):
        raise DataError("the posts have not been parsed yet", remedy="run `nlp-study parse`")
    return corpus


def _subcorpus(where: str, stance: str, target: str, topic: int | None, since: str, until: str) -> Subcorpus:
    from nlp_study.collocation.subcorpora import Subcorpus

    month = f"{since}..{until}" if since or until else ""
    return Subcorpus(stance=stance, target=target, topic=topic, month=month, where=where)


def _print(found: WordTable, language: str, format: TableFormat, output: Path | None) -> None:
    if language not in ("id", "en"):
        raise DataError(f"there are no footnotes in {language!r}", remedy="choose id or en")
    print_table(found.table, format, output=output)
    # a file or a pipe for a program gets rows only
    beside = output is not None or format is not TableFormat.TABLE
    for line in found.notes("id" if language == "id" else "en"):
        typer.echo(f"* {line}", err=beside)
