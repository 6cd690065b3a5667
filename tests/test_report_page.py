"""The report in a real browser, at two widths and in both languages."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from nlp_study.schema import TableName
from nlp_study.store import Corpus

from .report_tables import (
    ALL,
    HOSTILE,
    POSTS,
    Page,
    evaluation_rows,
    make_study,
    report,
    write_everything,
    write_table,
    write_topics,
)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

HARNESS = """<!DOCTYPE html><meta charset="utf-8"><body><script>
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
async function look(width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  frame.src = "report.html";
  document.body.append(frame);
  const found = {};
  for (let i = 0; i < 200; i += 1) {
    await wait(50);
    const { ready, errors } = frame.contentDocument.documentElement.dataset;
    if (ready || errors) break;
  }
  const page = frame.contentDocument;
  for (const language of ["id", "en"]) {
    page.querySelector(`[data-language="${language}"]`).click();
    const edition = page.querySelector(`.edition[data-edition="${language}"]`);
    for (let i = 0; i < 200; i += 1) {
      await wait(50);
      const { errors } = page.documentElement.dataset;
      if (errors || !edition.querySelector("[data-chart]:not([data-drawn])")) break;
    }
    const charts = {};
    for (const canvas of edition.querySelectorAll("[data-chart]")) {
      const svg = canvas.querySelector("svg");
      charts[canvas.dataset.chart] = {
        marks: svg ? svg.querySelectorAll(".mark-rect path, .mark-symbol path, .mark-line path").length : 0,
        text: svg ? [...svg.querySelectorAll("text")].map((node) => node.textContent).join(" | ") : "",
        overflow: svg ? Number(svg.getAttribute("width")) - canvas.clientWidth : 0,
      };
    }
    found[language] = {
      charts,
      lang: page.documentElement.lang,
      title: page.title,
      hidden: page.querySelectorAll(".edition[hidden]").length,
      scroll: page.documentElement.scrollWidth - frame.contentWindow.innerWidth,
    };
  }
  found.errors = page.documentElement.dataset.errors || "";
  frame.remove();
  return found;
}
(async () => {
  const found = { wide: await look(1440), narrow: await look(390) };
  document.body.dataset.found = JSON.stringify(found);
})();
</script></body>"""


def probabilities(stance: str) -> dict[str, float]:
    return {f"proba_{name}": 0.7 if name == stance else 0.1 for name in ALL}


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH; the page itself is tested without it")
def test_charts_are_drawn_in_a_browser(corpus: Corpus) -> None:
    write_everything(corpus, title=HOSTILE)
    write_topics(corpus, label=HOSTILE)
    probas = [{**row, **probabilities(row["predicted"])} for row in evaluation_rows()]
    write_table(corpus, TableName.EVALUATIONS, probas, stage="evaluate")
    sentences = [{"post_id": p, "target": "pasar", "rank": 0, "sentence": HOSTILE, "weight": 1.0} for p in POSTS]
    write_table(corpus, TableName.EVIDENCE, sentences, stage="classify")
    page = report(make_study(), corpus)
    folder = corpus.folder.parent
    (folder / "harness.html").write_text(HARNESS, encoding="utf-8")
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'browser'}",
        "--virtual-time-budget=30000",
        "--dump-dom",
        (folder / "harness.html").as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=90, check=True).stdout
    body = next(attrs for tag, attrs in Page(dom).tags if tag == "body")
    assert "data-found" in body, "the page never became ready"
    found = json.loads(str(body["data-found"]))
    for width in ("wide", "narrow"):
        assert found[width]["errors"] == ""
        for language in ("id", "en"):
            seen = found[width][language]
            assert (seen["lang"], seen["hidden"]) == (language, 1)
            assert seen["scroll"] <= 0, f"{width}: the page scrolls sideways"
            assert list(seen["charts"]) == list(page.charts["editions"][language])
            for name, chart in seen["charts"].items():
                assert chart["marks"] > 0, f"{width} {language} {name} is empty"
                assert chart["overflow"] <= 0, f"{width} {language} {name} is clipped"
    assert found["wide"]["en"]["title"] == "Who supports digital markets?"
    assert "0,78 ± 0,22" in found["wide"]["id"]["charts"]["scores"]["text"]
    assert "0.78 ± 0.22" in found["wide"]["en"]["charts"]["scores"]["text"]
    assert "Prediksi" in found["narrow"]["id"]["charts"]["reliability"]["text"]
    assert "Irrelevant" in found["wide"]["en"]["charts"]["reliability-classes"]["text"]
    assert "Mendukung | " in found["narrow"]["id"]["charts"]["trend-0"]["text"]
