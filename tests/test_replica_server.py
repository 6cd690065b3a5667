"""The replica over real connections: caching, compression, its log, and its faults."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selectolax.lexbor import LexborHTMLParser

from nlp_study.extract.boilerplate import fold_space
from scripts.replica import Fault, Faults, Replica, State, start_replica

LISTED = re.compile(r'<h2 class="title[^"]*"><a href="([^"]+)">')


@pytest.fixture(scope="module")
def site() -> Iterator[Replica]:
    with start_replica(120) as replica:
        yield replica


@pytest.fixture(autouse=True)
def undisturbed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "site" in request.fixturenames:
        request.getfixturevalue("site").set_faults()


def ask(replica: Replica, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Send one request over a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(replica.base_url).port, timeout=20)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers.items()), answer.read()
    finally:
        connection.close()


def test_links_are_the_replicas_own_or_the_sites(site: Replica) -> None:
    path = site.posts[0].page_path
    html = ask(site, path)[2].decode()
    assert f'canonical" href="{site.base_url}{path}"' in html and "www.kompasiana.com" not in html
    assert f'canonical" href="https://www.kompasiana.com{path}"' in site.site.respond(path).body.decode()


def test_conditional_requests_and_edits(site: Replica) -> None:
    post = site.posts[11]
    _, headers, body = ask(site, post.page_path)
    for condition in ({"If_None_Match": headers["ETag"]}, {"If_Modified_Since": headers["Last-Modified"]}):
        status, _, empty = ask(site, post.page_path, **condition)
        assert (status, empty) == (304, b"")
    edited = site.edit(post.post_id)
    status, again, changed = ask(site, post.page_path, If_None_Match=headers["ETag"])
    assert status == 200 and changed != body and again["ETag"] != headers["ETag"]
    assert edited.title.encode() in changed
    assert edited.body[:-1] == post.body and b"Suntingan ke-1" in changed
    assert edited.updated_at > post.updated_at and edited.published_at == post.published_at


def test_gzip_is_used_where_it_is_accepted(site: Replica) -> None:
    import gzip

    path = site.posts[0].page_path
    plain = ask(site, path)[2]
    _, headers, packed = ask(site, path, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip" and gzip.decompress(packed) == plain


def test_robots_can_be_set(site: Replica) -> None:
    assert b"Disallow: /xajax/" in ask(site, "/robots.txt")[2]
    text = site.robots_txt
    site.robots_txt, site.robots_status = "User-agent: *\nDisallow: /\n", 503
    assert ask(site, "/robots.txt")[0] == 503 and ask(site, "/robots.txt")[2].endswith(b"Disallow: /\n")
    site.robots_txt, site.robots_status = text, 200


def test_the_log_tells_connections_and_agents(site: Replica) -> None:
    site.reset_log()
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(site.base_url).port, timeout=20)
    for _ in range(2):
        connection.request("GET", "/robots.txt", headers={"User-Agent": "penguji"})
        connection.getresponse().read()
    connection.close()
    ask(site, "/robots.txt")
    log = site.requests
    assert [entry.path for entry in log] == ["/robots.txt"] * 3
    assert log[0].user_agent == "penguji" and log[0].status == 200
    assert log[0].connection == log[1].connection != log[2].connection
    assert log[0].at <= log[1].at


def test_faults_by_path(site: Replica) -> None:
    path = site.posts[0].page_path
    whole = ask(site, path)[2]
    site.set_faults(Faults(paths={path: Fault.TOO_MANY}, retry_after_s=7))
    status, headers, _ = ask(site, path)
    assert (status, headers["Retry-After"]) == (429, "7")
    site.set_faults(Faults(paths={path: "503"}))
    assert ask(site, path)[0] == 503
    site.set_faults(Faults(paths={path: "reset"}))
    with pytest.raises(OSError):
        ask(site, path)
    site.set_faults(Faults(paths={path: "truncated"}))
    with pytest.raises(http.client.IncompleteRead):
        ask(site, path)
    site.set_faults(Faults(paths={path: "wrong_charset"}))
    status, headers, body = ask(site, path)
    assert headers["Content-Type"].endswith("ISO-8859-1") and body == whole
    site.set_faults(Faults(paths={path: "latency"}, latency_s=0.3))
    start = time.perf_counter()
    assert ask(site, path)[2] == whole and time.perf_counter() - start >= 0.3
    site.set_faults(Faults(paths={path: "slow"}, slow_bytes_per_s=50_000))
    start = time.perf_counter()
    assert ask(site, path)[2] == whole and time.perf_counter() - start >= 0.2
    site.set_faults(Faults(paths={path: "redirect_loop"}))
    seen = set()
    for _ in range(25):
        status, headers, _ = ask(site, path)
        assert status == 302
        path = headers["Location"].removeprefix(site.base_url)
        seen.add(path)
    assert len(seen) == 25


def test_page_all_may_give_the_first_page_only(site: Replica) -> None:
    post = next(post for post in site.posts if post.n_pages > 1 and post.state is State.LIVE)
    site.set_faults(Faults(share_first_page=1.0, most_per_address=1))
    answers = [ask(site, f"{post.page_path}?page=all")[2] for _ in range(2)]
    assert answers[0] == ask(site, f"{post.page_path}?page=1")[2] != answers[1]


def test_a_huge_page(site: Replica) -> None:
    path = site.posts[1].page_path
    site.set_faults(Faults(paths={f"{path}*": "huge"}, huge_bytes=3_000_000))
    assert len(ask(site, f"{path}?page=all")[2]) == 3_000_000


def test_an_infinite_index_repeats_its_last_page(site: Replica) -> None:
    address = f"/indeks?page={{}}&category=&date={site.days[-1]}"
    assert not LISTED.findall(ask(site, address.format(99))[2].decode())
    site.set_faults(Faults(infinite_index=True))
    assert LISTED.findall(ask(site, address.format(99))[2].decode()) == LISTED.findall(
        ask(site, address.format(1))[2].decode()
    )


def test_random_faults_are_repeatable_and_end(site: Replica) -> None:
    paths = [post.page_path for post in site.posts[:60] if post.state is not State.DELETED]
    runs = []
    for order in (paths, paths[::-1]):
        site.set_faults(Faults(share_429=0.2, share_503=0.2, seed=5))
        runs.append({path: [ask(site, path)[0] for _ in range(4)] for path in order})
    assert runs[0] == runs[1]
    statuses = Counter(status for answers in runs[0].values() for status in answers)
    assert statuses[429] > 10 and statuses[503] > 10
    assert all(answers.count(200) >= 2 for answers in runs[0].values())


def test_a_replica_in_its_own_process() -> None:
    with start_replica(60, source="generated", mode="process", faults=Faults(paths={"/latest": "503"})) as replica:
        post = replica.posts[2]
        assert fold_space(post.title) in fold_space(LexborHTMLParser(ask(replica, post.page_path)[2]).text())
        assert ask(replica, "/latest")[0] == 503
        assert [entry.status for entry in replica.requests] == [200, 503]
        replica.set_faults()
        replica.robots_status = 404
        assert (ask(replica, "/latest")[0], ask(replica, "/robots.txt")[0], replica.robots_status) == (200, 404, 404)
        title = replica.edit(post.post_id).title
        assert title in LexborHTMLParser(ask(replica, post.page_path)[2]).css("h1.title")[0].text()
        port = urlsplit(replica.base_url).port
        with pytest.raises(OSError), start_replica(1, port=port or 0):
            pass
    with pytest.raises(OSError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=2).request("GET", "/")


def test_the_command_shows_help_and_refuses_unknown_faults() -> None:
    script = Path(__file__).resolve().parents[1] / "scripts" / "site_replica.py"
    shown = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=True)
    assert "--posts 400 --port 8400" in shown.stdout
    with subprocess.Popen(
        [sys.executable, script, "--posts", "20", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as served:
        line = served.stdout.readline() if served.stdout else ""
        found = re.match(r"20 posts, .+ at http://127\.0\.0\.1:(\d+)/indeks", line)
        assert found is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
        served.send_signal(signal.SIGINT)
        assert served.wait(10) == 0
    refused = subprocess.run(
        [sys.executable, script, "--faults", "banjir=1"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2 and "redirect_loop" in refused.stderr
