/* SPDX-License-Identifier: MIT */
/* What a leader and a server do alike at the ROUTER that others come to: who has said hello, what each may
 * send, how it is answered, and what was not of the protocol. What differs is in the owner's rules. No socket
 * in here.
 *
 * Answers go out or they do not: whoever asked and is told nothing asks again. */
#ifndef NET_PORT_H
#define NET_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "kudos.h"
#include "net/connections.h"
#include "net/role.h"
#include "wire/many.h"
#include "wire/message.h"

struct port;

/* One message being handled. */
struct request {
	struct port *port;
	int64_t now;
	enum role role;
	const uint8_t *id; /* of the connection that it came on … */
	size_t id_size;
	struct connection *from; /* … once it has said hello; else NULL */
	const struct message *m; /* NULL: the handler decodes it */
	const void *data;	 /* as it came */
	size_t size;
};

struct port_handler {
	int (*handle)(
	    const struct request *rq); /* NULL: no such message is taken. Result as port_receive()'s */
	enum role least;	       /* that may send it; ROLE_SERVER: and who said hello as a server */
	bool raw;		       /* it is handed on undecoded */
};

struct port_rules {
	const char *title;	 /* "a leader" */
	const char *address;	 /* "the leader at", before the port's name */
	const char *program;	 /* "kudos-leader" */
	size_t clients, servers; /* connections of each; with more the oldest makes room … */
	int64_t silent;		 /* … if it was silent for so long, else who comes is told busy */
	bool takes_many;	 /* messages as one, and answers so whoever has sent one */
	int (*admit)(const void *owner,
		     struct node node);		  /* 0, or with what a server is refused; NULL: never */
	int (*welcome)(const struct request *rq); /* its hello is in order, and it has a connection */
	struct port_handler handlers[MESSAGE_TYPE_COUNT]; /* none for hello */
};

/* Sends to a connection; result as socket_send()'s. */
typedef int (*port_send_fn)(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size);

struct port {
	const struct port_rules *rules; /* by reference, as are owner and name */
	void *owner;
	const char *name; /* for texts */
	port_send_fn send;
	void *arg;
	struct connections connections;
	struct bytes out;
	struct many gathered; /* for the connection with the handle gathered_for */
	uint64_t gathered_for;
	bool gathers;
	int failed; /* the first answer to the present message that could not be made or sent: a negative
		       errno */
	uint64_t messages[MESSAGE_TYPE_COUNT];				/* that came, ever */
	uint64_t errors[KUDOS_ERROR_COUNT], refused[KUDOS_ERROR_COUNT]; /* answers, ever */
	uint64_t malformed;						/* messages, ever */
	int64_t complain_after;
};

void port_init(struct port *p, const struct port_rules *rules, void *owner, const char *name, uint64_t seed,
	       port_send_fn send, void *arg);
void port_deinit(struct port *p);

/* One message from a connection with this identity (1..255 bytes), whose key has this role. 0, -ENOMEM or
 * what its handler returned. */
int port_receive(struct port *p, int64_t now, enum role role, const uint8_t *id, size_t id_size,
		 const void *data, size_t size);

void port_answer(const struct request *rq, const struct message *m);
void port_answer_error(const struct request *rq, uint64_t id, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for what breaks the protocol: counted, and said in the log, once a minute at most. Returns 0. */
int port_refuse(const struct request *rq, uint64_t id, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Something from elsewhere could not be read, because of e: when that is above 0 it was not of the protocol,
 * which is counted, told, and no reason to stop. 0, or e below 0. */
int port_malformed(struct port *p, int64_t now, const char *from, int e);

/* To a connection by its handle; nothing when it is gone. */
void port_tell(struct port *p, uint64_t client, const struct message *m);
void port_tell_bytes(struct port *p, uint64_t client, const void *data, size_t size); /* encoded already */
void port_tell_error(struct port *p, uint64_t client, uint64_t id, int code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* What is told between true and false goes out together, as far as who it is for takes that; and earlier with
 * port_send_gathered(). */
void port_gather(struct port *p, bool on);
void port_send_gathered(struct port *p);

/* In two steps, for one message to several: -ENOMEM or result as the send function's. */
int port_encode(struct port *p, const struct message *m);
int port_send_encoded(struct port *p, const struct connection *c);

/* Connections that were silent for a minute are forgotten. */
void port_expire(struct port *p, int64_t now);
int64_t port_deadline(const struct port *p); /* when the next is, or NEVER */

#endif
