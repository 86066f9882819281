/*
 * A load run as CSV (RFC 4180): a heading, a row for each target and one for all. Columns are only ever added.
 */
#ifndef SUPERVISOR_CLI_LOAD_CSV_H
#define SUPERVISOR_CLI_LOAD_CSV_H

struct buffer;
struct cJSON;

void load_csv_report(const struct cJSON *run, struct buffer *out);

#endif
