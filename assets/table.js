// Tables: cells are text, a click on a head sorts, long tables come in pages.
"use strict";

(() => {
  const { node } = nudge;

  const number = (cell) => typeof cell === "number";
  nudge.compareCells = (one, other) => {
    if (one === null || other === null) return (one === null) - (other === null); // what is missing comes last
    if (number(one) && number(other)) return one - other;
    return String(one).localeCompare(String(other), "en", { numeric: true });
  };

  const cellText = (cell) => (cell === null ? "" : number(cell) ? (Number.isInteger(cell) ? cell.toLocaleString("en") : nudge.figure(cell)) : cell);

  nudge.draw.table = (root, value, call) => {
    let order = null; // {column, up}
    let page = 0;

    const rows = () => {
      if (!order) return value.rows;
      const sorted = [...value.rows].sort((one, other) => nudge.compareCells(one[order.column], other[order.column]));
      return order.up ? sorted : sorted.reverse();
    };

    const head = (name, column) => {
      const here = order?.column === column;
      return node("th", { scope: "col", "aria-sort": here ? (order.up ? "ascending" : "descending") : "none", class: value.rows.some((row) => number(row[column])) ? "number" : "" },
        node("button", { class: "plain", onclick: () => { order = here && !order.up ? null : { column, up: !here }; page = 0; draw(); } }, name, here ? (order.up ? " ↑" : " ↓") : ""));
    };

    const turn = (by, name, off) => node("button", { class: "plain", disabled: off, onclick: () => { page += by; draw(); } }, name);

    const draw = () => {
      if (!value || !value.rows.length) return root.replaceChildren(value?.note ? node("p", { class: "empty" }, value.note) : "");
      const size = call.options.page_size || 10;
      const pages = Math.ceil(value.rows.length / size);
      page = Math.min(Math.max(0, page), pages - 1);
      const body = rows().slice(page * size, (page + 1) * size).map((row) => node("tr", {}, row.map((cell) => node("td", { class: number(cell) ? "number" : "" }, cellText(cell)))));
      root.replaceChildren(
        node("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": call.label },
          node("table", { class: "table" }, node("thead", {}, node("tr", {}, value.columns.map(head))), node("tbody", {}, body))),
        node("p", { class: "table-foot soft small" }, value.note || "", pages > 1 ? node("span", {}, turn(-1, "Back", page === 0), ` ${page + 1} of ${pages} `, turn(1, "Next", page === pages - 1)) : ""));
    };
    draw();
  };
})();
