/*
 * See database.h. WAL: readers and the writer don't wait for each other, and a farmd that is killed leaves a file that is
 * whole. What a machine that loses its power forgets is at most the last moments (synchronous=NORMAL).
 */
#include "supervisor/history/database.h"

#include "core/memory.h"
#include "supervisor/farm/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 200               /* that another program may hold it */
#define APPLICATION_ID 1717662317 /* as in SCHEMA: "farm" */
#define VERSION 1                 /* likewise */

/* At most 256 MB, whatever else bounds it, and 4 MB beside it. */
static const char SETUP[] = "PRAGMA journal_mode=WAL;"
                            "PRAGMA synchronous=NORMAL;"
                            "PRAGMA journal_size_limit=4194304;"
                            "PRAGMA cache_size=-512;"
                            "PRAGMA max_page_count=65536;"
                            "PRAGMA temp_store=MEMORY;"
                            "PRAGMA trusted_schema=OFF;";

static const char SCHEMA[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE events (id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, server_id INTEGER NOT NULL,"
    " reason TEXT NOT NULL, next_try_us INTEGER NOT NULL, duration_ms INTEGER NOT NULL, message TEXT NOT NULL);"
    "CREATE TABLE runs (id TEXT PRIMARY KEY, started_us INTEGER NOT NULL, status TEXT NOT NULL, bytes INTEGER NOT NULL,"
    " summary TEXT NOT NULL, report TEXT NOT NULL);"
    "PRAGMA application_id=1717662317;"
    "PRAGMA user_version=1;"
    "COMMIT;";

struct database {
    sqlite3 *handle;
    char *path;
};

/* --- errors --- */

static int code_of(int sqlite_code)
{
    static const struct {
        int sqlite, code;
    } CODES[] = {
        {SQLITE_CORRUPT, EBADMSG}, {SQLITE_NOTADB, EBADMSG}, {SQLITE_FULL, ENOSPC},  {SQLITE_BUSY, EBUSY},
        {SQLITE_LOCKED, EBUSY},    {SQLITE_NOMEM, ENOMEM},   {SQLITE_PERM, EACCES},  {SQLITE_READONLY, EACCES},
        {SQLITE_CANTOPEN, EACCES}, {SQLITE_AUTH, EACCES},    {SQLITE_TOOBIG, EFBIG},
    };

    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        if (CODES[i].sqlite == (sqlite_code & 0xff))
            return CODES[i].code;
    }
    return EIO;
}

static int fail(const struct database *db, int sqlite_code, struct error *err)
{
    int system = sqlite3_system_errno(db->handle);
    int code = code_of(sqlite_code);

    if (code == EIO && system != 0)
        code = system;
    return error_set(err, code, "the history %s: %s%s%s", db->path, sqlite3_errmsg(db->handle), system != 0 ? ": " : "",
                     system != 0 ? strerror(system) : "");
}

bool database_is_broken(const struct error *err)
{
    return err->code == EBADMSG;
}

/* --- statements --- */

static int execute(struct database *db, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : fail(db, rc, err);
}

sqlite3_stmt *database_prepare(struct database *db, const char *sql, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

    if (rc != SQLITE_OK)
        fail(db, rc, err);
    return statement;
}

int database_step(struct database *db, sqlite3_stmt *statement, struct error *err)
{
    int rc = sqlite3_step(statement);

    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(db, rc, err);
}

int database_run(struct database *db, const char *sql, int64_t number, struct error *err)
{
    sqlite3_stmt *statement = database_prepare(db, sql, err);

    if (statement == NULL)
        return -EIO;
    sqlite3_bind_int64(statement, 1, number);
    int rc = database_step(db, statement, err);
    sqlite3_finalize(statement);
    return rc < 0 ? rc : 0;
}

int database_number(struct database *db, const char *sql, int64_t *number, struct error *err)
{
    sqlite3_stmt *statement = database_prepare(db, sql, err);

    if (statement == NULL)
        return -EIO;
    int rc = database_step(db, statement, err);
    if (rc >= 0)
        *number = rc > 0 ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return rc < 0 ? rc : 0;
}

int database_begin(struct database *db, struct error *err)
{
    return execute(db, "BEGIN IMMEDIATE", err);
}

int database_end(struct database *db, int code, struct error *err)
{
    if (code == 0)
        code = execute(db, "COMMIT", err);
    if (code < 0 && sqlite3_get_autocommit(db->handle) == 0)
        execute(db, "ROLLBACK", NULL);
    return code;
}

/* --- opening --- */

/* Its mode is ours, and what it is not (a directory, a pipe) SQLite doesn't have to find out. */
static int look_at_file(const char *path, struct error *err)
{
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
    struct stat status;

    if (fd < 0)
        return errno == EISDIR || errno == ELOOP || errno == ENXIO
                   ? error_set(err, EBADMSG, "is no file")
                   : error_set_errno(err, errno, "the history %s cannot be opened", path);
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return error_set(err, EBADMSG, "is no file");
    return 0;
}

/* An empty one becomes ours. */
static int check_schema(struct database *db, struct error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = database_number(db, "PRAGMA application_id", &application, err);

    if (rc == 0)
        rc = database_number(db, "PRAGMA user_version", &version, err);
    if (rc == 0)
        rc = database_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc < 0)
        return rc;
    if (application == 0 && version == 0 && tables == 0)
        return execute(db, SCHEMA, err);
    if (application != APPLICATION_ID)
        return error_set(err, EBADMSG, "is a database of another program");
    return version == VERSION ? 0 : error_set(err, EBADMSG, "is of another version of farmd");
}

static int open_file(const char *path, struct database **db, struct error *err)
{
    int rc = look_at_file(path, err);

    if (rc < 0)
        return rc;
    struct database *made = xcalloc(1, sizeof(*made));
    made->path = xstrdup(path);
    int opened =
        sqlite3_open_v2(path, &made->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    rc = opened == SQLITE_OK ? 0 : fail(made, opened, err);
    if (rc == 0) {
        sqlite3_busy_timeout(made->handle, BUSY_MS);
        rc = execute(made, SETUP, err);
    }
    if (rc == 0)
        rc = check_schema(made, err);
    if (rc < 0) {
        database_close(made);
        return rc;
    }
    *db = made;
    return 0;
}

void database_close(struct database *db)
{
    if (db == NULL)
        return;
    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

/* With what belongs to it, so that it can be looked at. */
static void set_aside(const char *path, const struct error *why, struct error *aside)
{
    static const char *const COMPANIONS[] = {"-wal", "-shm"};
    cleanup_free char *to = aside_rename(path, "the history", why, aside);

    for (size_t i = 0; i < ARRAY_SIZE(COMPANIONS); i++) {
        cleanup_free char *companion = xasprintf("%s%s", path, COMPANIONS[i]);
        cleanup_free char *companion_to = xasprintf("%s%s", to != NULL ? to : "", COMPANIONS[i]);
        if (to != NULL)
            (void)rename(companion, companion_to); /* often there is none */
    }
}

int database_open(const char *path, struct database **db, struct error *aside, struct error *err)
{
    struct error why = {0};
    int rc = open_file(path, db, &why);

    if (rc < 0 && database_is_broken(&why)) {
        set_aside(path, &why, aside);
        rc = open_file(path, db, &why);
    }
    return rc < 0 ? error_set(err, why.code, "%s", why.message) : 0;
}

int database_replace(struct database *db, const struct error *why, struct database **made, struct error *aside,
                     struct error *err)
{
    cleanup_free char *path = xstrdup(db->path);

    database_close(db);
    set_aside(path, why, aside);
    return database_open(path, made, aside, err);
}
