// SPDX-License-Identifier: MIT
// What is asked of the gateway, with the reader's token where it wants one.
const PATIENCE = 20e3; // ms for an answer
const TOKEN = "kudos.token"; // in localStorage, as the sessions are: it is for all tabs, and what they have left to do

let here = null; // where nothing can be stored

function headers(more) {
	let token = here;
	try {
		token ??= localStorage.getItem(TOKEN);
	} catch {
		// forbidden
	}
	return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

export function useToken(token) {
	try {
		localStorage.setItem(TOKEN, token);
	} catch {
		here = token;
	}
}

async function request(path, options) {
	const response = await fetch(path, { cache: "no-store", ...options }).catch(() => {
		throw new Error("the gateway does not answer");
	});
	if (response.ok) return response;
	const problem = await response.json().catch(() => null);
	throw Object.assign(new Error(problem?.detail ?? `HTTP ${response.status}`), {
		status: response.status,
		code: problem?.code,
		after: 1000 * Number(response.headers.get("Retry-After") ?? 0) || 0,
	});
}

// The answer's JSON, or null when it has none. Throws an Error, of a problem with {status, code, after: ms}.
export async function ask(method, path, body) {
	const response = await request(path, {
		method,
		body: body && JSON.stringify(body),
		headers: headers(body ? { "Content-Type": "application/json" } : {}),
		signal: AbortSignal.timeout(PATIENCE),
	});
	return response.json().catch(() => null);
}

// Tells key's counts until the stream ends, or throws. Not by EventSource, which sends no token.
export async function follow(key, signal, tell) {
	const response = await request(`v1/watch?key=${encodeURIComponent(key)}`, { headers: headers({}), signal });
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	for (let text = ""; ; ) {
		const { value, done } = await reader.read();
		if (done || signal.aborted) return;
		const events = (text + value).split("\n\n");
		text = events.pop();
		for (const event of events) {
			const data = /^data: (.*)$/m.exec(event);
			if (data) tell(JSON.parse(data[1]).count);
		}
	}
}
