// SPDX-License-Identifier: Apache-2.0
/// @file
/// The script of the page: scrolls through the slices of the shown cases. It reads the JSON of `volume_data`, draws on
/// canvases, and loads nothing.
#ifndef COMODAL_REPORT_VIEWER_SCRIPT_HPP
#define COMODAL_REPORT_VIEWER_SCRIPT_HPP

#include <comodal/core/error.hpp>

#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// JavaScript (ES2017) for a script element at the end of the page. Display as in `plane_view`: all axes run backwards.
inline constexpr std::string_view viewer_script = R"script(
"use strict";
(function () {
const planes = [{ name: "axial", x: 0, y: 1, z: 2, from: "bottom" }, { name: "coronal", x: 0, y: 2, z: 1, from: "back" },
  { name: "sagittal", x: 1, y: 2, z: 0, from: "left" }];
const firstLetter = "RAS", lastLetter = "LPI";

function make(tag, parent, properties, words) {
  const e = document.createElement(tag);
  Object.assign(e, properties || {});
  if (words !== undefined) e.textContent = words;
  if (parent) parent.appendChild(e);
  return e;
}
function bytesOf(base64) { return Uint8Array.from(atob(base64), c => c.charCodeAt(0)); }
function decodeRuns(base64, size) {
  const runs = bytesOf(base64), out = new Uint8Array(size);
  let at = 0, to = 0;
  while (at < runs.length) {
    const label = runs[at++];
    let length = 0, weight = 1, part;
    do { part = runs[at++]; length += (part & 127) * weight; weight *= 128; } while (part & 128);
    out.fill(label, to, to += length);
  }
  return out;
}
async function decodeSprite(image, size) {
  const picture = new Image();
  picture.src = image.src;
  await picture.decode();
  const canvas = make("canvas", null, { width: picture.naturalWidth, height: picture.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const [nx, ny, nz] = size, pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const out = new Uint8Array(nx * ny * nz);
  for (let k = 0; k < nz; ++k)
    for (let j = 0; j < ny; ++j) {
      let from = ((Math.floor(k / image.columns) * ny + j) * canvas.width + (k % image.columns) * nx) * 4;
      const to = (k * ny + j) * nx;
      for (let i = 0; i < nx; ++i, from += 4) out[to + i] = pixels[from];
    }
  return out;
}
function heat(value) {
  const stops = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]];
  const place = value / 255 * 4, low = Math.min(3, Math.floor(place)), part = place - low;
  return stops[low].map((s, c) => s + part * (stops[low + 1][c] - s));
}

function Viewer(box, data) {
  const size = data.size, stride = [1, size[0], size[0] * size[1]], voxels = size[0] * size[1] * size[2];
  const state = { plane: 0, at: data.start.slice(), image: data.base, output: 0, errors: false, truth: "truth" in data,
    mask: true, opacity: 0.45, hidden: {} };
  // Without truth the first panel shows the image alone, and nothing is compared.
  const truth = "truth" in data ? decodeRuns(data.truth, voxels) : null, masks = {}, greys = {}, panels = [];
  const outputs = [];
  data.methods.forEach(m => m.masks.forEach(k => { if (!outputs.includes(k.output)) outputs.push(k.output); }));
  const colours = {};
  data.classes.forEach(c => { colours[c.value] = c.colour; });

  function maskOf(method) {
    const wanted = state.output === 0 ? data.methods[method].masks[0]
      : data.methods[method].masks.find(k => k.output === outputs[state.output]);
    if (!wanted) return null;
    const key = method + " " + wanted.output;
    if (!masks[key]) masks[key] = decodeRuns(wanted.runs, voxels);
    return masks[key];
  }
  function axes() { return planes[state.plane]; }
  function width() { return size[axes().x]; }
  function height() { return size[axes().y]; }
  // The voxel under pixel (x, y): all axes run backwards in pictures.
  function offset(x, y) {
    const a = axes();
    return (size[a.x] - 1 - x) * stride[a.x] + (size[a.y] - 1 - y) * stride[a.y] + state.at[a.z] * stride[a.z];
  }
  function sliceOf(volume) {
    const w = width(), h = height(), out = new Uint8Array(w * h);
    for (let y = 0; y < h; ++y) for (let x = 0; x < w; ++x) out[y * w + x] = volume[offset(x, y)];
    return out;
  }
  function layer(w, h, paint) {
    const canvas = make("canvas", null, { width: w, height: h }), context = canvas.getContext("2d");
    const pixels = context.createImageData(w, h);
    for (let p = 0; p < w * h; ++p) paint(pixels.data, p);
    context.putImageData(pixels, 0, 0);
    return canvas;
  }
  function put(data, p, colour, alpha) {
    data[4 * p] = colour[0]; data[4 * p + 1] = colour[1]; data[4 * p + 2] = colour[2]; data[4 * p + 3] = alpha;
  }
  function shown(label) { return label !== 0 && !state.hidden[label]; }
  function outlines(context, slice, w, h, sx, sy, dashed) {
    data.classes.forEach(c => {
      if (state.hidden[c.value]) return;
      const is = (x, y) => x >= 0 && y >= 0 && x < w && y < h && slice[y * w + x] === c.value;
      context.beginPath();
      for (let y = 0; y < h; ++y)
        for (let x = 0; x < w; ++x) {
          if (slice[y * w + x] !== c.value) continue;
          if (!is(x, y - 1)) { context.moveTo(x * sx, y * sy); context.lineTo((x + 1) * sx, y * sy); }
          if (!is(x, y + 1)) { context.moveTo(x * sx, (y + 1) * sy); context.lineTo((x + 1) * sx, (y + 1) * sy); }
          if (!is(x - 1, y)) { context.moveTo(x * sx, y * sy); context.lineTo(x * sx, (y + 1) * sy); }
          if (!is(x + 1, y)) { context.moveTo((x + 1) * sx, y * sy); context.lineTo((x + 1) * sx, (y + 1) * sy); }
        }
      context.setLineDash(dashed ? [6, 4] : []);
      context.strokeStyle = "rgb(" + c.colour.join(",") + ")";
      context.lineWidth = 2;
      context.stroke();
    });
  }
  function drawPanel(panel, grey, reference) {
    const w = width(), h = height(), a = axes(), canvas = panel.canvas;
    const shape = (h * data.spacing[a.y]) / (w * data.spacing[a.x]);
    canvas.width = Math.max(480, w);
    canvas.height = Math.max(1, Math.round(canvas.width * shape));
    const context = canvas.getContext("2d"), sx = canvas.width / w, sy = canvas.height / h;
    context.imageSmoothingEnabled = true;
    context.drawImage(grey, 0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = false;
    const volume = panel.method < 0 ? truth : maskOf(panel.method);
    const found = volume ? sliceOf(volume) : null;
    let words = panel.name;
    if (found && panel.method >= 0 && state.errors) {
      const number = { false: 0, missed: 0, wrong: 0 };
      context.drawImage(layer(w, h, (pixels, p) => {
        const t = shown(reference[p]) ? reference[p] : 0, f = shown(found[p]) ? found[p] : 0;
        if (t === f) return;
        const kind = t === 0 ? "false" : f === 0 ? "missed" : "wrong";
        ++number[kind];
        const spot = p % w + Math.floor(p / w);  // textures: white on white would not be seen
        const colour = kind === "wrong" && spot % 2 ? [0, 0, 0]
          : kind === "missed" && spot % 3 === 0 ? [175, 110, 255] : data.errors[kind];
        put(pixels, p, colour, 255 * Math.max(state.opacity, 0.6));
      }), 0, 0, canvas.width, canvas.height);
      words += ": " + number.false + " false, " + number.missed + " missed, " + number.wrong + " of another class";
    } else if (found && (panel.method < 0 ? state.truth : state.mask)) {
      let number = 0;
      context.drawImage(layer(w, h, (pixels, p) => {
        if (!shown(found[p])) return;
        ++number;
        put(pixels, p, colours[found[p]] || [255, 255, 255], 255 * state.opacity);
      }), 0, 0, canvas.width, canvas.height);
      outlines(context, found, w, h, sx, sy, false);
      words += ": " + number + " voxels";
    }
    if (panel.method >= 0 && state.truth && !state.errors) outlines(context, reference, w, h, sx, sy, true);
    if (!found && panel.method >= 0) words += ": has no such output";
    panel.words.textContent = words;
    canvas.setAttribute("aria-label", "Case " + data.case + ", " + place() + ", " + words);
    [firstLetter[a.x], lastLetter[a.x], firstLetter[a.y], lastLetter[a.y]].forEach((l, s) => {
      panel.sides[s].textContent = l;
    });
  }
  function place() {
    const a = axes();
    return a.name + " slice " + (data.first[a.z] + state.at[a.z] * data.every[a.z] + 1) + " of " + data.whole[a.z] +
      " from the " + a.from;
  }
  async function draw() {
    const chosen = state.image, image = data.images[chosen];
    if (image && !greys[chosen]) greys[chosen] = await decodeSprite(image, size);
    if (chosen !== state.image) return;
    const w = width(), h = height(), slice = image ? sliceOf(greys[chosen]) : new Uint8Array(w * h);
    const grey = layer(w, h, (pixels, p) => {
      put(pixels, p, image && image.map ? heat(slice[p]) : [slice[p], slice[p], slice[p]], 255);
    });
    const reference = truth ? sliceOf(truth) : null;
    panels.forEach(panel => drawPanel(panel, grey, reference));
    slider.max = size[axes().z] - 1;
    slider.value = state.at[axes().z];
    where.textContent = place();
    scale.textContent = image && image.map ? "map: 0 (black) to " + Number(image.high).toPrecision(3) + " (pale)" : "";
  }
  function go(step) {
    const z = axes().z;
    state.at[z] = Math.min(size[z] - 1, Math.max(0, state.at[z] + step));
    draw();
  }
  function choice(parent, label, names, value, act) {
    const line = make("label", parent, {}, label + " ");
    const select = make("select", line);
    names.forEach((n, i) => make("option", select, { value: i }, n));
    select.value = value;
    select.addEventListener("change", () => { act(Number(select.value)); draw(); });
  }
  function tick(parent, label, value, act, colour) {
    const line = make("label", parent, { className: "tick" });
    const input = make("input", line, { type: "checkbox", checked: value });
    if (colour) make("i", line, { className: "swatch" }).style.background = "rgb(" + colour.join(",") + ")";
    line.appendChild(document.createTextNode(" " + label));
    input.addEventListener("change", () => { act(input.checked); draw(); });
  }

  const bar = make("div", box, { className: "controls" });
  choice(bar, "plane", planes.map(p => p.name), 0, v => { state.plane = v; });
  if (data.images.length) choice(bar, "image", data.images.map(i => i.name), state.image, v => { state.image = v; });
  if (outputs.length > 1) choice(bar, "output", outputs, 0, v => { state.output = v; });
  const line = make("label", bar, { className: "long" }, "slice ");
  const slider = make("input", line, { type: "range", min: 0, step: 1 });
  const where = make("output", line);
  slider.addEventListener("input", () => { state.at[axes().z] = Number(slider.value); draw(); });
  const grid = make("div", box, { className: "panels" });
  grid.style.setProperty("--n", Math.min(4, data.methods.length + 1));
  [-1].concat(data.methods.map((m, i) => i)).forEach(method => {
    const figure = make("figure", grid), frame = make("div", figure, { className: "frame" });
    const canvas = make("canvas", frame, { tabIndex: 0 });
    canvas.setAttribute("role", "img");
    const sides = ["left", "right", "top", "bottom"].map(s => make("span", frame, { className: "edge " + s }));
    panels.push({ method, canvas, sides, name: method >= 0 ? data.methods[method].name : truth ? "truth" : "image",
      words: make("figcaption", figure) });
    canvas.addEventListener("wheel", e => { e.preventDefault(); go(e.deltaY > 0 ? -1 : 1); }, { passive: false });
    canvas.addEventListener("keydown", e => {
      const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[e.key];
      if (step) { e.preventDefault(); go(step); }
    });
    canvas.addEventListener("click", e => {
      const r = canvas.getBoundingClientRect(), a = axes();
      const x = Math.floor((e.clientX - r.left) / r.width * width()), y = Math.floor((e.clientY - r.top) / r.height * height());
      state.at[a.x] = Math.min(size[a.x] - 1, Math.max(0, size[a.x] - 1 - x));
      state.at[a.y] = Math.min(size[a.y] - 1, Math.max(0, size[a.y] - 1 - y));
    });
  });
  const ticks = make("div", box, { className: "controls" });
  if (truth) tick(ticks, "truth (dashed on predictions)", true, v => { state.truth = v; });
  tick(ticks, "prediction", true, v => { state.mask = v; });
  if (truth) tick(ticks, "errors", false, v => { state.errors = v; });
  data.classes.forEach(c => tick(ticks, c.name, true, v => { state.hidden[c.value] = !v; }, c.colour));
  const strength = make("label", ticks, {}, "opacity ");
  const range = make("input", strength, { type: "range", min: 0, max: 100, value: 45 });
  range.addEventListener("input", () => { state.opacity = range.value / 100; draw(); });
  const scale = make("span", ticks);
  draw();
  return { state, go, draw, where };
}

const all = [];
document.querySelectorAll("details.viewer").forEach((box, number) => {
  const start = () => {
    if (!box.open || all[number]) return;
    box.querySelector(".noscript").remove();
    all[number] = Viewer(box.querySelector(".stage"), JSON.parse(box.querySelector("script").textContent));
  };
  box.addEventListener("toggle", start);
  if (number === 0) box.open = true;
  start();
});
window.comodalViewers = all;
})();
)script";

}  // namespace comodal::inline COMODAL_CONFIG

#endif
