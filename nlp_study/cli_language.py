"""Commands for language: parse and kwic."""

from __future__ import annotations

from typing import Annotated

import typer

from nlp_study.cli_options import (
    DEFAULT_STUDY,
    ForceOption,
    FormatOption,
    OutputOption,
    StudyOption,
    open_study,
    run_up_to,
)
from nlp_study.errors import ConfigError
from nlp_study.tables import TableFormat, print_table

_SORTS = ("text", "left", "right", "node", "date")
_FORMATS = ("table", "csv", "json", "html")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog="Examples:  nlp-study parse   ·   nlp-study parse --format csv --output words.csv")(parse)
    app.command(
        epilog='Examples:  nlp-study kwic ekonomi   ·   nlp-study kwic \'[lemma="ekonomi"] [upos="ADJ"]\'   ·   '
        "nlp-study kwic root:dukung --sort right --stance favor   ·   nlp-study kwic '\"platform\" []{0,3} root:untung' "
        "--since 2024-01 --by-month   ·   nlp-study kwic 'digital*' --sample 50 --seed 7 --format html --output kwic.html"
    )(kwic)


def parse(
    study: StudyOption = DEFAULT_STUDY,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Cut posts into sentences and tokens, with lemma, root, word class, relation and names.

    Posts whose text has not changed are not parsed again; a killed run goes on where it was. Shows how many tokens each word
    class has; the table itself is `nlp-study query tokens`.
    """
    opened, corpus = open_study(study)
    run_up_to("parse", opened, corpus, force=force)
    query = (
        "SELECT upos, count(*) AS tokens, count(DISTINCT lower) AS forms, count(DISTINCT lemma) AS lemmas, "
        "count(DISTINCT root) AS roots FROM tokens GROUP BY upos ORDER BY tokens DESC, upos"
    )
    print_table(corpus.fetch(query), format, output=output)


def kwic(
    query: Annotated[str, typer.Argument(help="CQL, bare words, or attribute:word; docs/concordance.md has all.")],
    study: StudyOption = DEFAULT_STUDY,
    where: Annotated[str, typer.Option(metavar="SQL", help="Only posts that fulfil this condition.")] = "",
    stance: Annotated[str, typer.Option(help="Only posts with this stance.")] = "",
    target: Annotated[str, typer.Option(help="The target of --stance; by default any.")] = "",
    topic: Annotated[int | None, typer.Option(help="Only posts with a segment in this topic.")] = None,
    since: Annotated[str, typer.Option(metavar="YYYY-MM", help="First month.")] = "",
    until: Annotated[str, typer.Option(metavar="YYYY-MM", help="Last month.")] = "",
    with_copies: Annotated[bool, typer.Option("--with-copies", help="Posts that repeat another as well.")] = False,
    sort: Annotated[str, typer.Option(help="text, left, right, node or date.")] = "text",
    context: Annotated[int, typer.Option(min=0, max=1000, help="Tokens on either side.")] = 8,
    sentence: Annotated[bool, typer.Option("--sentence", help="The whole sentence as context.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Lines at most; counts are exact in any case.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Lines to pass over.")] = 0,
    sample: Annotated[int | None, typer.Option(min=1, help="So many lines, drawn at random.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of --sample; by default the study's.")] = None,
    longest: Annotated[bool, typer.Option("--longest", help="Of several ends the farthest, not the nearest.")] = False,
    by_month: Annotated[bool, typer.Option("--by-month", help="Hits of each month instead of lines.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the query as SQL over the table tokens, and stop.")] = False,
    time_limit: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds after which it is given up.")] = 20.0,
    format: Annotated[str, typer.Option("--format", "-f", help="table, csv, json or html.")] = "table",
    output: OutputOption = None,
) -> None:
    """Show words in their contexts, with exact counts.

    The first query after a parse builds an index beside the tables. Each line begins with the id of its post, for
    `nlp-study show ID`; on a terminal it is a link to the post's address.
    """
    if sort not in _SORTS:
        raise ConfigError(f"--sort {sort!r} is unknown", remedy=f"sorts are {', '.join(_SORTS)}")
    if format not in _FORMATS:
        raise ConfigError(f"--format {format!r} is unknown", remedy=f"formats are {', '.join(_FORMATS)}")
    from nlp_study.concordance.cql import parse_cql

    parsed = parse_cql(query)
    if sql:
        from nlp_study.concordance.sql import compile_sql

        typer.echo(compile_sql(parsed, longest=longest))
        return
    from nlp_study.concordance.search import Sort, View, find_concordance
    from nlp_study.concordance.show import KwicFormat, print_concordance
    from nlp_study.concordance.subcorpus import Subcorpus

    opened, corpus = open_study(study)
    subcorpus = Subcorpus(where, stance, target, topic, since, until, with_copies)
    view = View(
        limit=limit,
        offset=offset,
        context=None if sentence else context,
        sort=Sort(sort),
        sample=sample,
        seed=opened.study.seed if seed is None else seed,
        longest=longest,
    )
    found = find_concordance(
        corpus,
        query,
        subcorpus,
        view,
        time_limit_s=time_limit,
        announce=lambda text: typer.echo(f"{'kwic':<11} {text}", err=True),
    )
    print_concordance(found, KwicFormat(format), output=output, by_month=by_month, language=opened.study.language)
