/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at a file before libconfig's own parser gets it: that one would include other files, nest
 * without end, and (1.5) lose the memory of a string that never ends or that stands where none may.
 */
#include <string.h>

#include "config/reader.h"

#define NESTING_MAX 16

struct scan {
	const char *p;
	unsigned int line;
	unsigned int depth;
	char brackets[NESTING_MAX]; /* the open ones, outermost first */
	char last;		    /* character in front of p that is no space and no comment */
};

static bool is_comment(const char *p)
{
	return *p == '#' || (*p == '/' && (p[1] == '/' || p[1] == '*'));
}

/* False: it never ends. */
static bool skip_comment(struct scan *s)
{
	if (*s->p == '#' || s->p[1] == '/') {
		s->p += strcspn(s->p, "\n");
		return true;
	}
	for (s->p += 2; *s->p && !(*s->p == '*' && s->p[1] == '/'); s->p++)
		s->line += *s->p == '\n';
	if (!*s->p)
		return false;
	s->p += 2;
	return true;
}

/* False: it never ends. */
static bool skip_string(struct scan *s)
{
	for (s->p++; *s->p && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p[1])
			s->p++;
		s->line += *s->p == '\n';
	}
	if (!*s->p)
		return false;
	s->p++;
	s->last = '"';
	return true;
}

/* A string is a value: behind "=", in a list, or the rest of another string. */
static bool may_have_string(const struct scan *s)
{
	char inside = s->depth ? s->brackets[s->depth - 1] : '{';

	if (s->last == ',')
		return inside != '{';
	return s->last && strchr("=:([\"", s->last);
}

/* What is wrong with the character at p, or NULL after stepping over it. */
static const char *step(struct scan *s)
{
	char c = *s->p;

	if (c == '@')
		return "found a directive (@), expected none: other files belong into conf.d";
	if (strchr("({[", c)) {
		if (s->depth == NESTING_MAX)
			return "found brackets nested deeper than 16, expected less";
		s->brackets[s->depth++] = c;
	}
	if (strchr(")}]", c) && s->depth)
		s->depth--;
	s->line += c == '\n';
	if (!strchr(" \t\r\n\f\v", c))
		s->last = c;
	s->p++;
	return NULL;
}

bool sp_config_scan(struct sp_config_reader *r, const char *file, const char *text)
{
	struct scan s = {.p = text, .line = 1};

	while (*s.p) {
		unsigned int line = s.line;
		const char *wrong = NULL;

		if (is_comment(s.p)) {
			if (!skip_comment(&s))
				wrong = "found a comment without end, expected its closing mark";
		} else if (*s.p != '"') {
			wrong = step(&s);
		} else if (!may_have_string(&s)) {
			wrong = "found a text in quotes by itself, expected name = value;";
		} else if (!skip_string(&s)) {
			wrong = "found a text without end, expected a closing quote";
		}
		if (wrong) {
			sp_config_mistake_at(r, file, line, "%s", wrong);
			return false;
		}
	}
	return true;
}
