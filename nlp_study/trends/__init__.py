"""Stance over time: monthly counts, corrected shares, smoothed lines, changes and what they are made of."""

from nlp_study.trends.counts import count_trends, month_of, month_range

__all__ = ["count_trends", "month_of", "month_range"]
