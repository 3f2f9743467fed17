/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "sallyport/core/addr.h"

Test(base_addr, formats_what_it_parsed)
{
	static const char *const texts[] = {
		"192.0.2.1", "0.0.0.0", "::", "::1", "2001:db8::1", "255.255.255.255"};
	char text[SP_ADDR_TEXT];
	struct sp_addr addr;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_eq(sp_addr_parse(texts[i], &addr), 0, "%s", texts[i]);
		cr_assert_str_eq(sp_addr_format(&addr, text), texts[i]);
	}
}

Test(base_addr, refuses_what_is_no_address)
{
	static const char *const texts[] = {"",	 "192.0.2",    "192.0.2.256", "2001:db8:::1",
					    "x", "192.0.2.1 ", "::g"};
	struct sp_addr addr, before;

	memset(&addr, 0x5a, sizeof(addr));
	before = addr;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_eq(sp_addr_parse(texts[i], &addr), -EINVAL, "%s", texts[i]);
		cr_assert(sp_addr_equal(&addr, &before), "%s touched the output", texts[i]);
	}
}

Test(base_addr, prefixes_count_bits_of_the_long_form)
{
	static const struct {
		const char *text;
		int rc, len;
	} rows[] = {{"192.0.2.0/24", 0, 120},	  {"192.0.2.1", 0, 128},
		    {"0.0.0.0/0", 0, 96},	  {"::/0", 0, 0},
		    {"2001:db8::/32", 0, 32},	  {"192.0.2.1/24", -EDOM, 0},
		    {"2001:db8::1/64", -EDOM, 0}, {"192.0.2.0/33", -EINVAL, 0},
		    {"::/129", -EINVAL, 0},	  {"192.0.2.0/", -EINVAL, 0},
		    {"192.0.2.0/-1", -EINVAL, 0}, {"192.0.2.0/2 4", -EINVAL, 0}};
	struct sp_prefix prefix;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(sp_prefix_parse(rows[i].text, &prefix), rows[i].rc, "%s",
			     rows[i].text);
		if (!rows[i].rc)
			cr_assert_eq(prefix.len, rows[i].len, "%s", rows[i].text);
	}
}

Test(base_addr, interface_addresses_keep_their_host_bits)
{
	struct sp_prefix prefix;
	char text[SP_PREFIX_TEXT];

	cr_assert_eq(sp_prefix_parse_host("10.9.0.1/24", &prefix), 0);
	cr_assert_str_eq(sp_prefix_format(&prefix, text), "10.9.0.1/24");
}

Test(base_addr, endpoints_need_brackets_around_ipv6)
{
	static const char *const good[] = {"192.0.2.1:51820", "[2001:db8::1]:51820"};
	static const char *const bad[] = {"192.0.2.1",	   "192.0.2.1:0",   "192.0.2.1:65536",
					  "2001:db8::1:5", "[2001:db8::1]", "[2001:db8::1]5",
					  ":51820",	   "192.0.2.1:5x",  "192.0.2.1:+5"};
	char text[SP_ENDPOINT_TEXT];
	struct sp_sockaddr sa;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_eq(sp_sockaddr_parse(good[i], &sa), 0, "%s", good[i]);
		cr_assert_str_eq(sp_sockaddr_format(&sa, text), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(sp_sockaddr_parse(bad[i], &sa), -EINVAL, "%s", bad[i]);
}

Test(base_addr, kernel_form_and_back)
{
	static const char *const texts[] = {"192.0.2.1:80", "[2001:db8::1]:443"};
	static const int families[] = {AF_INET, AF_INET6};
	struct sockaddr_storage kernel;
	struct sp_sockaddr sa, again;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(sp_sockaddr_parse(texts[i], &sa), 0);
		sp_sockaddr_to_kernel(&sa, &kernel);
		cr_assert_eq(kernel.ss_family, families[i]);
		cr_assert_eq(sp_sockaddr_from_kernel((struct sockaddr *)&kernel, &again), 0);
		cr_assert(sp_addr_equal(&sa.addr, &again.addr) && sa.port_be == again.port_be);
	}
	kernel.ss_family = AF_UNIX;
	cr_assert_eq(sp_sockaddr_from_kernel((struct sockaddr *)&kernel, &again), -EAFNOSUPPORT);
}
