/* SPDX-License-Identifier: MIT */
#include "net/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/time.h"

#define IDLE (60 * SECOND)
#define COMPLAIN (60 * SECOND) /* between two log lines about malformed messages */

void port_init(struct port *p, const struct port_rules *rules, void *owner, const char *name, uint64_t seed,
	       port_send_fn send, void *arg)
{
	*p = (struct port){.rules = rules, .owner = owner, .name = name, .send = send, .arg = arg};
	connections_init(&p->connections, seed);
}

void port_deinit(struct port *p)
{
	connections_deinit(&p->connections);
	bytes_deinit(&p->out);
	many_deinit(&p->gathered);
}

/* ---- answering ---- */

int port_encode(struct port *p, const struct message *m)
{
	bytes_clear(&p->out);
	message_encode(m, &p->out);
	return bytes_failed(&p->out) ? -ENOMEM : 0;
}

int port_send_encoded(struct port *p, const struct connection *c)
{
	return p->send(p->arg, c->id, c->id_size, p->out.data, p->out.size);
}

static void count(struct port *p, const struct message *m)
{
	if (m->type == MESSAGE_ERROR)
		p->errors[m->error.code]++;
	else if (m->type == MESSAGE_REFUSED)
		p->refused[m->refused.code]++;
}

void port_answer(const struct request *rq, const struct message *m)
{
	struct port *p = rq->port;
	int e = port_encode(p, m);
	count(p, m);
	if (e == 0)
		e = p->send(p->arg, rq->id, rq->id_size, p->out.data, p->out.size);
	if (e < 0 && p->failed == 0)
		p->failed = e;
}

/* Whether what is encoded goes out with others. */
static bool gather(struct port *p, const struct connection *c)
{
	if (!p->gathers || !c->takes_many)
		return false;
	if (p->gathered_for == c->handle && many_add(&p->gathered, p->out.data, p->out.size))
		return true;
	port_send_gathered(p);
	p->gathered_for = c->handle;
	return many_add(&p->gathered, p->out.data, p->out.size);
}

void port_send_gathered(struct port *p)
{
	const struct connection *c = connections_at(&p->connections, p->gathered_for);
	const uint8_t *data;
	size_t size;
	if (many_take(&p->gathered, &data, &size) && c)
		p->send(p->arg, c->id, c->id_size, data, size);
}

void port_gather(struct port *p, bool on)
{
	port_send_gathered(p);
	p->gathers = on;
}

void port_tell(struct port *p, uint64_t client, const struct message *m)
{
	const struct connection *c = connections_at(&p->connections, client);
	count(p, m);
	if (c && port_encode(p, m) == 0 && !gather(p, c))
		port_send_encoded(p, c);
}

void port_tell_bytes(struct port *p, uint64_t client, const void *data, size_t size)
{
	const struct connection *c = connections_at(&p->connections, client);
	if (c)
		p->send(p->arg, c->id, c->id_size, data, size);
}

__attribute__((format(printf, 4, 0))) static struct message error_of(char text[LIMIT_TEXT], uint64_t id,
								     int code, const char *format,
								     va_list args)
{
	vsnprintf(text, LIMIT_TEXT, format, args);
	return (struct message){.type = MESSAGE_ERROR,
				.error = {.id = id, .code = code, .text = message_text(text)}};
}

void port_answer_error(const struct request *rq, uint64_t id, int code, const char *format, ...)
{
	char text[LIMIT_TEXT];
	va_list args;
	va_start(args, format);
	struct message m = error_of(text, id, code, format, args);
	va_end(args);
	port_answer(rq, &m);
}

void port_tell_error(struct port *p, uint64_t client, uint64_t id, int code, const char *format, ...)
{
	char text[LIMIT_TEXT];
	va_list args;
	va_start(args, format);
	struct message m = error_of(text, id, code, format, args);
	va_end(args);
	port_tell(p, client, &m);
}

static void ignore(struct port *p, int64_t now, const char *from, const char *why)
{
	p->malformed++;
	if (now < p->complain_after)
		return;
	p->complain_after = now + COMPLAIN;
	log_warn("ignored a message from %s: %s (%llu such messages so far)", from, why,
		 (unsigned long long)p->malformed);
}

int port_refuse(const struct request *rq, uint64_t id, int code, const char *format, ...)
{
	char text[LIMIT_TEXT];
	va_list args;
	va_start(args, format);
	struct message m = error_of(text, id, code, format, args);
	va_end(args);
	ignore(rq->port, rq->now, rq->from && rq->from->node.id ? "a server" : "a client", text);
	port_answer(rq, &m);
	return 0;
}

int port_malformed(struct port *p, int64_t now, const char *from, int e)
{
	if (e > 0)
		ignore(p, now, from, kudos_error_text(e));
	return e < 0 ? e : 0;
}

/* ---- hello ---- */

/* Whether there is room for one more. Nobody tells when a connection ends: of those that have been silent for
 * a while the oldest makes room, or all clients that come back at once, after a break in the network, would
 * be turned away until their former selves are forgotten. */
static bool make_room(struct port *p, int64_t now, bool is_server)
{
	struct connections *all = &p->connections;
	size_t servers = all->by_id.count - all->clients;
	if (is_server ? servers < p->rules->servers : all->clients < p->rules->clients)
		return true;
	struct connection *c = all->oldest;
	while (c && (c->node.id != 0) != is_server)
		c = c->newer;
	if (!c || now - c->heard < p->rules->silent)
		return false;
	connections_close(all, c);
	return true;
}

static int refusal(const struct port *p, struct node node)
{
	return node.id && p->rules->admit ? p->rules->admit(p->owner, node) : 0;
}

static int on_hello(struct request *rq)
{
	struct port *p = rq->port;
	const struct port_rules *rules = p->rules;
	const struct node node = rq->m->hello.node;
	const bool is_server = rq->m->hello.is_server;
	if (rq->m->hello.version != PROTOCOL_VERSION) {
		if (rq->from)
			connections_close(&p->connections, rq->from);
		port_answer_error(rq, 0, KUDOS_BAD_VERSION,
				  "protocol version %llu is not known here: %s %s (%s %s) speaks version %d",
				  (unsigned long long)rq->m->hello.version, rules->address, p->name,
				  rules->program, KUDOS_VERSION, PROTOCOL_VERSION);
		return 0;
	}
	if (is_server && rq->role < ROLE_SERVER)
		return port_refuse(rq, 0, KUDOS_FORBIDDEN, "hello: this key is not a server's");
	if (is_server != (node.id != 0))
		return port_refuse(rq, 0, KUDOS_PROTOCOL, "hello: a server has a node id, a client has none");
	int refused = refusal(p, node);
	if (refused) {
		port_answer_error(rq, 0, refused, "%s", kudos_error_text(refused));
		return 0;
	}
	if (!rq->from && !make_room(p, rq->now, is_server)) { /* one that is there still says hello again */
		port_answer_error(rq, 0, KUDOS_BUSY, "%s %s has %zu %s, its limit: try another server",
				  rules->address, p->name, is_server ? rules->servers : rules->clients,
				  is_server ? "servers" : "clients");
		return 0;
	}
	rq->from = connections_open(&p->connections, rq->now, rq->id, rq->id_size, node);
	return rq->from ? rules->welcome(rq) : -ENOMEM;
}

/* ---- receiving ---- */

/* Whether a message of this type may be looked at further; else it has been answered. */
static bool admitted(const struct request *rq, enum message_type type)
{
	const struct port_rules *rules = rq->port->rules;
	const struct port_handler *handler = &rules->handlers[type];
	const char *name = message_type_name(type);
	if (type == MESSAGE_HELLO)
		return true;
	if (!rq->from) {
		port_answer_error(rq, 0, KUDOS_NO_HELLO, "say hello (version %d) before \"%s\"",
				  PROTOCOL_VERSION, name);
		return false;
	}
	if (!handler->handle)
		return port_refuse(rq, 0, KUDOS_PROTOCOL, "%s takes no \"%s\"", rules->title, name);
	if (rq->role < handler->least)
		return port_refuse(rq, message_request_id(rq->data, rq->size), KUDOS_FORBIDDEN,
				   "a key with the role %s may not send \"%s\"", role_name(rq->role), name);
	if (handler->least == ROLE_SERVER && rq->from->node.id == 0)
		return port_refuse(rq, 0, KUDOS_PROTOCOL, "only a server may send \"%s\"", name);
	int refused = refusal(rq->port, rq->from->node);
	if (refused)
		port_answer_error(rq, 0, refused, "%s", kudos_error_text(refused));
	return !refused;
}

/* One message, by itself or out of several. */
static int receive_one(struct port *p, int64_t now, enum role role, const uint8_t *id, size_t id_size,
		       const void *data, size_t size)
{
	struct request rq = {
	    .port = p, .now = now, .role = role, .id = id, .id_size = id_size, .data = data, .size = size};
	enum message_type type;
	rq.from = connections_find(&p->connections, id, id_size);
	if (rq.from)
		connections_touch(&p->connections, rq.from, now);
	int e = message_peek(data, size, &type);
	if (e == 0)
		p->messages[type]++;
	if (e == 0 && !admitted(&rq, type))
		return 0;
	if (e == 0 && p->rules->handlers[type].raw)
		return p->rules->handlers[type].handle(&rq);
	struct message m;
	if (e == 0)
		e = message_decode(data, size, &m);
	if (e > 0)
		return port_refuse(&rq, e != KUDOS_PROTOCOL ? message_request_id(data, size) : 0, e, "%s",
				   kudos_error_text(e));
	if (e < 0)
		return e;
	rq.m = &m;
	log_debug("%s of %zu bytes from %016llx", message_type_name(type), size,
		  (unsigned long long)(rq.from ? rq.from->node.id : 0));
	e = type == MESSAGE_HELLO ? on_hello(&rq) : p->rules->handlers[type].handle(&rq);
	message_deinit(&m);
	return e;
}

/* Several, of which each is handled as if it had come by itself. */
static int receive_many(struct port *p, int64_t now, enum role role, const uint8_t *id, size_t id_size,
			const struct message *m)
{
	int e = 0;
	for (size_t i = 0; e == 0 && i < m->many.count; i++)
		e = receive_one(p, now, role, id, id_size, m->many.messages[i].data,
				m->many.messages[i].size);
	return e;
}

int port_receive(struct port *p, int64_t now, enum role role, const uint8_t *id, size_t id_size,
		 const void *data, size_t size)
{
	enum message_type type;
	struct message m;
	p->failed = 0;
	if (role == ROLE_NONE)
		return 0; /* its key was taken back */
	/* What is wrong with it, or with who sends it, is answered as with any other. */
	struct connection *from = NULL;
	if (p->rules->takes_many && message_peek(data, size, &type) == 0 && type == MESSAGE_MANY)
		from = connections_find(&p->connections, id, id_size);
	if (!from || message_decode(data, size, &m) != 0)
		return receive_one(p, now, role, id, id_size, data, size);
	from->takes_many = true;
	p->messages[type]++;
	int e = receive_many(p, now, role, id, id_size, &m);
	message_deinit(&m);
	return e;
}

/* ---- time ---- */

void port_expire(struct port *p, int64_t now)
{
	while (p->connections.oldest && now - p->connections.oldest->heard > IDLE)
		connections_close(&p->connections, p->connections.oldest);
}

int64_t port_deadline(const struct port *p)
{
	return p->connections.oldest ? p->connections.oldest->heard + IDLE + 1 : NEVER;
}
