"""A corpus study of Indonesian opinion articles: posts, stance, topics, trends, report."""

__version__ = "0.1.0"
