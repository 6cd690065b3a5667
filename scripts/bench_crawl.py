"""Measure the crawler on the local replica: pages a second beside bare Scrapy, memory, and random kills.

    python scripts/bench_crawl.py --quick            a minute: speed and five kills
    python scripts/bench_crawl.py                    speed, memory from 1,000 to 50,000 pages
    python scripts/bench_crawl.py --kills            60 kills during a crawl of 3,000 posts with faults

Bars: at least 85 % of bare Scrapy's pages a second on the same pages over one connection; memory within 50 MB between the
1,000th and the 50,000th page; after 60 kills an archive that is readable, no post lost, none twice, counts as undisturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nlp_study.crawl.archive import read_pages, scan_records
from nlp_study.crawl.crawl import crawl_posts, read_failures
from nlp_study.crawl.settings import CrawlSettings
from nlp_study.extract.urls import parse_article_url

CONTACT = "bench@kampus.ac.id"
SHARE_BAR = 0.85
MEMORY_BAR_MB = 50.0

BARE = """
import sys, scrapy
from scrapy.crawler import CrawlerProcess

urls = open(sys.argv[1]).read().split()

class Bare(scrapy.Spider):
    name = "bare"
    async def start(self):
        for url in urls:
            yield scrapy.Request(url, dont_filter=True)
    def parse(self, response):
        pass

process = CrawlerProcess({
    "ROBOTSTXT_OBEY": False, "DOWNLOAD_DELAY": 0, "CONCURRENT_REQUESTS_PER_DOMAIN": int(sys.argv[2]),
    "CONCURRENT_REQUESTS": 16, "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False,
})
process.crawl(Bare)
process.start()
"""


def make_settings(base_url: str, days: Sequence[str], folder: Path, **changes: object) -> CrawlSettings:
    """Return settings without any delay for the days that the replica has, one connection as always."""
    values: dict[str, object] = {
        "folder": folder,
        "contact": CONTACT,
        "base_url": base_url,
        "since": days[0],
        "until": days[-1],
        "delay_s": 0,
        "autothrottle": False,
        "backoff_s": 0.01,
        "daily_requests": 10_000_000,
        "daily_mb": 1_000_000,
    }
    return CrawlSettings.model_validate(values | changes)


def measure_speed(n_posts: int, rounds: int) -> float:
    """Return our pages a second over bare Scrapy's: median of rounds in which both take turns on the same pages."""
    from scripts.replica.start import start_replica

    shares: list[float] = []
    with tempfile.TemporaryDirectory() as folder, start_replica(n_posts, source="generated", mode="process") as site:
        script, listed = Path(folder, "bare.py"), Path(folder, "urls.txt")
        script.write_text(BARE, encoding="utf-8")
        for number in range(rounds):
            site.reset_log()
            urls = [site.base_url + truth.link_path + "?page=all" for truth in site.posts]
            settings = make_settings(
                site.base_url, site.days, Path(folder, str(number)), since=None, until=None, urls=urls
            )
            used = [read_cpu_s()]
            crawl_posts(settings)
            used.append(read_cpu_s())
            ours = [request for request in site.requests if request.path != "/robots.txt"]
            listed.write_text("\n".join(site.base_url + request.path for request in ours), encoding="utf-8")
            site.reset_log()
            subprocess.run([sys.executable, str(script), str(listed), "1"], check=True)
            used.append(read_cpu_s())
            bare = site.requests
            cpu = [used[1] - used[0], used[2] - used[1]]
            rates = [len(log) / (log[-1].at - log[0].at) for log in (ours, bare)]
            shares.append(rates[0] / rates[1])
            print(
                f"  round {number + 1}: {len(ours):,} pages, ours {rates[0]:,.0f}/s in {cpu[0]:.1f} s of processor time,"
                f" bare Scrapy {rates[1]:,.0f}/s in {cpu[1]:.1f} s"
            )
    return statistics.median(shares)


def read_cpu_s() -> float:
    """Return the processor seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_memory(n_pages: int) -> tuple[float, float]:
    """Return the megabytes that the crawl's process holds after 1,000 pages, and the most after that."""
    import psutil  # type: ignore[import-untyped]

    from scripts.replica.start import start_replica

    seen: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder, start_replica(n_pages, source="generated", mode="process") as site:
        known = {child.pid for child in psutil.Process().children()}

        def note(counts: object) -> None:
            worker = next((child for child in psutil.Process().children() if child.pid not in known), None)
            if worker is not None:
                seen.append((getattr(counts, "n_requests", 0), worker.memory_info().rss / 1e6))

        counts = crawl_posts(make_settings(site.base_url, site.days, Path(folder)), on_progress=note)
        print(f"  {counts.n_requests:,} pages, {counts.n_stored:,} posts in {counts.elapsed_s:,.0f} s")
    first = next((mb for n, mb in seen if n >= 1_000), seen[-1][1])
    return first, max((mb for n, mb in seen if n >= 1_000), default=first)


def measure_kills(n_posts: int, n_kills: int, seed: int) -> list[str]:
    """Kill a crawl with faults again and again, then let it end; return what is wrong, nothing if all is well."""
    from scripts.replica.faults import Faults
    from scripts.replica.start import start_replica

    faults = Faults(
        share_429=0.01,
        share_503=0.02,
        share_reset=0.02,
        share_truncated=0.02,
        share_first_page=0.03,
        share_redirect_loop=0.01,
        retry_after_s=0,
        seed=seed,
    )
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        found: list[dict[str, set[str]]] = []
        problems: list[str] = []
        for name in ("undisturbed", "killed"):
            with start_replica(n_posts, source="generated", mode="process", faults=faults) as site:
                settings = make_settings(site.base_url, site.days, Path(folder, name))
                n_done = kill_often(settings, n_kills, rng) if name == "killed" else 0
                counts = crawl_posts(settings)
                problems += [] if counts.is_finished else [f"{name}: {counts.stop_reason}"]
                found.append(read_found(settings))
                problems += check_archive(settings, site.requests, n_done, name)
                live = {truth.post_id for truth in site.posts if truth.state != "deleted"}
                problems += (
                    [f"{name}: {len(live - found[-1]['posts'])} posts lost"] if live - found[-1]["posts"] else []
                )
            print(
                f"  {name}: {len(found[-1]['posts']):,} posts, {len(found[-1]['failures']):,} failures, {n_done} kills"
            )
    for what in ("posts", "failures"):
        if found[0][what] != found[1][what]:
            problems.append(f"{what} differ: {sorted(found[0][what] ^ found[1][what])[:5]}")
    return problems


def kill_often(settings: CrawlSettings, n_kills: int, rng: random.Random) -> int:
    """Start the crawl and kill its process after a random time, n times; return how often it was killed at work."""
    request = json.dumps({"settings": settings.model_dump(mode="json"), "log_level": 40})
    n_done = 0
    for _ in range(n_kills):
        worker = subprocess.Popen(
            [sys.executable, "-m", "nlp_study.crawl.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        if worker.stdin is not None:
            worker.stdin.write(request + "\n")
            worker.stdin.flush()
        time.sleep(rng.uniform(0.6, 2.2))
        if worker.poll() is None:
            os.kill(worker.pid, signal.SIGKILL)
            n_done += 1
        worker.communicate()
    return n_done


def read_found(settings: CrawlSettings) -> dict[str, set[str]]:
    """Return the ids of the posts that the archive holds, and those of the failures."""
    posts = {
        article.id24
        for _, page in read_pages(settings.archive_folder, newest=True)
        if page.status == 200 and b"articleBody" in page.body and (article := parse_article_url(page.url))
    }
    return {
        "posts": posts,
        "failures": {failure.post_id or failure.where for failure in read_failures(settings.folder)},
    }


def check_archive(settings: CrawlSettings, requests: Sequence[object], n_kills: int, name: str) -> list[str]:
    """Return what is wrong with an archive: unreadable records, posts stored twice, pages fetched again without need."""
    from warcio.archiveiterator import ArchiveIterator

    problems = []
    for path in sorted(settings.archive_folder.glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                record.content_stream().read()
    whole: Counter[str] = Counter()
    asked_well: Counter[str] = Counter()
    for record in scan_records(settings.archive_folder):
        if record.kind == "response" and record.task.startswith("post ") and record.read_head()[0] == 200:
            whole[record.task] += 1
    twice = [task for task, n in whole.items() if n > 1]
    if twice:
        problems.append(f"{name}: {len(twice)} posts stored twice, such as {twice[:3]}")
    for request in requests:
        if getattr(request, "fault", None) is None and getattr(request, "status", 0) == 200:
            asked_well[getattr(request, "path", "")] += 1
    repeated = sum(n - 1 for path, n in asked_well.items() if path != "/robots.txt")
    if repeated > n_kills:
        problems.append(f"{name}: {repeated} pages fetched again after {n_kills} kills, more than one a kill")
    print(f"  {name}: {repeated} pages fetched again after {n_kills} kills")
    return problems


def main() -> int:
    """Run the benchmarks; exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute: speed and five kills")
    parser.add_argument("--kills", nargs="?", type=int, const=60, default=0, metavar="N", help="random kills (60)")
    parser.add_argument("--posts", type=int, default=3_000, help="posts of the crawl that is killed")
    parser.add_argument("--pages", type=int, default=50_000, help="pages of the memory run")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    missed = False
    if not options.kills:
        print("speed, one connection, no delay")
        share = measure_speed(400 if options.quick else 1_500, 2 if options.quick else 5)
        missed |= share < SHARE_BAR
        print(f"speed: {share:.2f} of bare Scrapy (bar: {SHARE_BAR})")
        if not options.quick:
            first, most = measure_memory(options.pages)
            missed |= most - first > MEMORY_BAR_MB
            print(
                f"memory: {first:.0f} MB after 1,000 pages, at most {most:.0f} MB later (bar: + {MEMORY_BAR_MB:.0f} MB)"
            )
    if options.kills or options.quick:
        n_kills = options.kills or 5
        print(f"{n_kills} kills")
        problems = measure_kills(300 if options.quick else options.posts, n_kills, options.seed)
        missed |= bool(problems)
        print("kills: " + ("; ".join(problems) or "no post lost, none twice, counts as undisturbed"))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
