// SPDX-License-Identifier: MIT
// Likes that are counted exactly once, whatever becomes of this page, the network, the gateway and the servers.
//
// An outbox is an item of localStorage:
//
//	session   given by the cluster; lifetime: the seconds that it may rest; used: when the cluster last answered in it;
//	          over: it is closed, and another is needed
//	next      the next batch's number in that session
//	batch     {number, events} that is not acknowledged yet; at most one
//	waiting   {key: n} that have no number yet, since a batch is on its way or the cluster is not there
//
// A batch is stored before it is sent, its number never means another content, and so it may be sent as often as it
// takes. Each outbox has one writer, who holds the Web Lock of its name. Every page begins one of its own, and queues
// for the locks of all others: it gets one when that page is gone, however it went, and does what is left to do.
//
// The browser writes localStorage to disk a little later. When it crashes as a whole, an outbox may come back as it was
// seconds ago: what waits in it may have been sent since. So likes are taken only where a session stands; what somebody
// else finds waiting is sent in that session, closed or not; and who takes another session has closed the old one before.
// Then such a like meets itself, or is refused and in doubt, and is never counted twice.

import { ask } from "./gateway.js";

const PREFIX = "kudos.outbox.";
// Seconds that a session may rest; longer ones are few at a time. A gateway that has no leader gives usual ones only.
const LIFETIME = 3600, LIFETIME_USUAL = 600;
const RETRY_FIRST = 250, RETRY_MOST = 15e3; // ms

// Codes of what is final: the session is gone, and with it the knowledge of what was counted; or a refusal.
const GONE = ["expired", "not-issued", "bad-session"];
const REFUSED = ["conflict", "bad-request", "bad-key", "bad-amount", "bad-number", "too-large"];

const STRANGE = "something else than the gateway answers"; // a hotel's network, say

const sum = (events) => events.reduce((n, event) => n + event[1], 0);

class Outbox {
	state = { session: null, lifetime: LIFETIME_USUAL, used: 0, over: false, next: 1, batch: null, waiting: {} };
	trouble = null; // why the last attempt failed
	#failures = 0;
	#wake = () => {};

	// own: of this page, which goes on. Otherwise it is run until it is empty. on.changed(), on.final(error, events)
	constructor(name, { own, stored, on }) {
		Object.assign(this, { name, own, stored, on });
		if (stored && !own) this.state = JSON.parse(localStorage.getItem(name)) ?? this.state;
	}

	// Throws, and nothing has changed, when there is no room.
	#write(change) {
		const state = { ...this.state, ...change };
		if (this.stored) localStorage.setItem(this.name, JSON.stringify(state));
		this.state = state;
		this.on.changed();
	}

	pending() {
		return sum(Object.entries(this.state.waiting)) + sum(this.state.batch?.events ?? []);
	}

	like(key) {
		this.#write({ waiting: { ...this.state.waiting, [key]: (this.state.waiting[key] ?? 0) + 1 } });
		if (!this.trouble) this.#wake(); // otherwise it is waiting to try again
	}

	retry() {
		this.#failures = 0;
		this.#wake();
	}

	async run() {
		for (;;) {
			try {
				if (!(await this.#step())) {
					if (!this.own) return;
					await this.#sleep(2 ** 31 - 1);
				}
				this.#failures = 0;
			} catch (error) {
				this.#settle(error);
				this.on.changed();
				await this.#sleep(this.trouble ? this.#delay(error) : 0);
			}
		}
	}

	// Does the one thing that is to be done; false: there is none.
	async #step() {
		const { session, lifetime, used, over, batch, waiting } = this.state;
		if (batch) await this.#send(session, batch);
		else if (this.own && (!session || over)) await this.#open();
		else if (!this.pending()) return false;
		else if (this.own && Date.now() - used > lifetime * 1e3 / 2) await this.close();
		else {
			const key = Object.keys(waiting)[0]; // one a batch: a refusal is then for that key alone
			const { [key]: n, ...rest } = waiting;
			this.#write({ batch: { number: this.state.next, events: [[key, n]] }, next: this.state.next + 1, waiting: rest });
		}
		return true;
	}

	async #send(session, { number, events }) {
		const answer = await ask("PUT", `v1/sessions/${session}/batches/${number}`, { events });
		if (typeof answer?.token !== "string") throw new Error(STRANGE);
		this.trouble = null;
		this.#write({ batch: null, used: Date.now() });
	}

	async #open() {
		let lifetime = LIFETIME;
		const answer = await ask("POST", "v1/sessions", { lifetime }).catch((error) => {
			if (error.code !== "limit") throw error;
			lifetime = LIFETIME_USUAL;
			return ask("POST", "v1/sessions");
		});
		const { session } = answer ?? {};
		if (typeof session !== "string") throw new Error(STRANGE);
		this.trouble = null;
		this.#write({ session, lifetime, used: Date.now(), over: false, next: 1 });
	}

	async close() {
		if (!this.state.session || this.state.over) return;
		await ask("DELETE", `v1/sessions/${this.state.session}`).catch((error) => {
			if (!GONE.includes(error.code)) throw error;
		});
		this.#write({ over: true });
	}

	// Nothing is ever sent again under another identity than it had.
	#settle(error) {
		const { batch } = this.state, gone = GONE.includes(error.code);
		this.trouble = error;
		if (batch && (gone || REFUSED.includes(error.code))) {
			this.trouble = null;
			this.on.final(error, gone, batch.events);
			try {
				this.#write(gone ? { batch: null, over: true } : { batch: null });
			} catch (full) {
				this.trouble = full; // it is refused again, and told again
			}
		}
	}

	#delay(error) {
		const most = Math.min(RETRY_MOST, RETRY_FIRST * 2 ** this.#failures++);
		return Math.max(error.after ?? 0, most * (0.5 + Math.random() / 2));
	}

	#sleep(ms) {
		return new Promise((resolve) => {
			const timer = setTimeout(resolve, ms);
			this.#wake = () => {
				clearTimeout(timer);
				resolve();
			};
		});
	}
}

// Over plain HTTP from another machine there are no locks, and a user may forbid storage: then likes are in memory alone.
function storable() {
	try {
		return Boolean(navigator.locks && localStorage);
	} catch {
		return false;
	}
}

// This page's outbox, and those of pages that are gone.
export class Outboxes {
	#all = new Set();
	#known = new Set(); // names
	#own;

	// on.changed(); on.final(error, gone, events): they were refused or, when gone, are in doubt
	constructor(on) {
		this.on = on;
		this.stored = storable();
		const name = PREFIX + (this.stored ? crypto.randomUUID() : "");
		this.#known.add(name);
		this.#own = new Outbox(name, { own: true, stored: this.stored, on });
		this.#all.add(this.#own);
		if (this.stored) {
			navigator.locks.request(name, () => this.#own.run());
			for (const other of Object.keys(localStorage)) this.#adopt(other);
			addEventListener("storage", (event) => event.newValue && this.#adopt(event.key));
		} else {
			this.#own.run();
		}
		addEventListener("online", () => this.retry());
	}

	#adopt(name) {
		if (!name?.startsWith(PREFIX) || this.#known.has(name)) return;
		this.#known.add(name);
		navigator.locks.request(name, async () => {
			if (localStorage.getItem(name)) await this.#finish(name); // or somebody was here before
			this.#known.delete(name);
		});
	}

	async #finish(name) {
		const outbox = new Outbox(name, { own: false, stored: true, on: this.on });
		this.#all.add(outbox);
		this.on.changed();
		await outbox.run();
		await outbox.close().catch(() => {}); // it would be closed by itself, later
		localStorage.removeItem(name);
		this.#all.delete(outbox);
		this.on.changed();
	}

	ready() {
		return this.#own.state.session !== null;
	}

	like(key) {
		this.#own.like(key);
	}

	retry() {
		for (const outbox of this.#all) outbox.retry();
	}

	pending() {
		return [...this.#all].reduce((n, outbox) => n + outbox.pending(), 0);
	}

	trouble() {
		return [...this.#all].find((outbox) => outbox.trouble)?.trouble ?? null;
	}
}
