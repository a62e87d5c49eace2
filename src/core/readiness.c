/* SPDX-License-Identifier: MIT */
#include "core/readiness.h"

#include <stddef.h>

const char *readiness_waits_for(const struct readiness *r, const struct obstacles *o)
{
	const struct survey *peers = &o->peers;
	if (o->committing)
		return "its first commit";
	if (o->snapshot)
		return "a snapshot";
	if (peers->unconfirmed)
		return "the other members to confirm the membership";
	if (r->anew && peers->serving)
		return "a snapshot";
	if (!r->established && !peers->vouched && !r->met_leader && !o->alone)
		return "a majority of the leaders, to be told whether there are other members";
	/* A folder restored from a backup may not know. */
	if (!r->heard_leader && !o->alone && o->early)
		return "a leader's word on who the members are";
	if (peers->missing > 0 && o->early)
		return "members that have not been heard yet";
	/* Also where it knows of no other member: they may have come after the copy was made. */
	if (r->doubtful && !peers->vouched)
		return "a member that serves, because its data folder is a copy: likes acknowledged since it "
		       "was made may be missing. Start another member, or start this one with --accept-stale "
		       "to do without them";
	/* A new node must not begin with nothing beside members that may hold something. */
	if (!r->established && peers->missing > 0 && !peers->vouched)
		return "a member that serves: start the others, or forget those that are lost";
	/* Else those that do not know of it could agree among themselves on what it never had a say in.
	 * Others that join have none either. */
	if (!r->established && peers->missing > 0 && peers->served <= peers->missing)
		return "a majority of the members to know it: start those that are down, or forget those "
		       "that are lost";
	if (o->unread)
		return "a first look at what the shared journal holds, and an end of this node's earlier "
		       "runs there: it must be able to write";
	if (peers->ahead)
		return "records that other members have";
	if (o->crowded)
		return "an end of restarts: so many runs of servers have taken likes that no new one is let "
		       "in";
	if (o->damaged)
		return o->shared ? "records that the shared journal held when it started. If it has let go "
				   "of some (--purge-history), start a member that has them"
				 : "records that were damaged in its own journal: no member in reach has "
				   "them. Start the others, or wipe the data folder to join as a new node "
				   "without them";
	return NULL;
}

bool readiness_serve(struct readiness *r)
{
	bool news = !r->established || r->doubtful;
	if (r->established) {
		r->phase = PHASE_SERVING;
		r->doubtful = false;
	} else {
		r->establishing = true; /* durably, before anybody hears of it and counts on this server */
	}
	return news;
}

void readiness_commit(struct readiness *r, bool settled)
{
	r->establishing = r->establishing && settled;
}

void readiness_committed(struct readiness *r)
{
	r->established = readiness_endures(r);
	r->establishing = false;
	r->anew = r->anew && !r->established;
}

bool readiness_endures(const struct readiness *r)
{
	return r->established || r->establishing;
}

void readiness_member_forgotten(struct readiness *r, bool holds)
{
	r->anew = !r->established && (r->anew || holds);
}

bool readiness_fall_behind(struct readiness *r)
{
	bool served = r->phase == PHASE_SERVING;
	r->phase = served ? PHASE_CATCHING_UP : r->phase;
	return served;
}

void readiness_drain(struct readiness *r)
{
	if (r->phase == PHASE_SERVING)
		r->phase = PHASE_DRAINING;
}

void readiness_hear_leader(struct readiness *r)
{
	r->heard_leader = true;
}

void readiness_meet_leaders(struct readiness *r, bool majority)
{
	r->met_leader = majority;
}
