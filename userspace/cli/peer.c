/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cli/ask.h"
#include "cli/file.h"
#include "cli/qr.h"

SP_DEFINE_CLEANUP(struct sp_config *, sp_config_close)
#define _cleanup_config_ _cleanup_(sp_config_close_p)

static enum sp_cli_exit failed(const char *verb, const char *object, int rc)
{
	fprintf(stderr, "sallyport: failed to %s %s: %s\n", verb, object, strerror(-rc));
	return SP_CLI_FAILED;
}

/* Two administrators at once must not be given the same address: one at a time. */
static int lock(const struct sp_cli *cli)
{
	int fd = open(cli->config_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && flock(fd, LOCK_EX) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static const struct sp_config_peer *find_peer(const struct sp_config *config, const char *name)
{
	for (uint32_t i = 0; i < config->peer_count; i++) {
		if (!strcmp(config->peers[i].name, name))
			return &config->peers[i];
	}
	return NULL;
}

static const struct sp_config_wireguard *find_wireguard(const struct sp_config *config,
							const char *name)
{
	if (!name)
		return config->wireguard_count == 1 ? &config->wireguards[0] : NULL;
	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		if (!strcmp(config->wireguards[i].name, name))
			return &config->wireguards[i];
	}
	return NULL;
}

static bool has_user(const struct sp_config *config, const char *name)
{
	for (uint32_t i = 0; i < config->user_count; i++) {
		if (!strcmp(config->users[i].name, name))
			return true;
	}
	return false;
}

/* What is missing for a new peer, said; or false. */
static bool lacks_something(const struct sp_cli *cli, const struct sp_config *config,
			    const struct sp_new_peer *peer)
{
	const struct sp_config_peer *other = find_peer(config, peer->name);

	if (!sp_config_name_valid(peer->name))
		fprintf(stderr,
			"sallyport: found \"%s\", expected a name: a letter or digit, then up to "
			"30 of A-Z a-z 0-9 . _ -\n",
			peer->name);
	else if (other)
		fprintf(stderr, "sallyport: a peer %s is there already: %s:%u\n", peer->name,
			other->source.file, other->source.line);
	else if (!has_user(config, peer->user))
		fprintf(stderr, "sallyport: there is no user %s in the configuration\n",
			peer->user);
	else if (!peer->wireguard)
		fprintf(stderr, "sallyport: there %s: say which with --wireguard NAME\n",
			cli->wireguard		  ? "is no such listener"
			: config->wireguard_count ? "are several listeners"
						  : "is no listener");
	else if (!peer->endpoint)
		fprintf(stderr,
			"sallyport: wireguard.%s has no endpoint, so clients cannot know where "
			"to connect: set it, or say --endpoint HOST:PORT\n",
			peer->wireguard->name);
	else if (!sp_config_endpoint_valid(peer->endpoint))
		fprintf(stderr, "sallyport: found --endpoint %s, expected HOST:PORT\n",
			peer->endpoint);
	else
		return false;
	return true;
}

/* The daemon may be down: then the next start takes the change over. */
static enum sp_cli_exit reload(const struct sp_cli *cli, bool *ret_reloaded)
{
	json_t *result = NULL;
	enum sp_cli_exit code = sp_cli_request(cli, "reload", &result);

	json_decref(result);
	*ret_reloaded = code == SP_CLI_OK;
	if (code != SP_CLI_NO_DAEMON)
		return code;
	fputs("sallyport: the files are in place; the daemon takes them over when it starts\n",
	      stderr);
	return SP_CLI_OK;
}

static int write_gateway_files(const struct sp_config *config, const struct sp_new_peer *peer)
{
	_cleanup_free_ char *conf = sp_peer_file_path(config, peer->name, ".conf");
	_cleanup_free_ char *psk = sp_peer_file_path(config, peer->name, ".psk");
	char text[SP_NEW_PEER_TEXT], key[SP_KEY_TEXT + 1];
	int rc;

	if (!conf || !psk)
		return -ENOMEM;
	rc = sp_new_peer_gateway_text(peer, text);
	if (rc)
		return rc;
	if (mkdir(config->gateway.conf_dir, 0750) < 0 && errno != EEXIST)
		return -errno;
	if (peer->has_preshared_key) {
		sp_key_format(&peer->preshared_key, key);
		memcpy(key + SP_KEY_TEXT - 1, "\n", 2);
		rc = sp_file_create(psk, 0600, key);
		sp_secret_wipe(key, sizeof(key));
	}
	if (rc)
		return rc;
	rc = sp_file_create(conf, 0640, text);
	if (rc && peer->has_preshared_key)
		sp_file_remove(psk);
	return rc;
}

static void print_added(const struct sp_cli *cli, const struct sp_new_peer *peer, const char *out,
			bool reloaded)
{
	json_t *addresses = json_array();
	char addr[SP_ADDR_TEXT], key[SP_KEY_TEXT];
	json_t *answer;

	if (!cli->json) {
		printf("peer %s of %s:", peer->name, peer->user);
		for (uint32_t i = 0; i < peer->address_count; i++)
			printf("%s %s", i ? "," : "", sp_addr_format(&peer->addresses[i], addr));
		printf("\nconfiguration for the client, with its private key: %s\n", out);
		json_decref(addresses);
		return;
	}
	for (uint32_t i = 0; i < peer->address_count; i++)
		json_array_append_new(addresses,
				      json_string(sp_addr_format(&peer->addresses[i], addr)));
	answer = json_pack("{s:s, s:s, s:s, s:o, s:s, s:b}", "name", peer->name, "user", peer->user,
			   "public_key", sp_key_format(&peer->public_key, key), "addresses",
			   addresses, "file", out, "reloaded", reloaded);
	sp_cli_json_print(answer);
	json_decref(answer);
}

/* The client's file first: a peer whose private key is lost is worse than a file too many. */
static enum sp_cli_exit write_files(const struct sp_cli *cli, const struct sp_config *config,
				    const struct sp_new_peer *peer, const char *out)
{
	char text[SP_NEW_PEER_TEXT];
	bool reloaded = false;
	enum sp_cli_exit code;
	int rc;

	rc = sp_new_peer_client_text(peer, text);
	if (!rc)
		rc = sp_file_create(out, 0600, text);
	if (rc) {
		sp_secret_wipe(text, sizeof(text));
		return failed("write", out, rc);
	}
	rc = write_gateway_files(config, peer);
	if (rc) {
		sp_file_remove(out);
		sp_secret_wipe(text, sizeof(text));
		return failed("write into", config->gateway.conf_dir, rc);
	}
	code = reload(cli, &reloaded);
	print_added(cli, peer, out, reloaded);
	if (!cli->json && ((cli->given & SP_CLI_QR) || isatty(STDOUT_FILENO)))
		sp_qr_print(stdout, text);
	sp_secret_wipe(text, sizeof(text));
	return code;
}

enum sp_cli_exit sp_cli_peer_add(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	struct sp_new_peer peer = {.name = cli->args[0],
				   .user = cli->user,
				   .has_preshared_key = cli->given & SP_CLI_PSK};
	_cleanup_config_ struct sp_config *config = NULL;
	_cleanup_close_ int guard = lock(cli);
	_cleanup_free_ char *own_out = NULL;
	enum sp_cli_exit code;
	int rc;

	if (guard < 0)
		return failed("open", cli->config_file, -errno);
	if (!cli->user) {
		fputs("sallyport: peer add: say whose it is with --user USER\n", stderr);
		return SP_CLI_USAGE;
	}
	code = sp_cli_config_open(cli, &config);
	if (code)
		return code;
	peer.wireguard = find_wireguard(config, cli->wireguard);
	if (peer.wireguard)
		peer.endpoint = cli->endpoint ? cli->endpoint : peer.wireguard->endpoint;
	if (lacks_something(cli, config, &peer))
		return SP_CLI_FAILED;
	if (asprintf(&own_out, "%s.conf", peer.name) < 0) {
		own_out = NULL;
		return failed("name", peer.name, -ENOMEM);
	}
	rc = sp_new_peer_make(config, &peer);
	if (rc == -ENOSPC) {
		fprintf(stderr, "sallyport: wireguard.%s has no free address left\n",
			peer.wireguard->name);
		code = SP_CLI_FAILED;
	} else if (rc) {
		code = failed("make keys for", peer.name, rc);
	} else {
		code = write_files(cli, config, &peer, cli->out ? cli->out : own_out);
	}
	sp_new_peer_wipe(&peer);
	return code;
}

/* Whether path defines anything but this one peer: then it is not ours to remove. */
static bool is_shared(const struct sp_config *config, const char *path)
{
	uint32_t uses = 0;

#define COUNT(list, count)                           \
	for (uint32_t i = 0; i < config->count; i++) \
		uses += !strcmp(config->list[i].source.file, path);
	COUNT(ifaces, iface_count)
	COUNT(wireguards, wireguard_count)
	COUNT(groups, group_count)
	COUNT(users, user_count)
	COUNT(peers, peer_count)
	COUNT(destinations, destination_count)
	COUNT(services, service_count)
	COUNT(pools, pool_count)
	COUNT(rules, rule_count)
#undef COUNT
	return uses != 1;
}

enum sp_cli_exit sp_cli_peer_remove(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	_cleanup_config_ struct sp_config *config = NULL;
	_cleanup_free_ char *conf = NULL, *psk = NULL;
	_cleanup_close_ int guard = lock(cli);
	const struct sp_config_peer *peer;
	const char *name = cli->args[0];
	enum sp_cli_exit code;
	bool reloaded = false;
	int rc;

	if (guard < 0)
		return failed("open", cli->config_file, -errno);
	code = sp_cli_config_open(cli, &config);
	if (code)
		return code;
	peer = find_peer(config, name);
	if (!peer) {
		fprintf(stderr, "sallyport: there is no peer %s in the configuration\n", name);
		return SP_CLI_FAILED;
	}
	conf = sp_peer_file_path(config, name, ".conf");
	psk = sp_peer_file_path(config, name, ".psk");
	if (!conf || !psk)
		return failed("name the files of", name, -ENOMEM);
	if (strcmp(peer->source.file, conf) || is_shared(config, conf)) {
		fprintf(stderr,
			"sallyport: peer %s stands in %s:%u: remove it there, then: "
			"sallyport reload\n",
			name, peer->source.file, peer->source.line);
		return SP_CLI_FAILED;
	}
	rc = sp_file_remove(conf);
	if (rc)
		return failed("remove", conf, rc);
	rc = sp_file_remove(psk);
	if (rc && rc != -ENOENT)
		return failed("remove", psk, rc);
	code = reload(cli, &reloaded);
	if (cli->json)
		printf("{\"name\": \"%s\", \"reloaded\": %s}\n", name, reloaded ? "true" : "false");
	else if (!code)
		printf("peer %s is removed%s\n", name, reloaded ? " and cut off" : "");
	return code;
}
