/* SPDX-License-Identifier: MIT */
/* An outbox: likes that are counted once each, though this program is killed at any moment.
 * cc example-outbox.c $(pkg-config --cflags --libs kudos sqlite3) -o outbox; ./outbox FILE KEY N
 *
 * Each like is a row in the application's own database, with the number of its batch, written in the same
 * transaction as whatever else the like is about. Then it is sent, as the batch of that number of one session
 * whose name is kept in the database, too, and marked once it is acknowledged. Whoever is killed in between
 * sends it again, and it is counted once all the same. Run it again until it ends with 0. */
#include <kudos.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static sqlite3 *db;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static void run(const char *sql)
{
	must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static sqlite3_int64 number(const char *sql)
{
	sqlite3_stmt *statement;
	must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sql);
	must(sqlite3_step(statement) == SQLITE_ROW, sql);
	sqlite3_int64 value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void execute(const char *sql, const char *text, sqlite3_int64 value)
{
	sqlite3_stmt *statement;
	must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sql);
	sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, value);
	must(sqlite3_step(statement) == SQLITE_DONE, sql);
	sqlite3_finalize(statement);
}

/* The application's part: it happens, or it does not, and its like with it. */
static void add_likes(const char *key, sqlite3_int64 wanted)
{
	while (number("SELECT count(*) FROM outbox") < wanted)
		execute("INSERT INTO outbox (key, done) SELECT ?1, 0 WHERE ?2 > 0", key, wanted);
}

/* The name of the session, from the database or for the first time from the cluster. One that is lost in
 * between was never used, and nobody misses it. */
static int take_session(kudos *handle, char name[KUDOS_SESSION_SIZE])
{
	if (number("SELECT count(*) FROM session") == 0) {
		int error = kudos_session(handle, 86400, name);
		if (error)
			return error;
		execute("INSERT INTO session SELECT ?1 WHERE ?2 = 0", name, 0);
	}
	sqlite3_stmt *statement;
	must(sqlite3_prepare_v2(db, "SELECT name FROM session", -1, &statement, NULL) == SQLITE_OK,
	     "session");
	must(sqlite3_step(statement) == SQLITE_ROW, "session");
	snprintf(name, KUDOS_SESSION_SIZE, "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	return KUDOS_OK;
}

/* EXPIRED, after a day in which nothing was sent: whether the oldest that was sent and not marked was
 * counted is not known then. An application would ask a person; this one only says so. */
static int send_likes(kudos *handle, const char *session, const char *key)
{
	sqlite3_int64 next;
	while ((next = number("SELECT coalesce(min(number), 0) FROM outbox WHERE done = 0")) != 0) {
		const struct kudos_event event = {key, 1};
		int error = kudos_put(handle, session, (uint64_t)next, &event, 1);
		if (error == KUDOS_TIMEOUT || error == KUDOS_NO_LEADER || error == KUDOS_NO_SERVER)
			continue; /* not known: the same again */
		if (error)
			return error;
		execute("UPDATE outbox SET done = 1 WHERE key = ?1 AND number = ?2", key, next);
	}
	return KUDOS_OK;
}

int main(int argc, char **argv)
{
	struct kudos_options options = {.leaders = getenv("KUDOS_LEADER")};
	char session[KUDOS_SESSION_SIZE];
	kudos *handle = NULL;
	if (argc != 4)
		return 2;
	must(sqlite3_open(argv[1], &db) == SQLITE_OK, argv[1]);
	run("PRAGMA synchronous = FULL");
	run("CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY, key TEXT, done INTEGER)");
	run("CREATE TABLE IF NOT EXISTS session (name TEXT)");
	add_likes(argv[2], strtoll(argv[3], NULL, 10));
	int error = kudos_open(&handle, &options);
	if (!error)
		error = take_session(handle, session);
	if (!error)
		error = send_likes(handle, session, argv[2]);
	if (error)
		fprintf(stderr, "%s (%s)\n", kudos_error_text(error), kudos_detail(handle));
	kudos_close(&handle);
	sqlite3_close(db);
	return error != KUDOS_OK;
}
