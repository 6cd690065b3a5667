"""From what was read to posts: addresses and keys, dates, boilerplate, and one extractor a form of page."""
