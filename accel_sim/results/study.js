"use strict";
// the points of a study: fills the table, says the dots' values, opens one point's details; runs before page.js
(() => {
  const data = JSON.parse(document.getElementById("data").textContent), columns = data.columns, at = {};
  columns.forEach((column, i) => { at[column.name] = i; });
  const get = (name, row) => { const c = columns[at[name]]; return c === undefined ? null : c.values ? c.values[row] : c.all; };
  const number = (value) => Number.isInteger(value) ? value.toLocaleString("en") : Number(value.toPrecision(5)).toLocaleString("en", { maximumSignificantDigits: 5 });
  const make = (tag, text, parent, name) => {
    const made = document.createElement(tag);
    if (text !== null) made.textContent = text;
    if (name) made.className = name;
    if (parent) parent.append(made);
    return made;
  };
  const fixed = (value, column) => (value / column.size).toLocaleString("en", { minimumFractionDigits: column.digits, maximumFractionDigits: column.digits });
  const plain = (value) => value === null ? "none" : String(value);
  const best = new Set(data.front), knee = new Set(data.knee), barred = new Set(data.barred);
  const state = (row) => best.has(row) ? "front" : barred.has(row) ? "not allowed" : "dominated";
  const rank = (row) => knee.has(row) ? "knee" : state(row);
  const scaled = (column, row) => { const v = get(column.name, row); return v === null ? "none" : fixed(v, column) + (column.unit ? " " + column.unit : ""); };
  const lines = (row) => [
    get("network", row) + " on " + get("hardware", row) + ", " + rank(row),
    ...data.settings.filter((name) => name !== "network" && name !== "hardware").map((name) => name + " = " + plain(get(name, row))),
    ...data.figures.map((column) => column.heading + ": " + scaled(column, row)), "Enter or click: its details"];
  for (const dot of document.querySelectorAll("svg .pt")) {
    const text = lines(Number(dot.dataset.p));
    dot.dataset.tip = text.join("\n");
    dot.setAttribute("role", "button");
    dot.setAttribute("aria-label", text.slice(0, -1).join("; "));
  }
  const body = document.querySelector("#table tbody");
  const rows = document.createDocumentFragment();
  for (let row = 0; row < data.count; row++) {
    const line = make("tr", null, rows), first = make("td", null, line);
    const button = make("button", get("point", row).slice(0, 8), first, "open");
    button.type = "button";
    button.dataset.p = row;
    make("td", state(row), line);
    for (const name of data.settings) {
      const value = get(name, row), numeric = data.numeric.includes(name), cell = make("td", plain(value), line, numeric ? "n" : "");
      if (numeric) cell.dataset.v = value === null ? "" : value;
    }
    for (const column of data.figures) {
      const value = get(column.name, row), cell = make("td", value === null ? "" : fixed(value, column), line, "n");
      cell.dataset.v = value === null ? "" : value;
    }
  }
  body.append(rows);

  const quoted = (value) => { const text = String(value); return /^[\w.\/+:@%-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'"; };
  const command = (row) => {
    const network = data.rerun.network[get("network", row)], machine = data.rerun.hardware[get("hardware", row)], left = [];
    if (!network || !machine) return "";
    const words = ["accel-sim run", network[0], machine[0], network[1], machine[1]];
    for (const [name, before] of Object.entries(data.rerun.set)) {
      const value = get(name, row);
      if (value === null) continue;
      if (before) words.push(before + quoted(value)); else left.push(name + "=" + value);
    }
    return words.filter(Boolean).join(" ") + (left.length ? "  # and, which has no option: " + left.join(", ") : "");
  };
  const dialog = document.getElementById("point");
  const bars = (heading, prefix, column, size, unit, row) => {
    const parts = columns.filter((c) => c.name.startsWith(prefix)).map((c) => [c.name.slice(prefix.length), get(c.name, row)]).filter((p) => p[1] > 0);
    const sum = parts.reduce((a, p) => a + p[1], 0);
    if (!parts.length) return;
    make("h3", heading + ": " + number(get(column, row) / size) + " " + unit, dialog);
    const list = make("ul", null, dialog, "bars");
    for (const [name, value] of parts.sort((a, b) => b[1] - a[1])) {
      const item = make("li", null, list), share = 100 * value / sum;
      make("span", name.replaceAll("_", " "), item);
      make("i", null, make("span", null, item, "bar")).style.width = share + "%";
      make("span", number(value / size) + " " + unit + " (" + share.toFixed(1) + " %)", item, "soft");
    }
  };
  const open = (row) => {
    dialog.replaceChildren();
    const head = make("div", null, dialog, "tools"), heading = make("h2", "Point " + get("point", row).slice(0, 8), head);
    heading.id = "h-point";
    const close = make("button", "Close", head);
    close.type = "button";
    close.autofocus = true;
    close.addEventListener("click", () => dialog.close());
    make("p", lines(row).slice(0, -1).join(", "), dialog);
    make("h3", "Again, alone", dialog);
    make("pre", command(row), dialog).tabIndex = 0;
    bars("Cycles by cause", "cycles.", "cycles", 1, "cycles", row);
    const energy = data.figures.find((column) => column.name === "energy_pj");
    bars("Energy by component", "energy_pj.", "energy_pj", energy.size, energy.unit, row);
    make("h3", "All columns", dialog);
    const table = make("tbody", null, make("table", null, make("div", null, dialog, "wide")));
    for (const column of columns) {
      const line = make("tr", null, table);
      make("th", column.name, line).scope = "row";
      make("td", plain(get(column.name, row)), line, "hash");
    }
    dialog.showModal();
    dialog.scrollTop = 0;
  };
  const asked = (event) => event.target.closest && event.target.closest("[data-p]");
  document.addEventListener("click", (event) => { const mark = asked(event); if (mark) open(Number(mark.dataset.p)); else if (event.target === dialog) dialog.close(); });
  document.addEventListener("keydown", (event) => {
    const mark = asked(event);
    if (mark && mark.matches(".mark") && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); open(Number(mark.dataset.p)); }
  });
})();
