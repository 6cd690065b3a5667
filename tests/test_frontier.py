"""The frontier: what is done is decided by the archive; budgets and waits outlive a run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from nlp_study.crawl.archive import ArchiveKey, list_files, read_pages
from nlp_study.crawl.frontier import Frontier, State, Task, TaskKind
from nlp_study.crawl.intake import Intake, Outcome, open_intake
from nlp_study.crawl.listing import find_post, map_to_site, read_listing
from nlp_study.crawl.settings import CrawlError, CrawlSettings
from nlp_study.crawl.whole import check_whole, count_paragraphs, join_pages
from nlp_study.extract.page import Page
from tests.conftest import SHARED_DATA, needs_shared_data

ID = "5f0c0a1bd541df1a2b3c4d5e"
URL = f"https://www.kompasiana.com/sarwono/{ID}/warung-kopi"
INDEX = "https://www.kompasiana.com/indeks?page=1"
NOW = datetime(2025, 11, 3, 10, tzinfo=UTC)
PROMO = "Follow Instagram @kompasianacom juga Tiktok @kompasiana, WhatsApp Channel Kompasiana di SINI"


def make_article(paragraphs: list[str], *, pager: int = 0, promo: bool = False) -> bytes:
    body = "".join(f"<p>{text}</p>" for text in [*paragraphs, *([PROMO] if promo else [])])
    links = "".join(f'<li><a href="{URL}?page={n}">{n}</a></li>' for n in range(1, pager + 1))
    pages = f"<div>HALAMAN : <ol>{links}</ol></div>" if pager else ""
    return (
        f'<html><body><h1>Warung</h1><div class="read-content" itemprop="articleBody">{body}</div>{pages}</body></html>'
    ).encode()


def make_texts(n: int, first: int = 1) -> list[str]:
    return [f"Paragraf ke-{i} tentang warung kopi di ujung gang." for i in range(first, first + n)]


def make_page(body: bytes, url: str = URL, *, status: int = 200, when: datetime = NOW) -> Page:
    return Page(url, body, when, status)


def make_card(post_id: str, day: str = "3 November 2025", classes: str = "timeline--item timeline--artikel") -> str:
    link = f"https://www.kompasiana.com/sarwono/{post_id}/judul"
    return (
        f'<div class="{classes}" style="display: none"><div class="artikel"><div class="artikel--img"><a href="{link}">'
        f'<img alt="Kata "Murah" Itu" alt="Kata "Murah" Itu"></a></div><div class="artikel--content"><div class="user-box">'
        f'<a href="/sarwono">Sarwono</a><div class="date-box">{day} | 2 jam lalu</div></div>'
        f'<h2 class="title mt40"><a href="{link}">Kata "Murah" Itu</a></h2></div></div></div>'
    )


def make_listing(*cards: str) -> bytes:
    return f"<html><body>{''.join(cards)}</body></html>".encode()


def make_id(n: int) -> str:
    return f"{0x69082000 + n:08x}{n:016x}"


@pytest.fixture
def settings(tmp_path: Path) -> CrawlSettings:
    return CrawlSettings(folder=tmp_path, contact="peneliti@kampus.ac.id", since="2025-11-03", until="2025-11-03")


@pytest.fixture
def intake(settings: CrawlSettings) -> Iterator[Intake]:
    opened = open_intake(settings)
    opened.catch_up()
    yield opened
    opened.close()


def receive(intake: Intake, task: Task, body: bytes, *, status: int = 200, url: str = URL, **headers: str) -> Outcome:
    key = intake.writer.write_response(
        url,
        task=str(task),
        status_line=f"HTTP/1.1 {status} X",
        headers=[("Content-Type", "text/html"), *headers.items()],
        body=body,
        request=b"GET / HTTP/1.1\r\n\r\n",
        captured_at=NOW,
    )
    return intake.take(
        task, make_page(body, url, status=status), key, {k.lower(): v for k, v in headers.items()}
    ).outcome


def dump(frontier: Frontier) -> list[tuple[object, ...]]:
    query = "SELECT post_id, url, state, page, file, start, etag FROM posts ORDER BY post_id"
    return frontier._db.execute(query).fetchall()


def test_tasks_read_back_what_they_write() -> None:
    for task in (
        Task(TaskKind.POST, ID),
        Task(TaskKind.INDEX, "", 3, "2025-11-03"),
        Task(TaskKind.SEARCH, "dua kata", 1),
    ):
        assert Task.parse(str(task)) == task
    assert Task.parse("sesuatu yang lain") is None


def test_the_frontier_is_the_same_when_made_again_from_the_archive(intake: Intake, settings: CrawlSettings) -> None:
    intake.frontier.want_chains([(TaskKind.INDEX, "", "2025-11-03")])
    ids = [make_id(n) for n in range(4)]
    index = Task(TaskKind.INDEX, "", 1, "2025-11-03")
    assert (
        receive(intake, index, make_listing(*map(make_card, ids)), url="https://www.kompasiana.com/indeks?page=1")
        == "listing"
    )
    outcomes = [
        receive(intake, Task(TaskKind.POST, ids[0]), make_article(make_texts(5)), ETag='"a"'),
        receive(intake, Task(TaskKind.POST, ids[1]), b"hilang", status=404),
        receive(intake, Task(TaskKind.POST, ids[2]), b"<html>This Article has been deleted.</html>"),
        receive(intake, Task(TaskKind.POST, ids[3]), b"sibuk", status=503),
    ]
    assert outcomes == ["stored", "gone", "gone", "retry"]
    before = dump(intake.frontier)
    failures = [(failure.post_id, failure.reason) for failure in intake.frontier.read_failures()]
    assert [row[2] for row in before] == [State.DONE, State.GONE, State.GONE, State.PENDING]
    assert [post_id for post_id, _ in failures] == ids[1:3]
    intake.close()

    for path in settings.folder.glob("frontier.sqlite*"):
        path.unlink()
    again = open_intake(settings)
    assert again.catch_up() > 5
    assert [row[2:] for row in dump(again.frontier)] == [row[2:] for row in before]
    assert [(failure.post_id, failure.reason) for failure in again.frontier.read_failures()] == failures
    assert again.frontier.add_chain(TaskKind.INDEX, "", "2025-11-03").page == 2
    again.close()


def test_what_the_frontier_did_not_hear_of_is_taken_from_the_archive(intake: Intake, settings: CrawlSettings) -> None:
    intake.frontier.add_post(ID, URL, day=None, chain_id=None)
    intake.note_written()
    intake.frontier.commit()
    shutil.copytree(settings.folder, settings.folder / "old", ignore=shutil.ignore_patterns("old", "archive"))
    receive(intake, Task(TaskKind.POST, ID), make_article(make_texts(3)))
    intake.close()
    for path in (settings.folder / "old").iterdir():  # as if the process had died between archive and frontier
        shutil.move(path, settings.folder / path.name)
    again = open_intake(settings)
    row = again.frontier.read_post(ID)
    assert row is not None
    assert row.state is State.PENDING
    assert again.catch_up() == 2
    row = again.frontier.read_post(ID)
    assert row is not None
    assert row.state is State.DONE
    again.close()


def test_a_lost_archive_file_makes_its_posts_due_again(intake: Intake, settings: CrawlSettings) -> None:
    receive(intake, Task(TaskKind.POST, ID), b"")
    intake.frontier.add_post(ID, URL, day=None, chain_id=None)
    receive(intake, Task(TaskKind.POST, ID), make_article(make_texts(3)))
    intake.close()
    (settings.archive_folder / list_files(settings.archive_folder)[0]).unlink()

    again = open_intake(settings)
    again.catch_up()
    row = again.frontier.read_post(ID)
    assert row is not None
    assert (row.state, row.key) == (State.PENDING, None)
    again.close()


def test_a_rewritten_archive_is_noticed(intake: Intake, settings: CrawlSettings) -> None:
    intake.frontier.add_post(ID, URL, day=None, chain_id=None)
    receive(intake, Task(TaskKind.POST, ID), make_article(make_texts(3)))
    intake.close()
    path = settings.archive_folder / "crawl-000001.warc.gz"
    content = bytearray(path.read_bytes())
    content[-10:] = bytes(10)
    path.write_bytes(content)
    again = open_intake(settings)
    again.catch_up()
    assert b"</html>" in next(read_pages(settings.archive_folder))[1].body
    row = again.frontier.read_post(ID)
    assert row is not None
    assert row.state is State.DONE
    again.close()


def test_nothing_is_written_before_the_archive_was_checked(settings: CrawlSettings) -> None:
    unchecked = open_intake(settings)
    with pytest.raises(CrawlError, match="not checked"):
        _ = unchecked.writer
    unchecked.close()


def test_an_index_ends_where_a_page_brings_nothing_new(intake: Intake) -> None:
    cards = [make_card(make_id(n)) for n in range(3)]
    for page in (1, 2):
        receive(intake, Task(TaskKind.INDEX, "", page, "2025-11-03"), make_listing(*cards))
    chain = intake.frontier.add_chain(TaskKind.INDEX, "", "2025-11-03")
    assert (chain.state, chain.n_pages) == (State.DONE, 2)
    assert intake.frontier.count_posts()[State.PENDING] == 3


def test_an_index_of_other_days_is_a_failure(intake: Intake) -> None:
    cards = [make_card(make_id(n), "7 Mei 2019") for n in range(4)]
    assert receive(intake, Task(TaskKind.INDEX, "", 1, "2025-11-03"), make_listing(*cards)) == "failed"
    assert "other days only" in intake.frontier.read_failures()[0].reason
    assert intake.frontier.count_posts()[State.PENDING] == 0


def test_days_that_are_not_over_and_open_ended_listings_are_read_again(intake: Intake) -> None:
    today = datetime.now(UTC).date()
    old, new = "2025-11-01", (today + timedelta(days=1)).isoformat()
    wanted = [(TaskKind.INDEX, "", old), (TaskKind.INDEX, "", new), (TaskKind.TAG, "kopi", "")]
    intake.frontier.want_chains(wanted)
    for kind, subject, day in wanted:
        chain = intake.frontier.add_chain(kind, subject, day)
        intake.frontier.update_chain(chain, state=State.DONE, page=1, read_at=time.time())
    intake.frontier.reopen_chains()
    assert [(c.kind, c.day) for c in intake.frontier.next_chains(9, now=time.time())] == [("tag", ""), ("index", new)]


def test_a_listing_interrupted_long_ago_is_read_from_its_start_beyond_what_is_known(intake: Intake) -> None:
    frontier = intake.frontier
    frontier.want_chains([(TaskKind.TAG, "kopi", "")])
    chain = frontier.add_chain(TaskKind.TAG, "kopi", "")
    frontier.update_chain(chain, state=State.PENDING, page=3, read_at=time.time() - 7200)
    for n in range(4):
        frontier.link(chain.id, make_id(n))
    frontier.reopen_chains()
    answer = make_listing(*(make_card(make_id(n)) for n in range(2)))
    for page, expected in ((1, State.PENDING), (2, State.PENDING), (3, State.DONE)):
        receive(intake, Task(TaskKind.TAG, "kopi", page), answer)
        assert frontier.add_chain(TaskKind.TAG, "kopi", "").state is expected, page


def test_posts_of_other_days_and_other_listings_wait(intake: Intake) -> None:
    frontier = intake.frontier
    frontier.want_chains([(TaskKind.TAG, "kopi", "")])
    mine, other = frontier.add_chain(TaskKind.TAG, "kopi", ""), frontier.add_chain(TaskKind.TAG, "teh", "")
    frontier.add_post(make_id(1), URL, day="2025-11-03", chain_id=mine.id)
    frontier.add_post(make_id(2), URL, day="2024-01-01", chain_id=mine.id)
    frontier.add_post(make_id(3), URL, day="2025-11-03", chain_id=other.id)
    frontier.add_post(make_id(4), URL, day=None, chain_id=mine.id)
    rows = frontier.next_posts(9, since=date(2025, 11, 1), until=None, now=time.time())
    assert [row.post_id for row in rows] == [make_id(1), make_id(4)]
    frontier.add_post(make_id(3), URL, day=None, chain_id=mine.id)
    assert len(frontier.next_posts(9, since=date(2025, 11, 1), until=None, now=time.time())) == 3


def test_failures_of_earlier_runs_are_tried_again_and_those_of_gone_posts_stay(intake: Intake) -> None:
    frontier = intake.frontier
    for n in range(2):
        frontier.add_post(make_id(n), URL + str(n), day=None, chain_id=None)
    intake.give_up(Task(TaskKind.POST, make_id(0)), "the connection broke, 5 times")
    receive(intake, Task(TaskKind.POST, make_id(1)), b"", status=410)
    assert [failure.post_id for failure in frontier.read_failures()] == [make_id(0), make_id(1)]
    frontier.retry_failed()
    assert [failure.post_id for failure in frontier.read_failures()] == [make_id(1)]
    assert frontier.count_posts()[State.PENDING] == 1


def test_the_budget_outlives_the_run(tmp_path: Path) -> None:
    path = tmp_path / "frontier.sqlite"
    first = Frontier(path)
    first.spend(date(2025, 11, 3), n_requests=2, n_bytes=500)
    first.spend(date(2025, 11, 3), n_requests=1)
    first.close()
    second = Frontier(path)
    assert second.read_budget(date(2025, 11, 3)) == (3, 500)
    assert second.read_budget(date(2025, 11, 4)) == (0, 0)
    second.close()


def test_a_file_that_is_no_frontier_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "frontier.sqlite"
    path.write_bytes(b"bukan basis data" * 100)
    with pytest.raises(CrawlError, match="cannot be read") as caught:
        Frontier(path)
    assert "delete it" in caught.value.remedy


@pytest.mark.parametrize(
    ("body", "is_whole"),
    [
        (make_article(make_texts(5)), True),
        (make_article(make_texts(10), promo=True), True),
        (make_article(make_texts(11)), False),
        (make_article(make_texts(11), pager=2), False),
        (make_article(make_texts(11), pager=2, promo=True), True),
        (make_article(make_texts(25), pager=3), True),
        (make_article(make_texts(25)), True),
        (
            make_article([*make_texts(4), "", "&nbsp;", "Baca juga: Kopi Pagi di Pasar", *make_texts(7, 5)], pager=2),
            False,
        ),
    ],
)
def test_a_cut_page_is_told_from_a_whole_one(body: bytes, is_whole: bool) -> None:
    wholeness = check_whole(make_page(body))
    assert (wholeness.is_whole, wholeness.problem) == (is_whole, "")


def test_old_captures_without_promo_are_whole() -> None:
    page = make_page(make_article(make_texts(11)), when=datetime(2019, 5, 1, tzinfo=UTC))
    assert check_whole(page).is_whole
    assert count_paragraphs(page) == 11


def test_pages_without_article_name_the_reason() -> None:
    assert "deleted" in check_whole(make_page(b"<html>This Article has been deleted.</html>")).problem
    assert check_whole(make_page(b"<html>apa saja</html>")).problem == "the page holds no article"


def test_a_cut_post_is_fetched_page_by_page_and_joined(intake: Intake, settings: CrawlSettings) -> None:
    intake.frontier.add_post(ID, URL, day=None, chain_id=None)
    assert receive(intake, Task(TaskKind.POST, ID), make_article(make_texts(11), pager=3)) == "part"
    assert receive(intake, Task(TaskKind.PART, ID, 2), make_article(make_texts(11, 12), pager=3)) == "part"
    row = intake.frontier.read_post(ID)
    assert row is not None
    assert row.page == 3
    assert receive(intake, Task(TaskKind.PART, ID, 3), make_article(make_texts(3, 23), pager=3, promo=True)) == "stored"
    pages = [page for _, page in read_pages(settings.archive_folder, newest=True)]
    assert len(pages) == 1
    assert pages[0].url == f"{URL}?page=all"
    assert pages[0].body.count(b"<p>Paragraf ke-") == 25
    assert check_whole(pages[0]).is_whole
    row = intake.frontier.read_post(ID)
    assert row is not None
    assert row.state is State.DONE


def test_a_server_that_repeats_the_first_page_ends_the_pages(intake: Intake, settings: CrawlSettings) -> None:
    intake.frontier.add_post(ID, URL, day=None, chain_id=None)
    assert receive(intake, Task(TaskKind.POST, ID), make_article(make_texts(11))) == "part"
    assert receive(intake, Task(TaskKind.PART, ID, 2), make_article(make_texts(11))) == "stored"
    assert len(list(read_pages(settings.archive_folder))) == 1


def test_pages_are_joined_on_rebuilding_without_a_second_copy(intake: Intake, settings: CrawlSettings) -> None:
    intake.frontier.add_post(ID, URL, day=None, chain_id=None)
    receive(intake, Task(TaskKind.POST, ID), make_article(make_texts(11), pager=2))
    receive(intake, Task(TaskKind.PART, ID, 2), make_article(make_texts(4, 12), pager=2, promo=True))
    intake.close()
    for path in settings.folder.glob("frontier.sqlite*"):
        path.unlink()
    again = open_intake(settings)
    again.catch_up()
    row = again.frontier.read_post(ID)
    assert row is not None
    assert row.state is State.DONE
    assert len(list(read_pages(settings.archive_folder))) == 2  # the cut page and the joined one
    again.close()


def test_join_keeps_what_stands_around_the_body() -> None:
    joined = join_pages([make_page(make_article(["Satu."], pager=2)), make_page(make_article(["Dua."]))])
    text = joined.decode()
    assert text.index("<h1>Warung</h1>") < text.index("<p>Satu.</p><p>Dua.</p></div>") < text.index("HALAMAN")


def test_a_listing_gives_each_post_once_and_no_other_items() -> None:
    body = make_listing(
        make_card(make_id(1)),
        make_card(make_id(1)),
        make_card(make_id(2), classes="timeline--item timeline--artikel timeline--trenpekanini__artikel"),
        f'<div class="timeline--item timeline--event"><a href="https://www.kompasiana.com/kompasiana/{ID}/acara">x</a></div>',
        '<a href="/indeks?page=2&category=&date=2025-11-03">2</a>',
    )
    listing = read_listing(make_page(body, "https://www.kompasiana.com/indeks?page=1&category=&date=2025-11-03"))
    assert [(card.post_id, card.is_listed, str(card.day)) for card in listing.cards] == [
        (make_id(1), True, "2025-11-03"),
        (make_id(2), False, "2025-11-03"),
    ]
    assert listing.has_next


def test_the_tag_endpoint_answers_with_cards_in_json() -> None:
    import json

    body = json.dumps({"data_array": {"view": make_card(make_id(7))}}).encode()
    assert [card.post_id for card in read_listing(make_page(body)).cards] == [make_id(7)]
    assert read_listing(make_page(b'{"data_array": {"view": ""}}')).cards == ()
    assert read_listing(make_page(b'{"data_array": []}')).cards == ()


@pytest.mark.parametrize(
    "link",
    [
        URL,
        f"{URL}?page=2&page_images=3#section1",
        f"http://kompasiana.com/amp/sarwono/{ID}/warung-kopi",
        f"https://www.kompasiana.com/komentar/sarwono/{ID}/warung-kopi?a=1",
        f"http://127.0.0.1:8000/sarwono/{ID}/warung-kopi",
    ],
)
def test_a_post_is_the_same_however_it_is_linked(link: str) -> None:
    found = find_post(link, "http://127.0.0.1:8000")
    assert found is not None
    assert (found[0].id24, found[1]) == (ID, URL)


def test_old_links_keep_their_form_and_others_are_no_posts() -> None:
    found = find_post(f"http://www.kompasiana.com/sarwono/warung-kopi_{ID}?page=all")
    assert found is not None
    assert found[1] == f"https://www.kompasiana.com/sarwono/warung-kopi_{ID}"
    assert find_post("https://www.kompasiana.com/sarwono") is None
    assert find_post(f"https://kompasiana.com.contoh.net/sarwono/{ID}/x") is None
    assert map_to_site("https://sso.kompas.com/login", "https://www.kompasiana.com") == "https://sso.kompas.com/login"


@needs_shared_data
def test_real_listing_markup() -> None:
    body = (SHARED_DATA / "kompasiana" / "home_2018-03-19_excerpt.html").read_bytes()
    cards = read_listing(make_page(body, "https://www.kompasiana.com/")).cards
    assert [card.post_id[:8] for card in cards] == ["5aafc4b5", "5aafac2d", "5aabe973", "5aae8da5"]
    assert [card.is_listed for card in cards] == [True, True, False, True]
    assert str(cards[2].day) == "2018-03-16"


def test_a_page_that_breaks_the_rules_is_a_failure(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(page: Page) -> None:
        raise RecursionError("terlalu dalam")

    intake.frontier.add_post(ID, URL, day=None, chain_id=None)
    monkeypatch.setattr("nlp_study.crawl.intake.check_whole", break_down)
    assert receive(intake, Task(TaskKind.POST, ID), make_article(make_texts(3))) == "failed"
    assert "RecursionError: terlalu dalam" in intake.frontier.read_failures()[0].reason
    assert intake.frontier.count_posts()[State.PENDING] == 0


def test_who_was_forgotten_is_not_fetched_and_not_kept(tmp_path: Path) -> None:
    from nlp_study.privacy.forgotten import remember

    remember(tmp_path / "study", [("account", "sarwono"), ("post", make_id(1))])
    opened = open_intake(
        CrawlSettings(folder=tmp_path, contact="peneliti@kampus.ac.id", forgotten_folder=tmp_path / "study")
    )
    opened.catch_up()
    body = make_listing(make_card(make_id(1)), make_card(make_id(2)).replace("sarwono", "lestari"))
    task = Task(TaskKind.INDEX, "", 1, "2025-11-03")
    assert opened.is_withheld(task, make_page(body, INDEX))
    assert not opened.is_withheld(task, make_page(make_listing(), INDEX))
    assert receive(opened, task, body, url=INDEX) == "listing"
    assert opened.frontier.read_post(make_id(1)) is None
    assert opened.frontier.read_post(make_id(2)) is not None
    assert opened.is_forgotten(ID, URL)
    opened.close()


def test_keys_order_records_by_age() -> None:
    assert ArchiveKey("crawl-000001.warc.gz", 9) < ArchiveKey("crawl-000002.warc.gz", 1)
