// The page: one search at a time, all of whose settings are in the address. Texts reach the document as text only.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const state = { about: null, id: null, file: null, url: null, turn: 0, seed: 0 };

function make(tag, fields = {}, ...children) {
  const element = Object.assign(document.createElement(tag), fields);
  element.append(...children);
  return element;
}

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

const many = (n, one, more = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;

// A code, 16 or 32 bits a line; four paths however long it is.
function strip(code, query = null) {
  const wide = code.length > 64 ? 32 : 16, paths = {}, differing = [];
  [...code].forEach((bit, place) => {
    const differs = query !== null && bit !== query[place];
    if (differs) differing.push(place + 1);
    const kind = `${bit === "1" ? "one" : "zero"}${differs ? " differs" : ""}`;
    const inset = kind === "zero differs" ? 1 : 0; // room for the outline
    const x = (place % wide) * 10 + 1 + inset, y = Math.floor(place / wide) * 18 + 1 + inset;
    paths[kind] = `${paths[kind] || ""}M${x} ${y}h${8 - 2 * inset}v${15 - 2 * inset}h${2 * inset - 8}z`;
  });
  const bits = many(code.length, "bit");
  let label = query === null ? `Code of ${bits}: ${code.replace(/(.{8})(?=.)/g, "$1 ")}` : `${bits}, none differs`;
  if (differing.length) {
    label = `${bits}, ${differing.length} ${differing.length === 1 ? "differs" : "differ"}: number ${differing.join(", ")}`;
  }
  const drawn = Object.entries(paths).map(([kind, d]) => draw("path", { class: kind, d }));
  const height = Math.ceil(code.length / wide) * 18;
  return draw("svg", { viewBox: `0 0 ${wide * 10} ${height}`, role: "img", "aria-label": label }, ...drawn);
}

function histogram(counts, radius) {
  const width = 320, height = 90, step = width / counts.length, most = Math.log1p(Math.max(...counts, 1));
  const bars = counts.map((count, distance) => {
    const high = count ? Math.max(2, (Math.log1p(count) / most) * height) : 0;
    const place = { x: distance * step, y: height - high, width: Math.max(step - 0.8, 0.6), height: high };
    return draw("rect", { class: distance <= radius ? "bar near" : "bar", ...place },
      draw("title", {}, `${many(count, "picture")} at distance ${distance}`));
  });
  const total = counts.reduce((sum, count) => sum + count, 0), last = counts.length - 1;
  const found = counts.map((count, distance) => (count ? distance : -1)).filter((distance) => distance >= 0);
  let seen = 0;
  const median = counts.findIndex((count) => (seen += count) * 2 >= total);
  const text = (x, anchor, words) => draw("text", { x, y: height + 14, "text-anchor": anchor }, words);
  const label = `Distances of ${many(total, "picture")}: from ${found[0] ?? 0} to ${found.at(-1) ?? 0}, median ${median}`;
  return draw("svg", { viewBox: `0 0 ${width} ${height + 18}`, role: "img", "aria-label": label }, ...bars,
    text(0, "start", "0 bits"), text(width / 2, "middle", `median ${median}; heights are logarithmic`),
    text(width, "end", String(last)));
}

function picture(id, alt) {
  const image = make("img", { alt, src: `pictures/${id}?v=${state.about.version}`, decoding: "async" });
  image.addEventListener("load", () => image.classList.toggle("tiny", image.naturalWidth <= 96));
  image.addEventListener("error", () => { image.alt = `${alt} (cannot be read)`; });
  return make("span", { className: "frame" }, image);
}

function card(found, ...below) {
  const button = make("button", { type: "button", className: "card", title: found.name }, picture(found.id, found.name));
  button.addEventListener("click", () => searchWith(found.id));
  return make("li", {}, button, make("p", { className: "name", textContent: found.name, title: found.name }), ...below);
}

function neighbor(found, query) {
  const why = found.why.slice(1).map(({ text, agrees }) =>
    make("li", { className: agrees === null ? "" : agrees ? "yes" : "no", textContent: text }));
  return card(found, make("p", { className: "distance", textContent: found.why[0].text }), strip(found.code, query.code),
    make("ul", { className: "why" }, ...why));
}

const method = () => state.about.methods.find(({ name }) => name === $("method").value);

function fillBits(wanted) {
  const { bits, default_bits: usual, note } = method();
  $("bits").replaceChildren(...bits.map((n) => make("option", { value: n, textContent: n })));
  $("bits").value = bits.includes(Number(wanted)) ? wanted : usual;
  $("note").textContent = note;
  fillRadius(null);
}

function fillRadius(wanted) {
  const bits = Number($("bits").value);
  $("radius").max = bits;
  $("radius").value = wanted === null || wanted === "" ? bits : wanted;
  showRadius();
}

function showRadius() {
  const radius = Number($("radius").value), bits = Number($("bits").value);
  $("radius-text").textContent = radius >= bits ? "no limit" : `at most ${many(radius, "bit")}`;
  $("radius").setAttribute("aria-valuetext", $("radius-text").textContent);
}

function settings() {
  const chosen = { method: $("method").value, bits: $("bits").value };
  const k = Math.round(Number($("k").value));
  chosen.k = Math.min(Math.max(k || 12, 1), state.about.most_neighbors);
  if (Number($("radius").value) < Number($("bits").value)) chosen.radius = $("radius").value;
  return chosen;
}

function remember(replace) {
  const address = new URLSearchParams(state.id === null ? settings() : { id: state.id, ...settings() });
  history[replace ? "replaceState" : "pushState"](null, "", `?${address}`);
}

function searchWith(id) {
  Object.assign(state, { id, file: null });
  remember(false);
  search(true);
}

function searchWithFile(file) {
  if (!file) return;
  if (file.size > state.about.largest_upload) {
    return say(`The picture has more than ${state.about.largest_upload / 2 ** 20} MiB.`, true);
  }
  if (state.url) URL.revokeObjectURL(state.url);
  Object.assign(state, { id: null, file, url: URL.createObjectURL(file) });
  remember(false);
  search(true);
}

async function fetchJson(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return { status: response.status, answer };
}

async function search(moves = false) {
  const turn = ++state.turn, { id, file } = state;
  if (id === null && file === null) return showSample();
  const address = `api/search?${new URLSearchParams(id === null ? settings() : { id, ...settings() })}`;
  const options = file && { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } };
  $("results").setAttribute("aria-busy", "true");
  try {
    for (;;) {
      const { status, answer } = await fetchJson(address, options || {});
      if (turn !== state.turn) return;
      if (status !== 202) {
        show(answer);
        if (moves) $("query-title").focus({ preventScroll: innerWidth > 760 });
        break;
      }
      say(answer.learning ? "The method learns…" : `Codes: ${answer.done.toLocaleString("en")} of ${many(answer.of, "picture")}`);
      $("progress").hidden = false;
      $("progress").max = answer.of;
      if (answer.learning) $("progress").removeAttribute("value");
      else $("progress").value = answer.done;
      await new Promise((resume) => setTimeout(resume, 300));
      if (turn !== state.turn) return;
    }
  } catch (error) {
    if (turn === state.turn) say(error.message, true);
  }
  $("progress").hidden = true;
  $("results").removeAttribute("aria-busy");
}

function show({ query, neighbors, bits, radius, within, counts, n_pictures: n, encode_ms, search_ms }) {
  const shown = $("query-picture");
  shown.src = query.id === null ? state.url : `pictures/${query.id}?v=${state.about.version}`;
  shown.alt = query.id === null ? "Your picture" : query.name;
  $("query-name").textContent = query.id === null ? state.file.name || "Your picture" : query.name;
  $("query-code").replaceChildren(strip(query.code));
  $("histogram").replaceChildren(histogram(counts, radius));
  $("query").hidden = $("legend").hidden = false;
  $("list").className = "";
  $("list").replaceChildren(...neighbors.map((found) => neighbor(found, query)));
  $("results-title").textContent = "Nearest pictures";
  const limit = radius < bits ? `${within.toLocaleString("en")} of ${many(n, "picture")} within ${many(radius, "bit")}; ` : "";
  let text = neighbors.length ? `${limit}the nearest ${neighbors.length}` : `No picture within ${many(radius, "bit")}`;
  if (query.label !== null && neighbors.length) {
    text += `, of which ${neighbors.filter(({ label }) => label === query.label).length} have the query's label`;
  }
  const made = query.id === null ? `code in ${encode_ms.toFixed(1)} ms, ` : "";
  say(`${text[0].toUpperCase()}${text.slice(1)} (${made}search in ${search_ms.toFixed(1)} ms).`);
}

async function showSample() {
  const turn = state.turn;
  try {
    const { answer } = await fetchJson(`api/sample?n=24&seed=${state.seed}`);
    if (turn !== state.turn) return;
    $("query").hidden = $("legend").hidden = $("progress").hidden = true;
    $("results-title").textContent = "Pictures by chance";
    say("Choose one to search with.");
    $("list").className = "sample";
    $("list").replaceChildren(...answer.pictures.map((found) => card(found)));
  } catch (error) {
    say(error.message, true);
  }
}

function readAddress() {
  const given = new URLSearchParams(location.search);
  const name = given.get("method");
  if (state.about.methods.some((one) => one.name === name)) $("method").value = name;
  fillBits(given.get("bits"));
  fillRadius(given.get("radius"));
  if (given.get("k")) $("k").value = given.get("k");
  Object.assign(state, { id: /^\d+$/.test(given.get("id") || "") ? given.get("id") : null, file: null });
  search();
}

function listen() {
  let waiting;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { remember(true); search(); }, 150);
  };
  $("method").addEventListener("change", () => { fillBits($("bits").value); soon(); });
  $("bits").addEventListener("change", () => { fillRadius(null); soon(); });
  $("k").addEventListener("input", soon);
  $("radius").addEventListener("input", () => { showRadius(); soon(); });
  $("file").addEventListener("change", () => { searchWithFile($("file").files[0]); $("file").value = ""; });
  $("others").addEventListener("click", () => {
    Object.assign(state, { id: null, file: null, seed: Math.floor(Math.random() * 1e9), turn: state.turn + 1 });
    remember(false);
    showSample();
  });
  addEventListener("popstate", readAddress);
  addEventListener("paste", (event) => searchWithFile([...event.clipboardData.files][0]));
  let depth = 0;
  const over = (change) => (event) => {
    event.preventDefault();
    depth = Math.max(0, depth + change);
    $("drop").hidden = depth === 0;
  };
  addEventListener("dragenter", over(1));
  addEventListener("dragleave", over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    $("drop").hidden = true;
    searchWithFile(event.dataTransfer.files[0]);
  });
  $("query-picture").addEventListener("load", (event) => {
    event.target.classList.toggle("tiny", event.target.naturalWidth <= 96);
  });
  // Arrow keys walk through the pictures, besides Tab.
  $("list").addEventListener("keydown", (event) => {
    const cards = [...$("list").querySelectorAll(".card")], at = cards.indexOf(document.activeElement);
    if (at < 0) return;
    const wide = cards.filter((one) => one.offsetTop === cards[0].offsetTop).length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: wide, ArrowUp: -wide }[event.key];
    if (step === undefined || !cards[at + step]) return;
    event.preventDefault();
    cards[at + step].focus();
  });
}

async function start() {
  try {
    state.about = (await fetchJson("api/about")).answer;
  } catch (error) {
    return say(error.message, true);
  }
  const { title, n_pictures: n, methods, method: first, most_neighbors: most } = state.about;
  $("collection").textContent = `${title}: ${many(n, "picture")}`;
  document.title = `${title} – skhash`;
  $("method").replaceChildren(...methods.map((one) => make("option", { value: one.name, textContent: one.title })));
  $("method").value = first;
  $("k").max = most;
  if (innerWidth <= 760) $("settings").open = false;
  listen();
  readAddress();
}

start();
