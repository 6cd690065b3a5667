"""Collocates, keyness, n-grams, dispersion, word sketches and readability: tables with footnotes, from the table `tokens`.

Counting is SQL (DuckDB), formulas are numpy (`measures`). Every function returns a `WordTable`, whose footnotes say what
was filtered; the report and the commands print the same tables.
"""
