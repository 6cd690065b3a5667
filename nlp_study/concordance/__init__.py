"""Concordances: a subset of CQL over the table `tokens`, answered from an index beside it."""
