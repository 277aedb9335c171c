"use strict";
// Without this script the page is whole: slices stand side by side and tables are in their order.

function setUpComparison(figure) {
  const input = figure.querySelector("input[type=range]");
  const stage = figure.querySelector(".stage");
  const buttons = [...figure.querySelectorAll("[data-view]")];
  const panels = [...figure.querySelectorAll("[data-panel]")];
  const place = (percent) => {
    const value = Math.min(100, Math.max(0, Math.round(percent)));
    input.value = value;
    input.setAttribute("aria-valuetext", `${value}% as scanned`);
    stage.style.setProperty("--divider", `${value}%`);
  };
  const show = (name) => {
    buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.view === name)));
    panels.forEach((p) => p.classList.toggle("shown", p.dataset.panel === name));
    input.disabled = name === "change";
  };
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    place((100 * (event.clientX - box.left)) / box.width);
  };
  stage.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  input.addEventListener("input", () => place(Number(input.value)));
  buttons.forEach((b) => b.addEventListener("click", () => show(b.dataset.view)));
  figure.classList.add("interactive");
  figure.querySelectorAll("[hidden]").forEach((part) => part.removeAttribute("hidden"));
  place(50);
}

function sortKey(cell) {
  const key = cell.dataset.sort ?? "";
  return key === "" ? cell.textContent.trim().toLowerCase() : Number(key);
}

function compareKeys(first, second) {
  if (typeof first === "number" && typeof second === "number") return first - second;
  if (typeof first !== typeof second) return typeof first === "number" ? -1 : 1;
  return first.localeCompare(second, undefined, { numeric: true });
}

function setUpSorting(table) {
  const headings = [...table.querySelectorAll("thead th")];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.setAttribute("aria-label", `Sort by ${heading.textContent}`);
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => [sortKey(row.cells[column]), row]);
      rows.sort((a, b) => sign * compareKeys(a[0], b[0]));
      table.tBodies[0].append(...rows.map((pair) => pair[1]));
    });
  });
}

function setUpSearch(input) {
  const rows = [...document.querySelectorAll(`#${input.dataset.search} tbody tr`)];
  const words = rows.map((row) => row.textContent.toLowerCase());
  input.addEventListener("input", () => {
    const sought = input.value.trim().toLowerCase();
    input.closest(".table").querySelector("details").open = true;
    rows.forEach((row, index) => (row.hidden = !words[index].includes(sought)));
  });
}

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

function buildPage(details, page) {
  const figures = element("div", "", details);
  figures.className = "page-pictures";
  page.pictures.forEach(([name, source]) => {
    const figure = element("figure", "", figures);
    const image = element("img", "", figure);
    image.src = source;
    image.alt = `${page.name}, ${name}`;
    element("figcaption", name, figure);
  });
  page.parts.forEach((part) => {
    element("h4", part.title, details);
    const list = element("dl", "", details);
    part.rows.forEach(([name, value]) => {
      const pair = element("div", "", list);
      element("dt", name, pair);
      element("dd", value, pair);
    });
  });
}

function setUpPages(holder) {
  const pages = JSON.parse(holder.querySelector("script").textContent);
  const all = [...holder.querySelectorAll("[data-page]")];
  all.forEach((details) => {
    details.addEventListener("toggle", () => {
      const empty = details.childElementCount === 1;
      if (details.open && empty) buildPage(details, pages[Number(details.dataset.page)]);
    });
  });
  holder.querySelector("[data-find-page]").addEventListener("input", (event) => {
    const sought = event.target.value.trim().toLowerCase();
    all.forEach((details, index) => {
      details.parentElement.hidden = !pages[index].name.toLowerCase().includes(sought);
    });
  });
}

window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details:not([data-page])").forEach((part) => (part.open = true));
});
document.querySelectorAll("[data-comparison]").forEach(setUpComparison);
document.querySelectorAll("tbody").forEach((body) => {
  if (body.rows.length > 1) setUpSorting(body.parentElement);
});
document.querySelectorAll("[data-search]").forEach(setUpSearch);
document.querySelectorAll(".pages").forEach(setUpPages);
