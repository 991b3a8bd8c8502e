"""The look of the report: one style sheet, system fonts, made for screen, phone and paper."""

STYLE = """
:root {
  --ink: #1b2430; --muted: #5b6675; --line: #dfe4ea; --paper: #fff; --ground: #f4f6f8;
  --accent: #0b7f78; --warn: #8a1c00; --truth: #1fe0d0; --prediction: #ff9f1c;
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; print-color-adjust: exact; -webkit-print-color-adjust: exact;
}
main { max-width: 1120px; margin: 0 auto; padding: 0 20px 48px; }
.banner {
  position: sticky; top: 0; z-index: 1; padding: 12px 20px; text-align: center; font-weight: 650;
  color: #fff; background: var(--warn);
  background-image: repeating-linear-gradient(-45deg, #0000 0 14px, #0002 14px 28px);
}
header { padding: 40px 0 24px; }
.eyebrow { margin: 0; color: var(--accent); font-weight: 600; font-size: 14px; }
h1 { margin: 2px 0 8px; font-size: clamp(28px, 5vw, 44px); line-height: 1.1;
  letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 20px; letter-spacing: -.01em; }
h3 { margin: 24px 0 8px; font-size: 16px; }
p { margin: 0 0 8px; max-width: 72ch; }
.lede { font-size: 18px; }
.quiet, figcaption, caption { color: var(--muted); font-size: 14px; }
section { margin: 20px 0; padding: 22px 24px 24px; background: var(--paper);
  border: 1px solid var(--line); border-radius: 12px; }
section > .quiet { margin-bottom: 16px; }

.cards { display: grid; grid-template-columns: repeat(4, 1fr); gap: 16px; }
.card { padding: 18px 20px 20px; background: var(--paper); border: 1px solid var(--line);
  border-radius: 12px; }
.card b { display: block; font-size: 40px; line-height: 1.15; font-weight: 650;
  letter-spacing: -.03em; }
.card .name { font-weight: 600; }
.meter { height: 6px; margin: 8px 0 10px; border-radius: 3px; background: var(--line);
  overflow: hidden; }
.meter i { display: block; height: 100%; background: var(--accent); }

.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px;
  margin: 20px 0; }
.pair section { margin: 0; }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 8px 10px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: 14px; color: var(--muted); }
tbody th { color: var(--ink); font-size: 16px; }
th:first-child { text-align: left; padding-left: 0; }
tbody tr:last-child > * { border-bottom: 0; }
tr.all > * { border-top: 2px solid var(--ink); font-weight: 600; }
.matrix td { padding: 12px 8px; text-align: center; border: 2px solid var(--paper);
  border-radius: 8px; }
.matrix thead th { text-align: center; }
.matrix td b { display: block; font-size: 22px; line-height: 1.2; }
.matrix small { font-size: 13px; }

.legend { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 0 0 4px; padding: 0;
  list-style: none; font-size: 14px; }
.legend i { display: inline-block; width: 22px; height: 14px; margin-right: 8px;
  vertical-align: -2px; border: 3px solid; border-radius: 3px; background: #444; }
.case { display: grid; grid-template-columns: minmax(0, 1fr) 250px; gap: 20px;
  padding: 14px 0; border-top: 1px solid var(--line); break-inside: avoid; }
.panels { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; }
.panels.two { grid-template-columns: repeat(2, 1fr); }
.panels svg { display: block; width: 100%; height: auto; border-radius: 6px; background: #000; }
.about { display: grid; gap: 8px; align-content: center; min-width: 0; }
.about > * { min-width: 0; }
.rank { display: inline-block; padding: 1px 9px; border-radius: 10px; font-size: 13px;
  font-weight: 600; background: var(--ground); border: 1px solid var(--line); }
.about .dice { margin: 4px 0; font-size: 30px; line-height: 1.2; font-weight: 650;
  letter-spacing: -.02em; }
.about .dice small { font-size: 14px; font-weight: 400; letter-spacing: 0; color: var(--muted); }
.about p { margin: 0; overflow-wrap: anywhere; }
.wrong { color: var(--warn); font-weight: 600; }

dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 5px 20px; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; font-weight: 600; }
details[open] summary { margin-bottom: 12px; }
code { font: 14px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.columns { columns: 3 260px; column-gap: 32px; margin: 0; padding: 0; list-style: none; }
.columns li { overflow-wrap: anywhere; break-inside: avoid; }
footer { padding: 8px 4px; }

@media (max-width: 820px) {
  .cards { grid-template-columns: 1fr 1fr; }
  .pair { grid-template-columns: minmax(0, 1fr); }
  .case { grid-template-columns: minmax(0, 1fr); gap: 8px; }
  .about { grid-template-columns: 108px minmax(0, 1fr); align-items: center; }
}
@media (max-width: 480px) {
  main { padding: 0 12px 32px; }
  header { padding-top: 24px; }
  section { padding: 16px 12px; }
  .cards { gap: 10px; }
  .card { padding: 14px; }
  .card b { font-size: 32px; }
  .panels { gap: 4px; }
  .banner { font-size: 14px; padding: 10px 12px; }
  dl { column-gap: 12px; }
  th, td { padding: 8px 2px; font-size: 12px; }
  th, tbody th { font-size: 11px; }
  thead th { white-space: normal; vertical-align: bottom; }
  .matrix td { padding: 10px 2px; }
}
@media print {
  body { background: #fff; font-size: 11pt; }
  main { max-width: none; padding: 0; }
  .banner { position: static; }
  section, .card, tr { break-inside: avoid; }
  section.long { break-inside: auto; break-before: page; }
  tbody th { font-size: 10pt; }
  .cards { grid-template-columns: repeat(4, 1fr); }
  .card b { font-size: 24pt; }
  .pair { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  th, td { padding: 5px 6px; font-size: 10pt; }
  .matrix th, .matrix td { padding: 5px 2px; font-size: 8pt; }
  .case { grid-template-columns: minmax(0, 1fr) 190px; }
  .about { grid-template-columns: minmax(0, 1fr); }
  h3 { break-after: avoid; }
}
"""
