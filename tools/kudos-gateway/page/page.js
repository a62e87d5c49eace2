// SPDX-License-Identifier: MIT
// What the page shows: a key's count live, the like button, the top keys and the servers. How likes are counted once is
// outbox.js's.
import { ask, follow, useToken } from "./gateway.js";
import { Outboxes } from "./outbox.js";

const POLL = 1000; // ms between two looks at the cluster
const POLL_MOST = 10e3; // when it does not answer
const POINTS = 60; // of a server's line
const TOP = 10;
// As the protocol has it: no key holds one of these.
const INVISIBLE = /[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\ufff9-\ufffb]|\p{Cs}/u;

const $ = (id) => document.getElementById(id);
const number = (n) => n.toLocaleString("en");
const likes = (n) => (n === 1 ? "1 like" : `${number(n)} likes`);

function element(name, attributes = {}, ...children) {
	const made = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
	made.append(...children);
	return made;
}

// Changes nothing that is as it should be, so that screen readers and selections are left in peace.
function put(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

// ---- the like button ---------------------------------------------------------------------------------------------

let key; // that is shown
let liked = false; // since all was counted

const outboxes = new Outboxes({ changed: showPending, final: tellFinal });

function showPending() {
	const n = outboxes.pending(), trouble = outboxes.trouble();
	$("like").disabled = !outboxes.ready();
	put($("pending"), n ? `${likes(n)} on the way` : outboxes.ready() ? "" : "Waiting for the cluster");
	if (trouble) say(`Trying again: ${trouble.message}.`);
	else if (n === 0 && liked) say("Counted.");
	else if (n === 0) say("");
	if (n === 0) liked = false;
}

function say(text) {
	put($("said"), text);
}

function tellFinal(error, gone, events) {
	const what = events.map(([key, n]) => `${likes(n)} of ${key}`).join(", ");
	$("told").hidden = false;
	$("told").append(element("li", { role: "alert" }, gone
		? `${what}: in doubt. The session was closed before the answer came; counted once, or not at all. Not sent again.`
		: `${what}: not counted. ${error.message}.`));
}

$("like").addEventListener("click", () => {
	const before = liked;
	try {
		liked = true; // it tells of the change
		outboxes.like(key);
	} catch (error) {
		liked = before;
		say(`Not taken: the browser does not store it (${error.message}).`);
	}
});

// ---- the key that is shown ---------------------------------------------------------------------------------------

let watching = new AbortController();

async function watch() {
	watching.abort();
	watching = new AbortController();
	const { signal } = watching;
	// A browser has six connections to a host, for all tabs: those that nobody looks at need none.
	while (!document.hidden && !signal.aborted) {
		const show = (count) => put($("count"), number(count));
		await follow(key, signal, show).catch(() => {}); // look() says what is wrong
		await new Promise((resolve) => setTimeout(resolve, POLL * (0.5 + Math.random())));
	}
}

function choose() {
	const chosen = new URLSearchParams(location.hash.slice(1)).get("key") ?? "likes";
	const before = key;
	key = check(chosen) ? chosen : (key ?? "likes");
	if (key === before) return;
	$("key").value = key;
	put($("shown"), key);
	put($("count"), "…");
	for (const button of $("top").querySelectorAll("button")) press(button);
	watch();
}

function check(key) {
	const size = new TextEncoder().encode(key).length;
	const good = size >= 1 && size <= 128 && !INVISIBLE.test(key);
	$("key-fault").hidden = good;
	$("key").setAttribute("aria-invalid", !good);
	return good;
}

$("choose").addEventListener("submit", (event) => {
	event.preventDefault();
	if (check($("key").value)) go($("key").value);
});
addEventListener("hashchange", choose);

// In the address, so that it can be linked to and a reload keeps it.
function go(key) {
	location.hash = new URLSearchParams({ key });
}

// ---- the top keys ------------------------------------------------------------------------------------------------

const rows = new Map(); // key → li

function press(button) {
	button.setAttribute("aria-pressed", button.dataset.key === key);
}

function topRow(key) {
	const button = element("button", { type: "button", "data-key": key }, element("span", { class: "bar" }),
		element("span", {}, key), element("span", { class: "n" }));
	button.addEventListener("click", () => go(key));
	press(button);
	return element("li", {}, button);
}

function showTop({ top }) {
	const focused = document.activeElement, before = new Map();
	for (const [key, row] of rows) before.set(key, row.offsetTop);
	const now = new Set(top.map(([key]) => key));
	for (const [key, row] of rows) {
		if (now.has(key)) continue;
		row.remove();
		rows.delete(key);
	}
	top.forEach(([key, count], i) => {
		if (!rows.has(key)) rows.set(key, topRow(key));
		const row = rows.get(key), list = $("top");
		if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
		row.querySelector(".bar").style.width = `${(100 * count) / top[0][1]}%`;
		put(row.querySelector(".n"), number(count));
	});
	// One that is moved loses the focus.
	if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
	if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
	for (const [key, row] of rows) {
		const moved = (before.get(key) ?? row.offsetTop) - row.offsetTop;
		if (moved) row.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: 300, easing: "ease" });
	}
}

// ---- the servers -------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
const lines = new Map(); // node → { row, rates }

function serverRow(server) {
	const svg = document.createElementNS(SVG, "svg");
	svg.setAttribute("viewBox", `0 0 ${POINTS - 1} 20`);
	svg.setAttribute("preserveAspectRatio", "none");
	svg.setAttribute("aria-hidden", "true");
	svg.append(document.createElementNS(SVG, "polyline"));
	return element("tr", {}, element("th", { scope: "row", title: server.node }, server.name),
		element("td", {}, element("span", { class: "state" })), element("td", { class: "line" }, element("div", {}, svg, element("span"))),
		element("td"), element("td", { class: "spare" }), element("td", { class: "spare" }));
}

function showServer(server, { row, rates }, most) {
	const [, state, line, lag, clients, total] = row.children;
	state.firstChild.dataset.state = server.state;
	put(state.firstChild, server.state);
	const points = rates.map((rate, i) => `${POINTS - rates.length + i},${19 - (18 * rate) / most}`);
	line.querySelector("polyline").setAttribute("points", points.join(" "));
	put(line.querySelector("span"), number(rates.at(-1)));
	put(lag, number(server.lag_records));
	put(clients, number(server.clients));
	put(total, number(server.likes_total));
}

function showStatus({ leader, servers }) {
	for (const [node, { row }] of lines) {
		if (servers.some((server) => server.node === node)) continue;
		row.remove();
		lines.delete(node);
	}
	for (const server of servers) {
		if (!lines.has(server.node)) lines.set(server.node, { row: serverRow(server), rates: [] });
		const { rates } = lines.get(server.node);
		rates.push(server.state === "down" ? 0 : server.events_per_s);
		if (rates.length > POINTS) rates.shift();
	}
	// One scale for all, so that the lines can be compared.
	const most = Math.max(10, ...[...lines.values()].flatMap(({ rates }) => rates));
	servers.forEach((server, i) => {
		const line = lines.get(server.node), list = $("servers");
		if (list.children[i] !== line.row) list.insertBefore(line.row, list.children[i] ?? null);
		showServer(server, line, most);
	});
	const up = servers.filter((server) => server.state === "up").length;
	const total = Math.max(0, ...servers.map((server) => server.likes_total));
	put($("cluster"), `${up} of ${servers.length} servers up · ${leader ? "" : "no leader · "}${likes(total)}`);
}

// ---- the cluster, again and again --------------------------------------------------------------------------------

let failures = 0, next = 0;

// Servers are for operators.
function forbidden(error) {
	if (error.status !== 403) throw error;
	return null;
}

async function look() {
	clearTimeout(next);
	if (document.hidden) return;
	try {
		const [top, status] = await Promise.all([ask("GET", `v1/top?n=${TOP}`), ask("GET", "v1/status").catch(forbidden)]);
		showTop(top);
		$("of-servers").hidden = !status;
		if (status) showStatus(status);
		else put($("cluster"), "");
		$("enter").hidden = true;
		if (failures) outboxes.retry();
		failures = 0;
	} catch (error) {
		failures++;
		put($("cluster"), `Not to be seen now: ${error.message}`);
		if (error.status === 401 || error.status === 403) $("enter").hidden = false;
	}
	clearTimeout(next);
	next = setTimeout(look, Math.min(POLL_MOST, POLL * 2 ** Math.max(0, failures - 1)) * (failures ? 0.5 + Math.random() / 2 : 1));
}

document.addEventListener("visibilitychange", () => {
	watch();
	look();
});
addEventListener("online", look);
$("enter").addEventListener("submit", (event) => {
	event.preventDefault();
	useToken($("token").value);
	$("token").value = "";
	outboxes.retry();
	watch();
	look();
});
choose();
showPending();
look();
