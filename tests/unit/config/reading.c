/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "sallyport/abi/path.h"
#include "unit/config/sandbox.h"

#define INTERFACES "interfaces = ( { name = \"eth0\"; roles = [\"tunnel\", \"egress\"]; } );\n"

static struct sp_config *open_good(const char *file)
{
	struct sp_config *config = NULL;
	struct sp_config_errors errors;
	int rc = sp_config_open(file, &config, &errors);

	for (uint32_t i = 0; i < errors.count; i++)
		cr_log_error("%s", errors.list[i].text);
	cr_assert_eq(rc, 0, "%s: %d", file, rc);
	cr_assert_eq(errors.count, 0);
	return config;
}

static void assert_prefix(const struct sp_prefix *prefix, const char *text)
{
	char buf[SP_PREFIX_TEXT];

	cr_assert_str_eq(sp_prefix_format(prefix, buf), text);
}

Test(config_reading, fills_in_the_defaults)
{
	struct sp_config *config;

	sandbox_enter();
	sandbox_text(
		"a.conf", INTERFACES
		"wireguard = { name = \"wg0\"; port = 51820; private_key_file = \"wg0.key\";\n"
		"	addresses = \"10.9.0.1/24\"; };\n"
		"users = ( { name = \"alice\"; } );\n"
		"policy = ( { name = \"r\"; from = \"any\"; to = \"any\"; action = \"deny\"; } );\n");
	config = open_good("a.conf");
	cr_expect_str_eq(config->gateway.name, "gateway");
	cr_expect_str_eq(config->gateway.control_path, "/run/sallyport/control.sock");
	cr_expect_str_eq(config->gateway.state_dir, "/var/lib/sallyport");
	cr_expect_str_eq(config->gateway.conf_dir, "./conf.d");
	cr_expect_str_eq(config->gateway.aead, "auto");
	cr_expect_not(config->gateway.has_metrics);
	cr_expect_eq(config->gateway.workers, 0);
	cr_expect_eq(config->gateway.flows_max, 262144);
	cr_expect_eq(config->gateway.sessions_max, 16384);
	cr_expect_eq(config->gateway.attach, 0);
	cr_expect_eq(config->gateway.handshakes_per_s, 20);
	cr_expect(config->gateway.records.enabled);
	cr_expect_eq(config->gateway.records.keep_s, 30 * 86400);
	cr_expect_eq(config->gateway.records.size_bytes, 256 << 20);
	cr_expect_eq(config->gateway.drop_events, 50);
	cr_expect_eq(config->gateway.log_drops, 0);
	cr_expect_eq(config->wireguards[0].mtu, 1420);
	cr_expect_eq(config->users[0].flows_max, 8192);
	cr_expect_eq(config->users[0].limit.up_bps, 0);
	cr_expect_eq(config->users[0].limit.burst_bytes, 0);
	cr_expect_eq(config->rules[0].pool, UINT32_MAX);
	cr_expect(config->rules[0].service_any);
	cr_expect_eq(config->rules[0].on_change, SP_ON_CHANGE_KILL);
	cr_expect_not(config->rules[0].log);
	cr_expect_not(config->rules[0].allow);
	sp_config_close(config);
	sandbox_leave();
}

static const char whole[] =
	"gateway = { name = \"gw1\"; control = \"run/c.sock\"; metrics = \"[::1]:9586\"; workers = 2;\n"
	"	flows_max = 2048L; attach = \"generic\"; aead = \"openssl\";\n"
	"	records = { enabled = false; keep = \"12 h\"; size = \"4 GiB\"; }; };\n" INTERFACES
	"wireguard = ( { name = \"wg0\"; port = 51820; private_key_file = \"wg0.key\"; mtu = 1380;\n"
	"	addresses = [\"10.9.0.1/24\", \"fd00:9::1/64\"]; endpoint = \"[2001:db8::1]:51820\";\n"
	"	dns = (\"10.9.0.1\"); } );\n"
	"groups = ( { name = \"staff\"; limit = { up = \"20 Mbit/s\"; down = \"5 Gbit/s\"; }; },\n"
	"	{ name = \"slow\"; limit = { down = \"1 Mbit/s\"; burst = \"8 KiB\"; }; } );\n"
	"users = ( { name = \"alice\"; groups = [\"staff\", \"slow\"]; limit = { up = \"unlimited\"; }; },\n"
	"	{ name = \"bob\"; groups = \"slow\"; flows_max = 16; } );\n"
	"peers = ( { name = \"laptop\"; user = \"bob\"; endpoint = \"203.0.113.9:51821\"; keepalive = 25;\n"
	"	public_key = \"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\";\n"
	"	preshared_key_file = \"psk\"; addresses = [\"10.9.0.2\", \"fd00:9::2\"]; } );\n"
	"destinations = ( { name = \"intranet\"; prefixes = [\"198.51.100.0/24\"]; },\n"
	"	{ name = \"v6\"; prefixes = [\"::/0\"]; } );\n"
	"services = ( { name = \"web\"; protocol = \"tcp\"; ports = (80, \"8000-8080\"); },\n"
	"	{ name = \"ping\"; protocol = \"icmp\"; }, { name = \"gre\"; protocol = 47; } );\n"
	"egress = ( { name = \"main\"; interface = \"eth0\"; ports = \"20000-32767\"; ipv6 = \"route\";\n"
	"	addresses = [\"198.51.100.10\"]; } );\n"
	"policy = ( { name = \"r\"; from = [\"staff\", \"bob\"]; to = [\"intranet\", \"gateway\"];\n"
	"	service = [\"ping\", \"web\"]; action = \"allow\"; egress = \"main\"; on_change = \"keep\";\n"
	"	log = true; } );\n";

Test(config_reading, takes_every_key)
{
	struct sp_config *config;
	struct sp_config_rule *rule;

	sandbox_enter();
	sandbox_text("whole.conf", whole);
	sandbox_write("psk", "eGG5eqpUSg8cd7rDMVE2Cu7bw3hgTpbUmNd/RhKXtHo=\n", 45, 0600);
	config = open_good("whole.conf");
	cr_expect_str_eq(config->gateway.control_path, "./run/c.sock");
	cr_expect(config->gateway.has_metrics);
	cr_expect_eq(ntohs(config->gateway.metrics.port_be), 9586);
	cr_expect_eq(config->gateway.flows_max, 2048);
	cr_expect_eq(config->gateway.attach, 2);
	cr_expect_not(config->gateway.records.enabled);
	cr_expect_eq(config->gateway.records.keep_s, 43200);
	cr_expect_eq(config->gateway.records.size_bytes, 4ull << 30);
	cr_expect_eq(config->ifaces[0].roles, SP_ROLE_TUNNEL | SP_ROLE_EGRESS);
	cr_expect_eq(config->ifaces[0].source.line, 4);
	cr_expect_eq(config->wireguards[0].mtu, 1380);
	cr_expect_eq(config->wireguards[0].private_key.b[0], 0xc8);
	assert_prefix(&config->wireguards[0].addresses[1], "fd00:9::1/64");
	cr_expect_eq(config->wireguards[0].dns_count, 1);
	cr_expect_eq(config->peers[0].user, 1);
	cr_expect_eq(config->peers[0].keepalive_s, 25);
	cr_expect(config->peers[0].has_preshared_key);
	cr_expect_eq(config->peers[0].preshared_key.b[0], 0x78);
	assert_prefix(&config->peers[0].addresses[0], "10.9.0.2/32");
	cr_expect_eq(ntohs(config->peers[0].endpoint.port_be), 51821);
	cr_expect_eq(config->services[0].port_count, 2);
	cr_expect_eq(config->services[0].ports[1].max, 8080);
	cr_expect_eq(config->services[1].proto, IPPROTO_ICMP);
	cr_expect_eq(config->services[2].proto, 47);
	cr_expect(config->pools[0].route_ipv6);
	cr_expect_eq(config->pools[0].ports.max, 32767);
	rule = &config->rules[0];
	cr_expect(rule->allow && rule->log && rule->to_gateway);
	cr_expect_not(rule->to_any || rule->from_any || rule->service_any);
	cr_expect_eq(rule->user_count, 1);
	cr_expect_eq(rule->users[0], 1);
	cr_expect_eq(rule->group_count, 1);
	cr_expect_eq(rule->destination_count, 1);
	cr_expect_eq(rule->services[0], 1);
	cr_expect_eq(rule->pool, 0);
	cr_expect_eq(rule->on_change, SP_ON_CHANGE_KEEP);
	sp_config_close(config);
	sandbox_leave();
}

Test(config_reading, takes_limits_from_the_first_group_that_has_one)
{
	struct sp_config *config;

	sandbox_enter();
	sandbox_text("whole.conf", whole);
	sandbox_write("psk", "eGG5eqpUSg8cd7rDMVE2Cu7bw3hgTpbUmNd/RhKXtHo=\n", 45, 0600);
	config = open_good("whole.conf");
	cr_expect_eq(config->users[0].limit.up_bps, 0, "unlimited is the user's own word");
	cr_expect_eq(config->users[0].limit.down_bps, 5000000000);
	cr_expect_eq(config->users[0].limit.burst_bytes, 8192);
	cr_expect_eq(config->users[1].limit.up_bps, 0);
	cr_expect_eq(config->users[1].limit.down_bps, 1000000);
	cr_expect_eq(config->groups[0].limit.burst_bytes, 16 << 20, "500 ms of 5 Gbit/s, at most");
	sp_config_close(config);
	sandbox_leave();
}

/* Users share the name space of groups, and look groups up while they are being read. */
Test(config_reading, finds_groups_whatever_the_users_are_called)
{
	struct sp_config *config;

	sandbox_enter();
	sandbox_text(
		"a.conf", INTERFACES
		"groups = ( { name = \"m\"; }, { name = \"z\"; } );\n"
		"users = ( { name = \"a\"; groups = [\"z\"]; }, { name = \"zz\"; groups = [\"m\"]; },\n"
		"	{ name = \"b\"; groups = [\"m\", \"z\"]; } );\n");
	config = open_good("a.conf");
	cr_expect_eq(config->users[0].groups[0], 1);
	cr_expect_eq(config->users[1].groups[0], 0);
	cr_expect_eq(config->users[2].group_count, 2);
	sp_config_close(config);
	sandbox_leave();
}

static bool covers(const struct sp_config_destination *destination, const char *text)
{
	struct sp_addr addr;

	cr_assert_eq(sp_addr_parse(text, &addr), 0);
	for (uint32_t i = 0; i < destination->prefix_count; i++) {
		const struct sp_prefix *prefix = &destination->prefixes[i];
		unsigned int bit = 0;

		while (bit < prefix->len &&
		       !((addr.b[bit / 8] ^ prefix->addr.b[bit / 8]) & (0x80 >> bit % 8)))
			bit++;
		if (bit == prefix->len)
			return true;
	}
	return false;
}

Test(config_reading, all_of_ipv6_is_nothing_of_ipv4)
{
	struct sp_config *config;

	sandbox_enter();
	sandbox_text("a.conf",
		     INTERFACES "destinations = ( { name = \"six\"; prefixes = [\"::/0\"]; },\n"
				"	{ name = \"four\"; prefixes = [\"0.0.0.0/0\"]; } );\n");
	config = open_good("a.conf");
	cr_expect_eq(config->destinations[0].prefix_count, 96);
	cr_expect(covers(&config->destinations[0], "2001:db8::1"));
	cr_expect(covers(&config->destinations[0], "::1"));
	cr_expect(covers(&config->destinations[0], "64:ff9b::1"));
	cr_expect(covers(&config->destinations[0], "ffff::"));
	cr_expect_not(covers(&config->destinations[0], "192.0.2.1"));
	cr_expect_not(covers(&config->destinations[0], "0.0.0.0"));
	cr_expect(covers(&config->destinations[1], "192.0.2.1"));
	cr_expect_not(covers(&config->destinations[1], "2001:db8::1"));
	sp_config_close(config);
	sandbox_leave();
}

Test(config_reading, appends_conf_d_in_the_order_of_names)
{
	struct sp_config *config;

	sandbox_enter();
	cr_assert_eq(mkdir("conf.d", 0700), 0);
	sandbox_text("a.conf", INTERFACES "users = ( { name = \"main\"; } );\n");
	sandbox_text("conf.d/b.conf", "users = ( { name = \"b\"; } );\n");
	sandbox_text("conf.d/a.conf", "\nusers = ( { name = \"a\"; groups = \"late\"; } );\n");
	sandbox_text("conf.d/Z.conf", "users = ( { name = \"Z\"; } );\n");
	sandbox_text("conf.d/c.conf", "groups = ( { name = \"late\"; } );\n");
	sandbox_text("conf.d/.hidden.conf", "users = ( { name = \"hidden\"; } );\n");
	sandbox_text("conf.d/b.conf~", "users = ( { name = \"backup\"; } );\n");
	config = open_good("a.conf");
	cr_assert_eq(config->user_count, 4);
	cr_expect_str_eq(config->users[0].name, "main");
	cr_expect_str_eq(config->users[1].name, "Z");
	cr_expect_str_eq(config->users[2].name, "a");
	cr_expect_str_eq(config->users[3].name, "b");
	cr_expect_str_eq(config->users[2].source.file, "./conf.d/a.conf");
	cr_expect_eq(config->users[2].source.line, 2);
	cr_expect_eq(config->users[2].group_count, 1);
	cr_expect_eq(config->file_count, 5);
	sp_config_close(config);
	sandbox_leave();
}

/* 65533 users are read in their order; one more is a mistake. */
Test(config_reading, holds_its_limit_of_users)
{
	struct sp_config_errors errors;
	struct sp_config *config = NULL;

	sandbox_enter();
	for (uint32_t extra = 0; extra < 2; extra++) {
		FILE *stream = fopen("many.conf", "w");

		fputs(INTERFACES "users = (\n", stream);
		for (uint32_t i = 0; i < SP_CONFIG_USERS_MAX + extra; i++)
			fprintf(stream, "%s{ name = \"u%u\"; }\n", i ? "," : "", i);
		fputs(");\n", stream);
		fclose(stream);
		if (!extra) {
			config = open_good("many.conf");
			cr_expect_eq(config->user_count, SP_CONFIG_USERS_MAX);
			cr_expect_str_eq(config->users[65532].name, "u65532");
			sp_config_close(config);
			continue;
		}
		cr_assert_eq(sp_config_open("many.conf", &config, &errors), -EINVAL);
		cr_expect_str_eq(errors.list[0].text, "many.conf:2: users: found 65534 entries, "
						      "expected at most 65533");
		sp_config_errors_fini(&errors);
	}
	sandbox_leave();
}

Test(config_reading, finds_the_control_socket_in_spite_of_mistakes)
{
	char *path;

	sandbox_enter();
	sandbox_text("bad.conf", "gateway = { control = \"here.sock\"; oops = 1; };\n");
	path = sp_config_control_path("bad.conf");
	cr_expect_str_eq(path, "./here.sock");
	free(path);
	sandbox_text("worse.conf", "gateway = { control = ");
	path = sp_config_control_path("worse.conf");
	cr_expect_str_eq(path, SP_CONFIG_CONTROL_PATH);
	free(path);
	path = sp_config_control_path("absent.conf");
	cr_expect_str_eq(path, SP_CONFIG_CONTROL_PATH);
	free(path);
	sandbox_leave();
}

Test(config_reading, makes_a_zone_one_of_the_users)
{
	struct sp_config *config;

	sandbox_enter();
	sandbox_text(
		"zones.conf",
		"interfaces = ( { name = \"eth0\"; roles = [\"egress\"]; },\n"
		"	{ name = \"in0\"; roles = [\"inside\"]; } );\n"
		"users = ( { name = \"zoe\"; } );\n"
		"zones = ( { name = \"app\"; interface = \"in0\"; prefixes = [\"10.1.0.0/16\"];\n"
		"	limit = { up = \"8 Mbit/s\"; down = \"unlimited\"; }; flows_max = 9; },\n"
		"	{ name = \"db\"; interface = \"in0\"; prefixes = \"fd00::/48\"; } );\n"
		"policy = ( { name = \"r\"; from = [\"db\", \"zoe\"]; to = \"any\";\n"
		"	action = \"allow\"; } );\n");
	config = open_good("zones.conf");
	cr_assert_eq(config->zone_count, 2);
	cr_assert_eq(config->user_count, 3);
	cr_expect_eq(config->zones[1].iface, 1);
	cr_expect_eq(config->zones[1].user, 2);
	assert_prefix(&config->zones[0].prefixes[0], "10.1.0.0/16");
	cr_expect_str_eq(config->users[1].name, "app");
	cr_expect(config->users[1].is_zone && !config->users[0].is_zone);
	cr_expect_eq(config->users[1].limit.up_bps, 8000000);
	cr_expect_eq(config->users[1].limit.down_bps, 0);
	cr_expect_eq(config->users[1].limit.burst_bytes, 500000);
	cr_expect_eq(config->users[1].flows_max, 9);
	cr_expect_eq(config->users[2].flows_max, 65536);
	cr_assert_eq(config->rules[0].user_count, 2);
	cr_expect_eq(config->rules[0].users[0], 2);
	cr_expect_eq(config->rules[0].users[1], 0);
	sp_config_close(config);
	sandbox_leave();
}
