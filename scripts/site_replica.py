"""Serve the replica of Kompasiana on this computer, to look at its pages or to crawl them.

    python scripts/site_replica.py --posts 400 --port 8400
    python scripts/site_replica.py --posts 100000 --generated --port 8400
    python scripts/site_replica.py --faults 429=0.05 503=0.05 reset=0.02 --infinite-index
    python scripts/site_replica.py --fault-path '/indeks*=slow' --robots-status 503

Faults are shares of requests: latency, 429, 503, reset, truncated, redirect_loop, wrong_charset, slow,
first_page (?page=all gives the first page). With --fault-path a pattern of paths always fails, also as `huge` (50 MB).
Links point to the replica; --site-hosts prints the site's own host.
"""

from __future__ import annotations

import argparse
import sys
import time

from scripts.replica import Fault, Faults, start_replica


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=400, help="number of posts (demonstration posts: at most 400)")
    parser.add_argument("--port", type=int, default=8400, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--generated", action="store_true", help="assemble posts from sentences of the demonstration posts"
    )
    parser.add_argument("--faults", nargs="*", default=[], metavar="FAULT=SHARE", help="e.g. 429=0.1 reset=0.02")
    parser.add_argument("--fault-path", nargs="*", default=[], metavar="PATTERN=FAULT", help="e.g. '/indeks*=503'")
    parser.add_argument("--infinite-index", action="store_true", help="the daily index never ends")
    parser.add_argument("--robots-status", type=int, default=200)
    parser.add_argument("--site-hosts", action="store_true", help="links to www.kompasiana.com, as on the site")
    options = parser.parse_args(arguments)
    try:
        shares = {f"share_{Fault(name)}": float(share) for name, share in (pair.split("=") for pair in options.faults)}
        paths = {pattern: Fault(name) for pattern, name in (pair.rsplit("=", 1) for pair in options.fault_path)}
        faults = Faults(**shares, paths=paths, infinite_index=options.infinite_index, seed=options.seed)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        parser.error(f"{error}; faults are {', '.join(Fault)}")
    try:
        with start_replica(
            options.posts,
            source="generated" if options.generated else "demo",
            seed=options.seed,
            faults=faults,
            port=options.port,
            rewrite_hosts=not options.site_hosts,
        ) as site:
            site.robots_status = options.robots_status
            print(
                f"{len(site.posts)} posts, {site.days[0]} to {site.days[-1]}, at {site.base_url}/indeks?date={site.days[-1]}",
                flush=True,
            )
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(f"port {options.port} cannot be used: {error}; choose another with --port", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
