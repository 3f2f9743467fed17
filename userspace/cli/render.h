/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the daemon as text for people: aligned columns, units one can read. Pure but for stdio. */
#ifndef SP_CLI_RENDER_H
#define SP_CLI_RENDER_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

enum sp_render_format {
	SP_RENDER_TEXT,	 /* strings, numbers, true/false; null and missing as "-" */
	SP_RENDER_LIST,	 /* strings, with commas */
	SP_RENDER_COUNT, /* right-aligned */
	SP_RENDER_BYTES, /* "1.4 MiB", right-aligned */
	SP_RENDER_AGE,	 /* seconds as "2m 5s", right-aligned */
};
struct sp_render_column {
	const char *title, *key;
	enum sp_render_format format;
};

#define SP_RENDER_CELL 128
/* One value as a cell, cut at the size of buf. Returns buf. */
const char *sp_render_cell(const json_t *value, enum sp_render_format format,
			   char buf[static SP_RENDER_CELL]);
/* An array of objects as a table; "none" when it is empty. indent counts spaces. */
void sp_render_table(FILE *out, const json_t *rows, const struct sp_render_column *columns,
		     uint32_t column_count, unsigned int indent);

/* The answer to a command ("show peers"), as it should look. */
void sp_render_answer(FILE *out, const char *command, const json_t *result);

/* render_why.c */
void sp_render_why(FILE *out, const json_t *drops);
/* What decides, in the words of every command that says it; indented, nothing for null. */
void sp_render_rule(FILE *out, const json_t *rule, const char *more);
void sp_render_limit(FILE *out, const json_t *limit);
void sp_render_nat(FILE *out, const json_t *nat);

/* render_change.c: of plan, history; of reload, confirm, rollback. */
void sp_render_plan(FILE *out, const json_t *plan);
void sp_render_history(FILE *out, const json_t *history);
void sp_render_reload(FILE *out, const char *command, const json_t *result);

#endif
