"""Fetch posts politely into a WARC archive; a crawl that was killed continues where the archive ends."""
