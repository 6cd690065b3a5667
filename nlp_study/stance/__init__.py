"""Stance of (post, target) pairs: windows, the classifier, its training, evaluation and use."""
