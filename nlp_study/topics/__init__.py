"""Topics that stay put: `fit_topics(study, corpus, record)` groups segments by the agreement of many refits.

`words` counts words and chooses those that are shown, `features` makes the segments' vectors, `ensemble` refits and finds
what the refits agree on, `stability` measures them, `edits` keeps merges, splits and names over a refit, `fit` is the stage.
"""

from nlp_study.topics.fit import MIN_SEGMENTS, fit_topics
from nlp_study.topics.words import read_stop_words

__all__ = ["MIN_SEGMENTS", "fit_topics", "read_stop_words"]
