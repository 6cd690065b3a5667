(() => {
  "use strict";
  const root = document.documentElement;
  const payload = JSON.parse(document.getElementById("charts").textContent);
  const editions = [...document.querySelectorAll(".edition")];
  const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");
  const WIDE = 600;
  const FONT = getComputedStyle(root).getPropertyValue("--sans").trim() || "sans-serif";
  const drawn = new Map();

  const palette = () => payload.palettes[darkScheme.matches ? "dark" : "light"];
  const current = () => editions.find((edition) => !edition.hidden);

  // ---- specifications -------------------------------------------------------------------------------------------

  function resolve(node, isWide, tokens) {
    if (typeof node === "string") {
      return node.startsWith("$") && node.slice(1) in tokens ? tokens[node.slice(1)] : node;
    }
    if (Array.isArray(node)) return node.map((item) => resolve(item, isWide, tokens));
    if (node === null || typeof node !== "object") return node;
    if ("$wide" in node) return resolve(isWide ? node.$wide : node.$narrow, isWide, tokens);
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolve(value, isWide, tokens)]));
  }

  function dataNames(node) {
    if (node === null || typeof node !== "object") return [];
    const own = node.data && typeof node.data.name === "string" ? [node.data.name] : [];
    return own.concat(...Object.values(node).map(dataNames));
  }

  function makeSpec(language, id, colours, available) {
    const source = payload.editions[language][id].spec;
    const isWide = available >= WIDE;
    const layout = resolve(source.usermeta || {}, isWide, {});
    const space = Math.min(available, layout.max_width || available);
    const [left, right] = layout.frame;
    const columns = layout.columns || 1;
    const gap = layout.gap || 0;
    const tokens = {
      ...colours,
      width: Math.max(120, Math.floor(space - left - right)),
      panel: Math.max(120, Math.floor((space - (columns - 1) * gap) / columns - left - right)),
    };
    const spec = resolve(source, isWide, tokens);
    spec.datasets = Object.fromEntries(dataNames(spec).map((name) => [name, payload.rows[name]]));
    spec.config = makeConfig(language, colours);
    spec.autosize = { type: "pad", contains: "padding" };
    spec.padding = { left: 0, right: 0, top: 2, bottom: 4 };
    return spec;
  }

  function makeConfig(language, colours) {
    return {
      aria: false,
      background: "transparent",
      font: FONT,
      locale: payload.locales[language],
      view: { stroke: null },
      bar: { discreteBandSize: { band: 1 } },
      axis: {
        labelColor: colours.muted,
        titleColor: colours.muted,
        titleFontWeight: 400,
        labelFontSize: 12,
        titleFontSize: 12,
        gridColor: colours.rule,
        domainColor: colours["strong-rule"],
        tickColor: colours["strong-rule"],
        labelPadding: 5,
      },
      legend: { labelColor: colours.ink, labelFontSize: 12, symbolSize: 110, symbolStrokeWidth: 0, columnPadding: 16 },
      title: { color: colours.ink, fontSize: 13, fontWeight: 600, subtitleColor: colours.muted, subtitleFontSize: 12 },
    };
  }

  // ---- drawing --------------------------------------------------------------------------------------------------

  async function embed(element, spec, renderer) {
    // expressions are interpreted, so the page needs no right to evaluate code
    return window.vegaEmbed(element, spec, { mode: "vega-lite", renderer, actions: false, ast: true, tooltip: true });
  }

  // the canvas has a description and a table; marks that announce themselves one by one would only repeat it without words
  function silence(canvas) {
    for (const node of canvas.querySelectorAll("svg, svg [role]")) {
      for (const name of ["role", "aria-roledescription", "aria-label"]) node.removeAttribute(name);
    }
    canvas.querySelector("svg").setAttribute("aria-hidden", "true");
  }

  async function draw(canvas, language) {
    const available = canvas.clientWidth;
    if (!available || !window.vegaEmbed) return;
    const key = `${available} ${darkScheme.matches}`;
    const before = drawn.get(canvas);
    if (before && before.key === key) return;
    const spec = makeSpec(language, canvas.dataset.chart, palette(), available);
    canvas.style.minHeight = `${canvas.offsetHeight}px`;
    if (before) before.view.finalize();
    drawn.set(canvas, { key, view: { finalize() {} } });
    const { view } = await embed(canvas, spec, "svg");
    drawn.set(canvas, { key, view });
    silence(canvas);
    canvas.style.minHeight = "";
    canvas.dataset.drawn = "true";
  }

  let waiting = Promise.resolve();
  function drawAll(scope = current()) {
    const language = scope.closest(".edition").dataset.edition;
    for (const canvas of scope.querySelectorAll("[data-chart]")) {
      waiting = waiting.then(() => draw(canvas, language));
    }
    return waiting;
  }

  // ---- downloads: always in light colours, with the title, as they will stand in another document ----------------

  async function save(button) {
    const figure = button.closest("figure");
    const id = figure.querySelector("[data-chart]").dataset.chart;
    const language = button.closest(".edition").dataset.edition;
    const { title } = payload.editions[language][id];
    const spec = makeSpec(language, id, payload.palettes.light, 860);
    spec.title = { text: title, subtitle: document.title, anchor: "start", frame: "bounds", fontSize: 16, offset: 18 };
    spec.padding = 20;
    spec.background = payload.palettes.light.paper;
    const { view } = await embed(document.createElement("div"), spec, "svg");
    const link = document.createElement("a");
    link.href = await view.toImageURL(button.dataset.save, 2);
    link.download = `${payload.study}-${id}-${language}.${button.dataset.save}`;
    link.click();
    view.finalize();
  }

  // ---- language -------------------------------------------------------------------------------------------------

  function show(language) {
    const before = current();
    const next = editions.find((edition) => edition.dataset.edition === language);
    if (before === next) return;
    // stay in the section that is being read
    const headings = [...before.querySelectorAll("[data-anchor]")];
    const read = headings.filter((heading) => heading.getBoundingClientRect().top < window.innerHeight / 2).pop();
    const offset = read ? read.getBoundingClientRect().top : 0;
    for (const part of document.querySelectorAll("[data-edition]")) part.hidden = part.dataset.edition !== language;
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    }
    root.lang = language;
    document.title = next.dataset.title;
    drawAll(next).then(() => {
      const counterpart = read && next.querySelector(`[data-anchor="${read.dataset.anchor}"]`);
      if (counterpart) window.scrollBy({ top: counterpart.getBoundingClientRect().top - offset, behavior: "instant" });
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.language) show(button.dataset.language);
    if (button.dataset.save) save(button);
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.matches("details.target")) drawAll(event.target);
  }, true);

  const [, linked] = window.location.hash.match(/^#(id|en)-/) || [];
  if (linked && linked !== current().dataset.edition) {
    show(linked);
    const anchor = document.getElementById(window.location.hash.slice(1));
    if (anchor) anchor.scrollIntoView();
  }

  // ---- what changes while the page is open ------------------------------------------------------------------------

  let timer = 0;
  window.addEventListener("resize", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => drawAll(), 150);
  });
  darkScheme.addEventListener("change", () => drawAll());

  const opened = [];
  window.addEventListener("beforeprint", () => {
    for (const details of current().querySelectorAll("details.quotations:not([open])")) {
      details.open = true;
      opened.push(details);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened.splice(0)) details.open = false;
  });

  drawAll().then(() => {
    root.dataset.ready = "true";
  });
})();
