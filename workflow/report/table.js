// A table that is sorted and searched in the page: the CSV inside its download link is all it needs.
"use strict";
const AT_ONCE = 500;  // rows shown before one asks for more: browsers are slow with tens of thousands
const LONG = 40;  // characters: a column with longer texts shows one line of them, unless they are asked for in full
const NARROW = 6;  // columns, up to which there is room for such texts
const NUMBER = /^([-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)?$/i;  // or nothing at all
const table = document.getElementById("table");
const link = document.getElementById("csv");
const filter = document.getElementById("filter");
const words = new Set(table.dataset.words.split(" "));  // columns that hold words, also where these look like numbers

function parsed(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\n") rows.push([]);
    if (end === "") break;
  }
  return text.endsWith("\n") ? rows.slice(0, -1) : rows;
}

function decimals(texts) {
  const values = texts.filter(Boolean);
  if (values.every((value) => /^[-+]?\d+$/.test(value))) return 0;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(Number(value))), 0);
  const written = values.reduce((most, value) => Math.max(most, /e/i.test(value) ? 4 : (value.split(".")[1] ?? "").replace(/0+$/, "").length), 0);
  return Math.min(written, largest < 10 ? 4 : largest < 100 ? 3 : largest < 1000 ? 2 : 1);
}

function shown(text, column) {
  if (!column.isNumber) return text;
  if (text === "") return "undefined";
  const value = Number(text);
  if (value !== 0 && Math.abs(value) < 0.5 * 10 ** -column.decimals) return value.toExponential(1).replace("-", "\u2212");
  return column.format.format(value).replace(/^-/, "\u2212");
}

function numberFormat(digits) {
  return new Intl.NumberFormat("en", {minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: "min2"});
}

const bytes = Uint8Array.from(atob(link.href.split(",")[1]), (character) => character.charCodeAt(0));
const [names, ...rows] = parsed(new TextDecoder().decode(bytes));
const columns = names.map((name, place) => {
  const texts = rows.map((row) => row[place]);
  const isNumber = !words.has(name) && texts.some(Boolean) && texts.every((text) => NUMBER.test(text));
  const isLong = !isNumber && texts.some((text) => text.length > LONG);
  const digits = isNumber ? decimals(texts) : 0;
  return {name, isNumber, isLong, varies: new Set(texts).size > 1, decimals: digits, format: numberFormat(digits)};
});
const pinned = columns.find((column) => column.varies && !column.isNumber && !column.isLong);
const full = document.getElementById("full");
full.checked = columns.length <= NARROW;
full.parentElement.hidden = !columns.some((column) => column.isLong);
let sorted = rows, limit = AT_ONCE;

// What is searched is what is shown: a definition names other metrics than its own.
const searched = new Map();

function wordsOf(row) {
  if (!searched.has(row)) {
    const isShown = (column) => full.checked || !column.isLong;
    const texts = row.map((text, place) => isShown(columns[place]) ? `${text} ${shown(text, columns[place])}` : "");
    searched.set(row, texts.join(" ").toLowerCase());
  }
  return searched.get(row);
}

function cell(text, column) {
  const made = document.createElement("td");
  made.textContent = shown(text, column);
  made.classList.toggle("number", column.isNumber);
  made.classList.toggle("undefined", column.isNumber && text === "");
  made.classList.toggle("long", column.isLong);
  made.classList.toggle("pinned", column === pinned);
  if (made.textContent !== text || column.isLong) made.title = text;
  return made;
}

function show() {
  const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = sorted.filter((row) => wanted.every((word) => wordsOf(row).includes(word)));
  table.classList.toggle("full", full.checked);
  table.tBodies[0].replaceChildren(...found.slice(0, limit).map((row) => {
    const line = document.createElement("tr");
    line.append(...columns.map((column, place) => cell(row[place], column)));
    return line;
  }));
  const of = found.length === rows.length ? "" : ` of ${rows.length.toLocaleString("en")}`;
  const first = found.length > limit ? `, the first ${limit} shown` : "";
  document.getElementById("count").textContent = `${found.length.toLocaleString("en")}${of} row${rows.length === 1 ? "" : "s"}${first}`;
  document.querySelector(".more").hidden = found.length <= limit;
  document.getElementById("more").textContent = `Show all ${found.length.toLocaleString("en")} rows`;
}

function compare(place) {
  const {isNumber} = columns[place];
  const order = isNumber ? (a, b) => Number(a) - Number(b) : new Intl.Collator("en", {numeric: true}).compare;
  return (one, other) => order(one[place], other[place]);
}

function sort(head, place) {
  const falls = head.getAttribute("aria-sort") === "ascending";
  for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falls ? "descending" : "ascending");
  const order = compare(place), isEmpty = (row) => row[place] === "";
  const known = rows.filter((row) => !isEmpty(row)).sort((one, other) => (falls ? -1 : 1) * order(one, other));
  sorted = [...known, ...rows.filter(isEmpty)];  // undefined stays last, whichever way round
  show();
}

columns.forEach((column, place) => {
  const head = document.createElement("th"), button = document.createElement("button");
  head.scope = "col";
  head.classList.toggle("number", column.isNumber);
  head.classList.toggle("pinned", column === pinned);
  button.type = "button";
  button.textContent = column.name;
  button.addEventListener("click", () => sort(head, place));
  head.append(button);
  table.tHead.rows[0].append(head);
});
for (const field of [filter, full]) {
  field.addEventListener("input", () => {
    if (field === full) searched.clear();
    limit = AT_ONCE;
    show();
  });
}
document.getElementById("more").addEventListener("click", () => { limit = Infinity; show(); });
show();
