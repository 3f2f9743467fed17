/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/qr.h"
#include "cli/render.h"

static const char *cell(json_t *value, enum sp_render_format format)
{
	static char buf[SP_RENDER_CELL];

	sp_render_cell(value, format, buf);
	json_decref(value);
	return buf;
}

Test(cli_render, shows_units_one_can_read)
{
	cr_expect_str_eq(cell(json_integer(1023), SP_RENDER_BYTES), "1023 B");
	cr_expect_str_eq(cell(json_integer(1536), SP_RENDER_BYTES), "1.5 KiB");
	cr_expect_str_eq(cell(json_integer(10737418240), SP_RENDER_BYTES), "10.0 GiB");
	cr_expect_str_eq(cell(json_integer(59), SP_RENDER_AGE), "59s");
	cr_expect_str_eq(cell(json_integer(125), SP_RENDER_AGE), "2m 5s");
	cr_expect_str_eq(cell(json_integer(7260), SP_RENDER_AGE), "2h 1m");
	cr_expect_str_eq(cell(json_integer(90000), SP_RENDER_AGE), "1d 1h");
	cr_expect_str_eq(cell(json_null(), SP_RENDER_AGE), "-");
	cr_expect_str_eq(cell(NULL, SP_RENDER_TEXT), "-");
	cr_expect_str_eq(cell(json_string(""), SP_RENDER_TEXT), "-");
	cr_expect_str_eq(cell(json_true(), SP_RENDER_TEXT), "yes");
	cr_expect_str_eq(cell(json_pack("[s, s]", "a", "b"), SP_RENDER_LIST), "a,b");
	cr_expect_str_eq(cell(json_array(), SP_RENDER_LIST), "-");
}

Test(cli_render, cuts_long_lists_inside_the_cell)
{
	json_t *list = json_array();

	for (int i = 0; i < 100; i++)
		json_array_append_new(list, json_string("198.51.100.0/24"));
	cr_expect_eq(strlen(cell(list, SP_RENDER_LIST)), SP_RENDER_CELL - 1);
	list = json_pack("[s]", "the-end");
	cr_expect_str_eq(cell(list, SP_RENDER_LIST), "the-end");
}

static char *answer(const char *command, const char *json)
{
	json_t *result = json_loads(json, JSON_DECODE_ANY, NULL);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert(result && out);
	sp_render_answer(out, command, result);
	fclose(out);
	json_decref(result);
	return text;
}

Test(cli_render, aligns_the_columns_of_a_table)
{
	char *text = answer("show drops",
			    "[{\"reason\": \"policy_deny\", \"text\": \"a rule denies it\","
			    "\"direction\": \"up\", \"packets\": 12, \"bytes\": 2048,"
			    "\"last_s\": 3},"
			    "{\"reason\": \"truncated\", \"text\": \"short\", \"direction\":"
			    "\"host\", \"packets\": 1234567, \"bytes\": 7, \"last_s\": 90}]");

	cr_expect_str_eq(text,
			 "REASON       DIRECTION  PACKETS    BYTES    LAST  MEANING\n"
			 "policy_deny  up              12  2.0 KiB      3s  a rule denies it\n"
			 "truncated    host       1234567      7 B  1m 30s  short\n");
	free(text);
	text = answer("show peers", "[]");
	cr_expect_str_eq(text, "none\n");
	free(text);
}

Test(cli_render, survives_an_answer_of_another_shape)
{
	static const char *const commands[] = {"show peers", "show flows", "status", "metrics",
					       "reload",     "show rules", "why"};
	static const char *const answers[] = {"{}",
					      "[]",
					      "[1, null]",
					      "\"x\"",
					      "[{\"name\": {}}]",
					      "{\"workers\": 5, \"last_reload\": []}"};

	for (size_t i = 0; i < 7; i++) {
		for (size_t j = 0; j < 6; j++) {
			char *text = answer(commands[i], answers[j]);

			cr_expect(text, "%s %s", commands[i], answers[j]);
			free(text);
		}
	}
}

Test(cli_render, says_when_the_last_reload_was_refused)
{
	char *text = answer("status", "{\"name\": \"gw1\", \"last_reload\": {\"ok\": false, "
				      "\"time\": 1700000000, \"error\": \"3 mistakes\"}}");

	cr_expect(strstr(text, "gateway         gw1\n"));
	cr_expect(strstr(text, ", refused: 3 mistakes\n"));
	free(text);
}

/* Each printed half block, read back, is the module that libqrencode made. */
Test(cli_render, prints_every_module_of_a_qr_code)
{
	static const char message[] = "[Interface]\nPrivateKey = ...\n";
	QRcode *code = QRcode_encodeString8bit(message, 0, QR_ECLEVEL_L);
	char *text = NULL, *p;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert_eq(sp_qr_print(out, message), 0);
	fclose(out);
	p = text;
	for (int y = -2; y < code->width + 2; y += 2) {
		for (int x = -2; x < code->width + 2; x++) {
			bool upper = !strncmp(p, "\u2588", 3) || !strncmp(p, "\u2580", 3);
			bool lower = !strncmp(p, "\u2588", 3) || !strncmp(p, "\u2584", 3);

			for (int half = 0; half < 2; half++) {
				int row = y + half;
				bool inside =
					x >= 0 && row >= 0 && x < code->width && row < code->width;
				bool light = !inside || !(code->data[row * code->width + x] & 1);

				cr_assert_eq(half ? lower : upper, light, "row %d column %d", row,
					     x);
			}
			p += *p == ' ' ? 1 : 3;
		}
		cr_assert_eq(*p++, '\n');
	}
	cr_assert_eq(*p, '\0');
	QRcode_free(code);
	free(text);
}

Test(cli_render, says_why_from_the_oldest_to_the_newest)
{
	char *text = answer(
		"why",
		"[{\"time\": \"x\", \"first_time\": \"then\", \"ago_s\": 1.5, \"count\": 3, "
		"\"left_out\": 2, \"reason\": \"limit_rule\", \"text\": \"above\", \"advice\": "
		"\"raise it\", \"decided_by\": \"rule\", \"direction\": \"up\", \"user\": "
		"\"alice\", \"peer\": \"laptop\", \"interface\": \"eth0\", \"protocol\": \"udp\", "
		"\"source\": \"10.9.0.2:5\", \"destination\": \"203.0.113.5:7\", \"tcp_flags\": null, "
		"\"icmp\": null, \"bytes\": 100, \"tunnelled\": true, \"generation\": 4, \"rule\": "
		"{\"name\": \"slow\", \"file\": \"gw.conf\", \"line\": 9}, \"limit\": {\"of\": "
		"\"rule, up\", \"rate_bps\": 1500000, \"burst_bytes\": 4096, \"tokens_bytes\": 100, "
		"\"dropped_packets\": 7}, \"nat\": null, \"quota\": null}, "
		"{\"ago_s\": 5.0, \"count\": 1, \"left_out\": 0, \"reason\": \"policy_default\", "
		"\"text\": \"no rule\", \"advice\": \"add one\", \"decided_by\": \"default\", "
		"\"direction\": \"up\", \"user\": \"\", \"peer\": \"\", \"interface\": \"\", "
		"\"protocol\": \"tcp\", \"source\": \"10.9.0.2:5\", \"destination\": "
		"\"203.0.113.5:80\", \"tcp_flags\": \"S\", \"bytes\": 60, \"tunnelled\": false, "
		"\"generation\": 4, \"rule\": null, \"limit\": null}]");
	const char *first =
		strstr(text, "  unknown  policy_default: no rule\n"
			     "    packet  tcp 10.9.0.2:5 -> 203.0.113.5:80 [S], 60 bytes, up\n"
			     "    rule    the default at the end of the policy (generation 4)\n"
			     "    do      add one\n");

	cr_assert(first, "%s", text);
	cr_expect(
		strstr(first,
		       "  alice (laptop)  limit_rule: above, 3 times since then (and 2 more of this "
		       "reason, not told)\n"
		       "    packet  udp 10.9.0.2:5 -> 203.0.113.5:7, 100 bytes, up, by eth0, in a "
		       "tunnel\n"
		       "    rule    slow (gw.conf:9)\n"
		       "    limit   1.5 Mbit/s of the rule, up; 100 B of 4.0 KiB free now; 7 packets "
		       "refused\n"
		       "    do      raise it\n"),
		"%s", text);
	free(text);
}
