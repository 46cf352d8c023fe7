// SPDX-License-Identifier: Apache-2.0
/// @file
/// The style of the page: light and dark, narrow and wide, on paper. No type, picture or colour comes from elsewhere.
#ifndef COMODAL_REPORT_PAGE_STYLE_HPP
#define COMODAL_REPORT_PAGE_STYLE_HPP

#include <comodal/report/colours.hpp>

#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

inline constexpr std::string_view page_rules = R"style(
:root { color-scheme: light dark; --ink: #1b1d21; --quiet: #555b66; --back: #ffffff; --soft: #f2f4f7; --line: #cfd4dc;
  --alert: #8a3b00; --alert-back: #fff1e0; --link: #0b5cad;
  --s0: #0072b2; --s1: #c24e00; --s2: #00795a; --s3: #a8447f; --s4: #7a6200; --s5: #444a55; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ed; --quiet: #a5acb8; --back: #15171a; --soft: #212429; --line: #41464f; --alert: #ffc58a;
    --alert-back: #3a2a18; --link: #7db8f5;
    --s0: #56b4e9; --s1: #ff9a52; --s2: #2fc79c; --s3: #e29cc6; --s4: #e6cf4a; --s5: #c3c9d3; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); overflow-wrap: anywhere;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 84rem; margin: 0 auto; padding: 1rem 1.25rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.6rem 0; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 0.6rem; padding-bottom: 0.2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 1.6rem 0 0.4rem; }
h4 { font-size: 1rem; margin: 1.2rem 0 0.3rem; }
h5 { font-size: 0.93rem; font-weight: 600; margin: 0.9rem 0 0.3rem; }
a { color: var(--link); }
p, li { max-width: 75ch; }
nav { background: var(--soft); border-radius: 6px; padding: 0.5rem 1rem; margin: 1rem 0; }
nav ul { margin: 0.2rem 0; padding-left: 1.1rem; columns: 18rem; }
.read { color: var(--quiet); font-size: 0.93em; margin: 0.2rem 0 0.8rem; }
.wide { overflow-x: auto; margin: 0.5rem 0; border: 1px solid var(--line); border-radius: 6px; max-width: 100%;
  width: fit-content; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.45rem 0.6rem; }
caption span { position: sticky; left: 0.6rem; display: inline-block; max-width: min(75ch, calc(100vw - 4.5rem)); }
th, td { padding: 0.25rem 0.55rem; border-top: 1px solid var(--line); text-align: left; white-space: nowrap; }
thead th { background: var(--soft); }
.wide th:first-child, .wide td:first-child { position: sticky; left: 0; }
.wide td:first-child { background: var(--back); }
.facts { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0.15rem 1rem; margin: 0.6rem 0; }
.facts dt { color: var(--quiet); }
.facts dd { margin: 0; }
.number { text-align: right; }
pre { background: var(--soft); padding: 0.6rem 0.8rem; border-radius: 6px; overflow-x: auto; font-size: 0.87em; }
figure { margin: 0; min-width: 0; }
figcaption, footer { font-size: 0.9em; color: var(--quiet); }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 0.6rem; }
summary { cursor: pointer; margin: 0.6rem 0; font-weight: 600; }
.warning { color: var(--alert); background: var(--alert-back); padding: 0.5rem 1rem; border-radius: 6px; }
.warning h2 { border: 0; margin: 0.3rem 0; }
.badge { background: var(--soft); border: 1px solid var(--line); border-radius: 1rem; padding: 0.05rem 0.6rem;
  font-size: 0.82em; font-weight: 600; margin-left: 0.4rem; white-space: nowrap; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; padding: 0; margin: 0.4rem 0; }
.legend li { display: flex; align-items: center; gap: 0.4rem; font-size: 0.93em; }
.swatch { display: inline-block; width: 0.95em; height: 0.95em; border-radius: 3px; border: 1px solid var(--quiet);
  flex: none; }
.legend svg { width: 1.6em; height: 0.9em; flex: none; }
.legend .error { stroke: var(--quiet); }
.dot { fill-opacity: 0.5; stroke: none; } .tick-mean { stroke-width: 3; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 0.6rem 1.6rem; }
.plots figure { margin: 0.6rem 0; }
.plot { display: block; width: 100%; height: auto; max-width: 46rem; }
.plot text { fill: var(--quiet); font: 12px system-ui, sans-serif; }
.plot .axis { fill: var(--ink); font-size: 13px; }
.plot .grid { stroke: var(--line); fill: none; stroke-width: 1; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.faint { opacity: 0.28; stroke-width: 1; }
.d1 { stroke-dasharray: 7 3; } .d2 { stroke-dasharray: 2 3; } .d3 { stroke-dasharray: 9 3 2 3; }
.panels { --n: 6; --least: 8.5rem; display: grid; gap: 0.6rem;
  grid-template-columns: repeat(auto-fill, minmax(max(var(--least), (100% - (var(--n) - 1) * 0.6rem) / var(--n)), 1fr)); }
.small { --n: 8; }
.slice, .frame canvas { display: block; width: 100%; height: auto; background: #000; border-radius: 3px; }
.slice .side { fill: #fff; stroke: #000; stroke-width: 0.22em; stroke-linejoin: round; paint-order: stroke;
  font-family: system-ui, sans-serif; font-weight: 600; }
.area { fill-opacity: 0.4; stroke-width: 1.5px; vector-effect: non-scaling-stroke; }
.outline { fill: none; stroke-width: 1.5px; vector-effect: non-scaling-stroke; }
.error { stroke-width: 1px; vector-effect: non-scaling-stroke; fill-opacity: 0.9; }
.defs { position: absolute; width: 0; height: 0; overflow: hidden; }
.nothing { background: #000; color: #bbb; aspect-ratio: 1; display: flex; align-items: center; justify-content: center;
  border-radius: 3px; }
.scale { display: flex; align-items: center; gap: 0.4rem; }
.scale i { flex: 1; height: 0.6em; border: 1px solid var(--quiet);
  background: linear-gradient(90deg, #000004, #51127c, #b73779, #fc8961, #fcfdbf); }
.viewer { border: 1px solid var(--line); border-radius: 6px; padding: 0 0.8rem; margin: 0.8rem 0; }
.controls { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; align-items: center; margin: 0.5rem 0; font-size: 0.93em; }
.controls .long { flex: 1 1 18rem; display: flex; gap: 0.5rem; align-items: center; flex-wrap: wrap; }
.controls .long input { flex: 1 1 9rem; min-width: 0; }
.controls select { font: inherit; max-width: 14rem; }
.tick { display: inline-flex; gap: 0.3rem; align-items: center; }
.stage .panels { --least: min(46%, 14rem); }
.frame { position: relative; }
.frame canvas:focus-visible { outline: 3px solid var(--link); }
.edge { position: absolute; color: #fff; font-weight: 600; text-shadow: 0 0 3px #000, 0 0 3px #000; pointer-events: none; }
.edge.left { left: 4px; top: 45%; } .edge.right { right: 4px; top: 45%; }
.edge.top { top: 0; left: 48%; } .edge.bottom { bottom: 0; left: 48%; }
@media (max-width: 40rem) { .plot text { font-size: 19px; } .plot .axis { font-size: 20px; } table { font-size: 0.87em; }
  th, td { padding: 0.25rem 0.4rem; } .stage { margin: 0 -0.4rem; } .curve { stroke-width: 2.6; }
  main { padding: 0.5rem 0.75rem 2rem; } h1 { font-size: 1.4rem; }
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: 0.4rem; } }
@media print {
  :root { color-scheme: light; --ink: #000; --quiet: #444; --back: #fff; --soft: #f2f4f7; --line: #bbb; --alert: #5a2600;
    --alert-back: #fff; --link: #000; --s0: #0072b2; --s1: #c24e00; --s2: #00795a; --s3: #a8447f; --s4: #7a6200;
    --s5: #444a55; }
  @page { margin: 12mm; }
  .panels { --least: 5rem; } .wide th:first-child, .wide td:first-child { position: static; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } nav, .viewer { display: none; }
  .wide { overflow: visible; border: 0; } th, td { white-space: normal; padding: 0.15rem 0.35rem; }
  figure, tr { break-inside: avoid; } h2, h3, h4, h5 { break-after: avoid; }
  .slice, .scale i, .swatch { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)style";

}  // namespace detail

/// The whole style sheet: the rules, and the colours of curves, classes and errors.
[[nodiscard]] inline std::string page_style() {
  std::string out{detail::page_rules};
  for (int s = 0; s < 6; ++s)
    out += text(".s", s, " { stroke: var(--s", s, "); } .mark.s", s, ", .dot.s", s, " { fill: var(--s", s,
                "); stroke: none; }\n");
  for (std::size_t k = 0; k < class_colours; ++k) {
    const std::string colour = css_colour(class_colour(static_cast<int>(k) + 1));
    out += text(".k", k, " { fill: ", colour, "; stroke: ", colour, "; } .swatch.k", k, " { background: ", colour,
                "; }\n");
  }
  out += text(".outline[class] { fill: none; }\n.false { fill: ", css_colour(false_colour),
              "; stroke: ", css_colour(false_colour), "; }\n.missed { stroke: ", css_colour(missed_colour),
              "; }\n.wrong { stroke: ", css_colour(wrong_colour), "; }\n");
  for (int t = 0; t < 4; ++t)
    out += text(".missed.x", t, " { fill: url(#hatch-", t, "); } .wrong.x", t, " { fill: url(#dots-", t, "); }\n");
  return out;
}

/// The textures of errors, for all pictures of the page, in four sizes: 2, 4, 8 and 16 pixels of a picture.
[[nodiscard]] inline std::string page_textures() {
  std::string out = "<svg class=\"defs\" aria-hidden=\"true\"><defs>";
  for (int t = 0; t < 4; ++t) {
    const int size = 2 << t;
    const auto pattern = [&](const char* name, const char* turned, rgb ground, const std::string& mark) {
      return text("<pattern id=\"", name, "-", t, "\" width=\"", size, "\" height=\"", size,
                  "\" patternUnits=\"userSpaceOnUse\"", turned, "><rect width=\"", size, "\" height=\"", size,
                  "\" fill=\"", css_colour(ground), "\" />", mark, "</pattern>");
    };
    out += pattern("hatch", " patternTransform=\"rotate(45)\"", missed_colour,
                   text("<rect width=\"", size / 4.0, "\" height=\"", size, "\" fill=\"#e6d6ff\" />"));
    out += pattern("dots", "", wrong_colour,
                   text("<circle cx=\"", size / 2, "\" cy=\"", size / 2, "\" r=\"", size * 0.3, "\" fill=\"#000\" />"));
  }
  return out + "</defs></svg>\n";
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
