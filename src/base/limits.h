/* SPDX-License-Identifier: MIT */
/* Everything that a peer or a client can grow has its limit here, and only here (doc/architecture.md says
 * what happens beyond). */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define LIMIT_KEY 128		     /* bytes in a key */
#define LIMIT_AMOUNT 1000000	     /* |n| of one event */
#define LIMIT_BATCH_EVENTS 1024	     /* events in a batch */
#define LIMIT_BATCH_BYTES 65536	     /* encoded bytes of a batch */
#define LIMIT_MESSAGE (1 << 20)	     /* bytes of any message (ZMQ_MAXMSGSIZE) */
#define LIMIT_MANY 1024		     /* messages in one that is several */
#define LIMIT_RECORD_BYTES 786432    /* encoded bytes of a record: leaves room for a header in a message */
#define LIMIT_RECORD_BATCHES 4096    /* batches in a record */
#define LIMIT_IN_FLIGHT 64	     /* unacknowledged batches of one client */
#define LIMIT_CLIENTS 10000	     /* client connections of a server */
#define LIMIT_WATCHES 1000	     /* watched keys of one client */
#define LIMIT_WATCHED 100000	     /* different watched keys of one server */
#define LIMIT_WATCHING 1000000	     /* watched keys of all clients of one server together */
#define LIMIT_SUBSCRIPTION 1024	     /* bytes of what a subscriber sends, CURVE's own included */
#define LIMIT_SUBSCRIPTIONS 16	     /* messages of one subscriber, whose server has two topics */
#define LIMIT_TOP 100		     /* keys in a top */
#define LIMIT_METRICS 128	     /* metrics in an answer */
#define LIMIT_SAMPLES 2048	     /* samples of one metric */
#define LIMIT_READ_KEYS 1024	     /* keys in one read */
#define LIMIT_READS_BYTES (16 << 20) /* encoded bytes of those reads */
#define LIMIT_READS_WAITING 16384    /* reads that wait for a position, a server */
#define LIMIT_PASSED 16		     /* drains that were passed on and are not confirmed */
#define LIMIT_MEMBERS 1024	     /* nodes ever, forgotten ones included */
#define LIMIT_MESSAGE_POSITIONS 8192 /* positions in a message */
#define LIMIT_FETCH_RECORDS 4096     /* records in one answer to a fetch */
#define LIMIT_REACH_POSITIONS 4096   /* positions in one answer to reach: 64 KiB of stack */
#define LIMIT_RUNS 4000000	     /* runs that ever took a like: no new one takes any beyond that */
#define LIMIT_GAPS 512		     /* origins of which records are fetched; with more, a snapshot is */
#define LIMIT_NAME 63		     /* bytes in a server's name */
#define LIMIT_ENDPOINT 127	     /* bytes in an endpoint */
#define LIMIT_TEXT 512		     /* bytes in an error text */
#define LIMIT_SESSIONS 1000000	     /* open ones, and intervals of forgotten ones; then busy for new ones */
#define LIMIT_SEEN_INTERVALS 1024    /* holes in one session's seen numbers before it is told busy */
#define LIMIT_WAITERS (1 << 20)	     /* acknowledgements that clients of one server wait for */
#define LIMIT_PENDING_BYTES (64 << 20) /* bytes of client batches waiting for the next commit */
#define LIMIT_UNREAD_BYTES (128 << 20) /* bytes sent and not read, half of them at the notify port */
#define LIMIT_REORDER_BYTES (64 << 20) /* bytes of peers' records waiting for a gap to close */
#define LIMIT_LEADERS 8		       /* with which a server registers */
#define LIMIT_SNAPSHOTS 4	       /* given at once, a server */
#define LIMIT_CONNECTIONS 65536	       /* clients' connections a leader remembers; then the idlest goes */
#define LIMIT_READERS 65536	       /* connections whose reading is followed; then the idlest goes */
#define LIMIT_TRUSTED 65536	       /* certificates in the trust folder; what is above is not trusted */
#define LIMIT_OFFERED 16	       /* servers that a client keeps of a leader's list: the best ones */
#define LIMIT_POSITIONS 64	       /* origins that a client remembers for its own writes, or a token */
#define LIMIT_ISSUERS 16	       /* issuers of whose numbers a client knows which it used */
#define LIMIT_RELAYED 8192  /* batches of callers who keep their identities, on their way through a handle */
#define LIMIT_REQUESTS 1024 /* questions of one client without an answer */

#endif
