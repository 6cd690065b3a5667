"""Shares and their intervals: plain counts, and estimates corrected with labelled posts for the classifier's errors.

`shares.estimate_shares` and `shares.estimate_difference` take arrays; `posts.read_posts` makes them of a corpus.
"""

from nlp_study.estimate.intervals import PLAIN_METHOD, wilson_interval

__all__ = ["PLAIN_METHOD", "wilson_interval"]
