// Measures a page in a frame of a given width; each function returns what is wrong, in words.
"use strict";

// What may break anywhere: names of files, digests, addresses.
const LONG = ".id, a, code, h1, .listing td, dl:not(.measures) dd, figcaption";

function texts(document) {
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() && parent.getClientRects().length
        && !parent.closest("script, style, svg, select")) {
      found.push(walker.currentNode);
    }
  }
  return found;
}

function brokenWords(document) {
  const found = [];
  for (const node of texts(document).filter((each) => !each.parentElement.closest(LONG))) {
    for (const match of node.data.matchAll(/[\w.]+/g)) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (lines.size > 1) found.push(`'${match[0]}' is broken`);
    }
  }
  return found;
}

// Nothing sticks out, but for what scrolls; and what scrolls can be reached by the keyboard.
function overflow(document) {
  const found = [];
  const width = document.documentElement.clientWidth;
  for (const element of document.querySelectorAll("main *")) {
    const scroller = element.closest(".scroll");
    const box = (scroller ?? element).getBoundingClientRect();
    if (box.width && box.right > width + 1) found.push(`<${element.localName}> sticks out`);
    if (scroller && (scroller.tabIndex !== 0 || !scroller.getAttribute("aria-label"))) {
      found.push("a region that scrolls has no tabindex or no name");
    }
  }
  for (const matrix of document.querySelectorAll(".matrix")) {
    if (matrix.scrollWidth > matrix.parentElement.clientWidth) found.push("a matrix is cut");
  }
  return found;
}

function luminance([red, green, blue]) {
  const linear = [red, green, blue].map((value) => value / 255).map(
    (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

const channels = (colour) => colour.match(/[\d.]+/g).map(Number);

function background(element) {
  if (!element) return [255, 255, 255];
  const [red, green, blue, alpha = 1] = channels(getComputedStyle(element).backgroundColor);
  if (alpha === 1) return [red, green, blue];
  const below = background(element.parentElement);
  return [red, green, blue].map((value, index) => alpha * value + (1 - alpha) * below[index]);
}

// WCAG 2.2, 1.4.3: 4.5 to 1.
function faintTexts(document) {
  const found = new Set();
  for (const node of texts(document)) {
    const parent = node.parentElement;
    const pair = [channels(getComputedStyle(parent).color), background(parent)].map(luminance);
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (contrast < 4.5) found.add(`'${node.data.trim().slice(0, 20)}': ${contrast.toFixed(1)}`);
  }
  return [...found];
}

// Lets the rules of another medium count, and those for screens narrower than a sheet no more.
function apply(document, medium) {
  for (const rule of [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])) {
    if (rule instanceof document.defaultView.CSSMediaRule
        && rule.media.mediaText.includes(medium)) {
      rule.media.mediaText = "all";
    }
  }
}

function column(section, index) {
  return [...section.querySelectorAll("tbody tr:not([hidden])")].map(
    (row) => row.cells[index].textContent);
}

// What the first list of a page shows when it is used.
function useList(document) {
  const section = document.querySelector(".listing");
  const head = [...section.querySelectorAll("thead button")];
  const names = head.map((button) => button.textContent);
  const dice = names.indexOf("Dice");
  const found = { names };
  head[dice].click();
  found.ascending = column(section, dice);
  head[dice].click();
  found.descending = column(section, dice);
  found.sorted = section.querySelector("[aria-sort]").textContent;
  const search = section.querySelector("input");
  search.value = "case4";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  found.searched = column(section, 0);
  found.count = section.querySelector("output").textContent;
  search.value = "";
  const select = section.querySelector("select");
  select.value = "normal";
  select.dispatchEvent(new Event("input", { bubbles: true }));
  found.chosen = column(section, names.indexOf("class"));
  return found;
}
