"use strict";
(() => {
  const tip = document.getElementById("tip");
  const show = (mark, x, y) => {
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(6, Math.min(x + 14, innerWidth - box.width - 6)) + "px";
    tip.style.top = Math.max(6, y + 14 + box.height > innerHeight ? y - box.height - 10 : y + 14) + "px";
  };
  const hide = () => { tip.hidden = true; };
  const marked = (event) => event.target.closest && event.target.closest(".mark");
  document.addEventListener("pointermove", (event) => {
    const mark = marked(event);
    if (mark) show(mark, event.clientX, event.clientY);
    else if (!document.activeElement.matches(".mark:focus-visible")) hide();
  });
  document.addEventListener("pointerdown", (event) => { const mark = marked(event); if (mark) show(mark, event.clientX, event.clientY); else hide(); });
  document.addEventListener("focusin", (event) => {
    const mark = marked(event);
    if (!mark) return hide();
    const box = mark.getBoundingClientRect();
    show(mark, box.x + box.width / 2, box.y + Math.min(box.height / 2, 60));
  });
  // one tab stop per figure; arrows, Home and End move inside it
  for (const figure of document.querySelectorAll("svg[data-figure]")) {
    const marks = [...figure.querySelectorAll(".mark.best"), ...figure.querySelectorAll(".mark:not(.best)")];
    marks.forEach((mark, at) => mark.setAttribute("tabindex", at ? "-1" : "0"));
    figure.addEventListener("keydown", (event) => {
      const at = marks.indexOf(event.target), row = Number(figure.dataset.row || 1);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row, Home: 0, End: marks.length - 1 }[event.key];
      if (event.key === "Escape") hide();
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      if (!marks[to]) return;
      marks[at].setAttribute("tabindex", "-1");
      marks[to].setAttribute("tabindex", "0");
      marks[to].focus();
      marks[to].scrollIntoView({ block: "nearest", inline: "nearest" });
    });
  }
  for (const table of document.querySelectorAll("table.sorts")) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], said = document.getElementById("said");
    const value = (row, at) => row.cells[at].dataset.v ?? row.cells[at].textContent;
    heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () => {
      const numeric = head.classList.contains("n");
      const now = head.getAttribute("aria-sort");
      const down = now ? now === "ascending" : numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const rows = [...body.rows].sort((a, b) => {
        const x = value(a, at), y = value(b, at);
        if (!numeric) return sign * x.localeCompare(y, "en", { numeric: true });
        return (x === "") - (y === "") || sign * (Number(x) - Number(y));
      });
      body.append(...rows);
      said.textContent = "sorted by " + head.textContent + (down ? ", descending" : ", ascending");
    }));
  }
  const word = document.getElementById("filter"), kind = document.getElementById("kind"), count = document.getElementById("count");
  const filter = () => {
    let shown = 0;
    const rows = [...document.querySelectorAll("#table tbody tr")];
    for (const row of rows) {
      const text = word.dataset.of === "" ? row.textContent : row.cells[word.dataset.of].textContent;
      const fits = text.toLowerCase().includes(word.value.trim().toLowerCase()) && (!kind.value || row.cells[kind.dataset.of].textContent === kind.value);
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown + " of " + rows.length + " " + count.dataset.noun;
  };
  word.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  filter();
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
})();
