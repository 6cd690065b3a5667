"""The pages of the replica against its own truth, with an independent reading of them."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from datetime import timedelta

import pytest

from nlp_study.extract.boilerplate import fold_space, strip_title_suffix
from nlp_study.extract.dates import parse_printed_date
from nlp_study.extract.urls import parse_article_url, read_object_id_time
from nlp_study.schema import TIMEZONE, ParagraphKind
from scripts.replica import Era, Response, Site, State, Truth, build_site

selectolax = pytest.importorskip("selectolax.lexbor")


INSERTED = ("Baca juga: ", "Baca konten-konten menarik Kompasiana", "Follow Instagram @kompasianacom")


LISTED = re.compile(r'<h2 class="title[^"]*"><a href="([^"]+)">')


def parse(html: bytes | str):  # type: ignore[no-untyped-def]
    return selectolax.LexborHTMLParser(html.decode() if isinstance(html, bytes) else html)


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", fold_space(text))


def read_body(html: bytes) -> tuple[str, int]:
    """Return the author's text without any white space, and how many paragraphs of the site were left out."""
    tree = parse(html)
    body = tree.css_first("[itemprop=articleBody]")
    for node in body.css("script, div[id^=div-gpt-ad], .ads-inf-box"):
        node.decompose()
    parts, n_inserted = [], 0
    for node in body.iter(include_text=False):
        text = fold_space(node.text(separator=""))
        has_link = (
            node.css_first("a[href*='kompasiana.com'], a[href*='127.0.0.1'], a[href*='whatsapp.com']") is not None
        )
        if text.startswith(INSERTED[1:]) or (re.match(r"Baca juga: ?", text) and has_link):
            n_inserted += 1
        else:
            parts.append(text)
    return squeeze("".join(parts)), n_inserted


def has_plain_body(truth: Truth) -> bool:
    """Whether the text stands on the page as it is in the truth: no damage, footer, shortcode or image name."""
    return truth.era is not Era.MIGRATED_2014 and truth.reposted_from is None


@pytest.fixture(scope="module")
def demo() -> Site:
    return build_site(400)


@pytest.fixture(scope="module")
def generated() -> Site:
    return build_site(700, source="generated", seed=3)


def get(site: Site, path: str) -> Response:
    response = site.respond(path)
    assert response.status == 200, path
    return response


def readable(site: Site) -> list[Truth]:
    return [post for post in site.posts if post.state is not State.DELETED]


@pytest.mark.parametrize("name", ["demo", "generated"])
def test_every_era_layout_state_and_kind_occurs(name: str, request: pytest.FixtureRequest) -> None:
    posts = list(request.getfixturevalue(name).posts)
    assert {post.era for post in posts} == set(Era)
    assert {post.layout for post in posts} == set(Era)
    assert {post.state for post in posts} == set(State)
    assert {paragraph.kind for post in posts for paragraph in post.body} == set(ParagraphKind)
    assert any("." in post.author_id for post in posts)
    assert any('"' in post.title for post in posts)
    assert any(post.n_pages > 2 for post in posts) and any(post.reposted_from for post in posts)
    assert any(post.n_removed > 1 for post in posts)
    assert len({post.post_id for post in posts}) == len(posts)


@pytest.mark.parametrize("name", ["demo", "generated"])
def test_page_all_holds_the_author_text_and_the_promised_insertions(name: str, request: pytest.FixtureRequest) -> None:
    site = request.getfixturevalue(name)
    n_checked = 0
    for post in filter(has_plain_body, readable(site)):
        html = get(site, f"{post.page_path}?page=all").body
        text, n_inserted = read_body(html)
        assert n_inserted == post.n_removed, post.page_path
        if "â€" not in text and "Â" not in text and "Ã" not in text:
            assert text == squeeze(post.text), post.page_path
            n_checked += 1
    assert n_checked > 200


@pytest.mark.parametrize("name", ["demo", "generated"])
def test_fields_on_the_page_are_those_of_the_truth(name: str, request: pytest.FixtureRequest) -> None:
    site = request.getfixturevalue(name)
    for post in readable(site)[:150]:
        tree = parse(get(site, f"{post.page_path}?page=all").body)

        def text(selector: str, tree=tree) -> str | None:  # type: ignore[no-untyped-def]
            node = tree.css_first(selector)
            return None if node is None else fold_space(node.text())

        assert text("h1.title") == fold_space(post.title)
        assert text(".thumb-user .user-box > a") == post.author
        assert text(".user-bio") == (fold_space(post.author_bio) if post.author_bio else None)
        assert text(".profile-job") == (post.author_job or "")
        assert [fold_space(node.text()) for node in tree.css(".artikel--tag > span")] == [
            part for part in (post.category, post.badge) if part
        ]
        counts = [fold_space(node.text()) for node in tree.css(".read-count .count-item")]
        assert parse_printed_date(counts[0]) == post.published_at
        assert parse_printed_date(counts[1].removeprefix("Diperbarui:")) == post.updated_at
        expected = [n for n in (post.n_views, post.n_ratings, post.n_comments) if n is not None]
        assert [int(count) for count in counts[2:]] == expected
        assert text(".photo-caption") == (fold_space(post.caption) if post.caption else None)
        assert [fold_space(node.text()) for node in tree.css(".tag-list a")] == list(post.tags)
        assert (tree.css_first(".user-blocked") is not None) == (post.state is State.BLOCKED)
        assert strip_title_suffix(tree.css_first("title").text()) == fold_space(post.title)


@pytest.mark.parametrize("name", ["demo", "generated"])
def test_damaged_reposted_and_migrated_bodies_hold_their_paragraphs_in_order(
    name: str, request: pytest.FixtureRequest
) -> None:
    ftfy = pytest.importorskip("ftfy")
    site = request.getfixturevalue(name)
    n_damaged = 0
    for post in readable(site):
        text, _ = read_body(get(site, f"{post.page_path}?page=all").body)
        if is_damaged := "â€" in text or "Â" in text:
            raw = parse(get(site, f"{post.page_path}?page=all").body).css_first("[itemprop=articleBody]").text()
            text = squeeze(ftfy.fix_text(raw, uncurl_quotes=False).replace("â€", "”"))
        at = 0
        for paragraph in post.body:
            found = text.find(squeeze(paragraph.text), at)
            assert found >= 0, (post.page_path, paragraph.text)
            at = found + len(squeeze(paragraph.text))
        n_damaged += is_damaged
    assert n_damaged > 2


def test_footers_of_reposts_name_their_source(generated: Site, demo: Site) -> None:
    n_middle = 0
    for site in (generated, demo):
        for post in filter(lambda post: post.reposted_from is not None, readable(site)):
            text = read_body(get(site, f"{post.page_path}?page=all").body)[0]
            source = post.reposted_from
            assert source is not None
            for part in (source.title, source.url, f"Kreator: {source.author}"):
                assert squeeze(part or "") in text.replace("Â", "")
            assert post.n_footer > 0 and not any("telah tayang" in paragraph.text for paragraph in post.body)
            n_middle += not text.endswith(squeeze("isu terkini di Kompasiana.com"))
    assert n_middle > 10


def test_kinds_of_paragraphs_match_the_elements(generated: Site) -> None:
    kinds = {"li": ParagraphKind.LIST, "h2, h3, h4": ParagraphKind.HEADING, "blockquote": ParagraphKind.QUOTE}
    for post in filter(has_plain_body, readable(generated)):
        body = parse(get(generated, f"{post.page_path}?page=all").body).css_first("[itemprop=articleBody]")
        counted = Counter(paragraph.kind for paragraph in post.body)
        assert {kind: len(body.css(selector)) for selector, kind in kinds.items()} == {
            kind: counted[kind] for kind in kinds.values()
        }
        assert len(body.css(".img-caption, .fr-inner")) == counted[ParagraphKind.CAPTION]


def test_pages_of_eleven_paragraphs_add_up_to_the_article(generated: Site) -> None:
    long = [post for post in readable(generated) if post.n_pages > 1 and has_plain_body(post)]
    assert len(long) > 50
    for post in long[:80]:
        pages = [get(generated, f"{post.page_path}?page={n}").body for n in range(1, post.n_pages + 1)]
        assert (
            b"".join(read_body(page)[0].encode() for page in pages)
            == read_body(get(generated, f"{post.page_path}?page=all").body)[0].encode()
        )
        assert get(generated, post.page_path).body == pages[0]
        pager = parse(pages[0]).css(".read-paging a")
        assert [fold_space(node.text()) for node in pager] == [str(n) for n in range(1, post.n_pages + 1)]
        promo = [b"Follow Instagram" in page or b"Follow channel WhatsApp" in page for page in pages]
        expected = post.layout in (Era.WHATSAPP_2024, Era.INSTAGRAM_2025)
        assert promo == [False] * (post.n_pages - 1) + [expected]


def test_a_first_page_of_2025_holds_eleven_p_and_four_empty_ones(generated: Site) -> None:
    post = next(
        post
        for post in readable(generated)
        if post.n_pages > 1 and post.layout is Era.INSTAGRAM_2025 and post.n_removed == 1 and post.era is post.layout
        and {paragraph.kind for paragraph in post.body} == {ParagraphKind.TEXT}
    )  # fmt: skip
    body = parse(get(generated, post.page_path).body).css_first("[itemprop=articleBody]")
    filled = [fold_space(node.text()) != "" for node in body.iter() if node.tag == "p"]
    slots = [True] * 3 + [False] + [True] + [False] + [True] * 4 + [False] + [True] + [False] + [True] * 2
    assert filled == slots


def test_migrated_bodies_are_one_p(demo: Site) -> None:
    migrated = [post for post in readable(demo) if post.era is Era.MIGRATED_2014]
    shortcodes = image_names = 0
    for post in migrated:
        html = get(demo, f"{post.page_path}?page=all").body.decode()
        body = html.partition('itemprop="articleBody">')[2]
        first = body[: body.index("</p>")]
        assert len(re.findall(r"<br ?/?>\s*(?:&nbsp;)?<br ?/?>", first)) >= len(post.body) - 1
        shortcodes += "[caption id=" in first
        image_names += bool(re.match(r"\s*<p>(\S+)<br[^>]*>\s*(&nbsp;)?<br[^>]*>\1<br", first))
        assert post.published_at.year < 2015
        assert read_object_id_time(post.post_id) is None
    assert shortcodes > 20 and image_names > 10


def test_ids_tell_the_time_except_for_migrated_and_scheduled(demo: Site, generated: Site) -> None:
    for post in [*demo.posts, *generated.posts]:
        made_at = read_object_id_time(post.post_id)
        if post.state is State.SCHEDULED:
            assert post.updated_at < post.published_at
        elif post.era is not Era.MIGRATED_2014 and post.index >= 0 and made_at and post.era.value < "2024":
            assert abs(made_at - post.published_at) < timedelta(minutes=1)
        assert post.captured_at > max(post.published_at, post.updated_at)
        assert post.published_at.tzinfo is TIMEZONE or post.published_at.utcoffset() == timedelta(hours=7)


def test_every_address_leads_to_the_post(demo: Site) -> None:
    for post in readable(demo)[:40]:
        for address in post.addresses:
            found = parse_article_url(f"https://www.kompasiana.com{address}")
            assert found is not None and found.id24 == post.post_id, address
            assert fold_space(post.title) in fold_space(parse(get(demo, address.partition("#")[0]).body).text())
    amp = get(demo, f"/amp{readable(demo)[1].page_path}").body.decode()
    assert "Lihat ke Halaman Asli" in amp
    assert "KEMBALI KE ARTIKEL" in get(demo, f"/komentar{readable(demo)[1].page_path}").body.decode()


def test_deleted_posts_show_one_of_three_pages(demo: Site) -> None:
    deleted = [post for post in demo.posts if post.state is State.DELETED]
    pages = [demo.respond(f"{post.page_path}?page=all") for post in deleted]
    assert all(b"articleBody" not in page.body for page in pages)
    assert Counter(page.status for page in pages).keys() == {200, 410}
    assert any(b"This Article has been deleted." in page.body for page in pages)
    assert any(b"removed for violating Kompasiana Terms" in page.body for page in pages)
    assert any(b"has been" not in page.body for page in pages)


def test_the_daily_index_lists_every_post_once(generated: Site) -> None:
    listed: list[str] = []
    for day in generated.days:
        for page in range(1, 30):
            html = get(generated, f"/indeks?page={page}&category=&date={day}").body.decode()
            links = LISTED.findall(html)
            assert len(links) <= 14
            if not links:
                break
            listed += [parse_article_url(link).id24 for link in links]  # type: ignore[union-attr]
    assert Counter(listed) == Counter(post.post_id for post in generated.posts)
    day = generated.days[0]
    assert len(LISTED.findall(get(generated, f"/indeks?page=1&category=&date={day}").body.decode())) == 14


def test_the_index_of_a_category_lists_only_its_posts(demo: Site) -> None:
    post = next(post for post in demo.posts if post.category == "Travel Story")
    html = get(demo, f"/indeks?page=1&category=travel-story&date={post.published_at:%Y-%m-%d}").body.decode()
    ids = [parse_article_url(link).id24 for link in LISTED.findall(html)]  # type: ignore[union-attr]
    assert post.post_id in ids
    assert {demo.truth(id24).category for id24 in ids} == {"Travel Story"}


def test_tag_pages_ignore_their_page_and_the_rest_comes_by_ajax(demo: Site) -> None:
    first = get(demo, "/tag/umkm").body
    assert get(demo, "/tag/umkm?page=2").body == first
    tree = parse(first)
    assert len(tree.css("#index_tag .timeline--artikel")) == 20
    assert tree.css_first("#load-more-index-tag") is not None
    address = "/ajax/tag/posts?per_page=20&tags=umkm&page="
    assert demo.respond(address + "1").status == 403
    headers = {"x-requested-with": "XMLHttpRequest"}
    views = [json.loads(demo.respond(address + str(n), headers).body)["data_array"]["view"] for n in (1, 2, 3, 4)]
    ids = [parse_article_url(link).id24 for view in views for link in LISTED.findall(view)]  # type: ignore[union-attr]
    assert Counter(ids) == Counter(post.post_id for post in demo.posts if "umkm" in {tag.lower() for tag in post.tags})
    assert views[3] == ""


def test_category_search_and_profile_list_cards(demo: Site) -> None:
    post = next(post for post in demo.posts if "." in post.author_id)
    for path in ("/ekonomi", "/search_artikel?q=pasar", f"/{post.author_id}", "/latest"):
        assert LISTED.search(get(demo, path).body.decode()), path
    assert "Halaman Artikel Profil" in get(demo, f"/{post.author_id}").body.decode()
    assert demo.respond("/tidak-ada-orangnya").status == 404
    assert demo.respond("/orang/5aafc4b5dd0fa87b5f4d5e13/tidak-ada").status == 404
    assert demo.respond("/ajax/follow", method="POST").status == 405


def test_home_has_duplicates_hidden_cards_and_other_items(demo: Site) -> None:
    html = get(demo, "/").body.decode()
    tree = parse(html)
    links = [parse_article_url(link).id24 for link in LISTED.findall(html)]  # type: ignore[union-attr]
    assert len(links) > len(set(links))
    for kind in ("trenpekanini", "inform", "event", "write"):
        assert tree.css_first(f".timeline--item.timeline--{kind}") is not None
    assert tree.css_first("[style*='display: none'] .artikel--content h2 a") is not None
    assert tree.css_first("abbr.timeago[title]") is not None and tree.css_first(".load-more") is not None


def test_attributes_are_not_escaped(demo: Site) -> None:
    post = next(post for post in readable(demo) if '"' in post.title)
    assert f'og:title" content="{post.title}' in get(demo, post.page_path).body.decode()


def test_links_of_2016_have_the_id_at_their_end(demo: Site) -> None:
    post = next(post for post in demo.posts if post.layout is Era.UNDERSCORE_2016)
    html = get(demo, f"/indeks?page=1&category=&date={post.published_at:%Y-%m-%d}").body.decode()
    assert f"/{post.author_id}/{post.slug}_{post.post_id}" in html


def test_json_ld_agrees_except_for_its_suffix(demo: Site) -> None:
    n_suffixes = n_broken = 0
    for post in readable(demo):
        html = get(demo, f"{post.page_path}?page=all").body.decode()
        for script in re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)[1:]:
            try:
                found = json.loads(script)
            except json.JSONDecodeError:
                n_broken += 1
                continue
            headline = re.sub(r" Halaman 1( - Kompasiana\.com)?$", "", found["headline"])
            n_suffixes += headline != found["headline"]
            assert headline == post.title
            assert found["datePublished"] == post.published_at.isoformat()
            assert found["author"]["name"] == post.author
    assert n_suffixes > 5 and n_broken > 2


def test_posts_are_the_same_for_the_same_seed() -> None:
    first, again, other = (build_site(30, source="generated", seed=seed) for seed in (1, 1, 2))
    assert list(first.posts) == list(again.posts)
    assert first.posts[3].text != other.posts[3].text
    path = first.posts[4].page_path
    assert first.respond(path).body == again.respond(path).body


def test_as_post_carries_every_field(demo: Site) -> None:
    truth = demo.posts[1]
    post = truth.as_post()
    assert (post.post_id, post.url, post.paragraphs) == (truth.post_id, truth.url, truth.body)
    assert demo.posts[-1] == demo.posts[399] and len(demo.posts[:3]) == 3
    with pytest.raises(IndexError):
        demo.posts[400]


def test_a_hundred_thousand_posts_are_there_at_once() -> None:
    start = time.perf_counter()
    site = build_site(100_000, source="generated")
    assert len(site.posts) == 100_000
    assert get(site, f"{site.posts[98_765].page_path}?page=all").body
    assert time.perf_counter() - start < 60
