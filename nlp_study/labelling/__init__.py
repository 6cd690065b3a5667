"""Human labels: which posts to read next, how they go to annotators and come back, and how far annotators agree."""
