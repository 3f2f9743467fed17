/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel/wireguard/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "crypto/dh.h"

SP_DEFINE_CLEANUP(struct sp_wg_device *, sp_wg_device_close)

int sp_wg_device_open(const struct sp_key *private_key, const struct sp_wg_upcalls *upcalls,
		      void *arg, struct sp_wg_device **ret_device)
{
	_cleanup_(sp_wg_device_close_p) struct sp_wg_device *device = calloc(1, sizeof(*device));
	int rc;

	if (!device)
		return -ENOMEM;
	rc = sp_hash_probe();
	if (rc < 0)
		return rc;
	rc = sp_aead_openssl.open(&device->aead);
	if (rc < 0)
		return rc;
	device->up = upcalls;
	device->arg = arg;
	device->local.private_key = *private_key;
	rc = sp_dh_public(private_key, &device->local.public_key);
	if (rc < 0)
		return rc;
	sp_cookie_checker_init(&device->checker, &device->local.public_key);
	*ret_device = TAKE_PTR(device);
	return 0;
}

void sp_wg_device_close(struct sp_wg_device *device)
{
	struct sp_wg_peer *peer, *after;

	if (!device)
		return;
	HASH_ITER (hh, device->peers, peer, after)
		sp_wg_peer_remove(peer);
	sp_aead_openssl.close(device->aead);
	sp_secret_wipe(device, sizeof(*device));
	free(device);
}

void sp_wg_device_set_under_load(struct sp_wg_device *device, bool under_load)
{
	device->under_load = under_load;
}

void sp_wg_device_public_key(const struct sp_wg_device *device, struct sp_key *ret_key)
{
	*ret_key = device->local.public_key;
}

/* 5.4.4: whoever does not know our public key is not worth a DH, nor an answer. */
static enum sp_wg_result check_macs(struct sp_wg_device *device, uint64_t now_ns,
				    const struct sp_wg_address *from, const void *message,
				    size_t len)
{
	const struct sp_cookie_random random = {.fill = device->up->random, .arg = device->arg};
	struct sp_wg_cookie_reply reply;

	if (!sp_cookie_mac1_is_valid(&device->checker, message, len))
		return SP_WG_E_MAC1;
	if (!device->under_load ||
	    sp_cookie_mac2_is_valid(&device->checker, now_ns, &from->remote, &random, message, len))
		return SP_WG_OK;
	sp_cookie_create_reply(&device->checker, device->aead, now_ns, &from->remote, &random,
			       message, len, &reply);
	device->up->send(device->arg, from, &reply, sizeof(reply));
	return SP_WG_E_COOKIE_SENT;
}

static size_t length_of(uint32_t type)
{
	static const size_t lengths[] = {[SP_WG_INITIATION] = SP_WG_INITIATION_BYTES,
					 [SP_WG_RESPONSE] = SP_WG_RESPONSE_BYTES,
					 [SP_WG_COOKIE_REPLY] = SP_WG_COOKIE_BYTES};

	return type < sizeof(lengths) / sizeof(lengths[0]) ? lengths[type] : 0;
}

union message {
	uint32_t type_le;
	struct sp_wg_initiation initiation;
	struct sp_wg_response response;
	struct sp_wg_cookie_reply cookie_reply;
};

static enum sp_wg_result consume(struct sp_wg_device *device, uint64_t now_ns,
				 const struct sp_wg_address *from, const union message *message,
				 size_t len)
{
	enum sp_wg_result result;

	if (le32toh(message->type_le) == SP_WG_COOKIE_REPLY)
		return sp_wg_handshake_on_cookie_reply(device, now_ns, &message->cookie_reply);
	result = check_macs(device, now_ns, from, message, len);
	if (result != SP_WG_OK)
		return result;
	if (le32toh(message->type_le) == SP_WG_INITIATION)
		return sp_wg_handshake_on_initiation(device, now_ns, from, &message->initiation);
	return sp_wg_handshake_on_response(device, now_ns, from, &message->response);
}

enum sp_wg_result sp_wg_device_consume(struct sp_wg_device *device, uint64_t now_ns,
				       const struct sp_wg_address *from, const void *bytes,
				       size_t len)
{
	enum sp_wg_result result;
	union message message;
	size_t expected;

	if (len < sizeof(message.type_le) || len > sizeof(message))
		return SP_WG_E_LENGTH;
	memcpy(&message, bytes, len); /* datagrams need not be aligned */
	expected = length_of(le32toh(message.type_le));
	if (!expected)
		return SP_WG_E_TYPE;
	if (len != expected)
		return SP_WG_E_LENGTH;
	result = consume(device, now_ns, from, &message, len);
	if (result != SP_WG_E_MAC1) /* a stranger's noise reaches no key, and costs no more */
		sp_noise_forget(device->aead);
	return result;
}

const char *sp_wg_result_text(enum sp_wg_result result)
{
	static const char *const texts[] = {
		[SP_WG_OK] = "taken",
		[SP_WG_E_LENGTH] = "wrong length for its type",
		[SP_WG_E_TYPE] = "not a handshake message",
		[SP_WG_E_MAC1] = "sender does not know our public key",
		[SP_WG_E_COOKIE_SENT] = "under load, answered with a cookie",
		[SP_WG_E_UNKNOWN_PEER] = "no such peer",
		[SP_WG_E_AUTH] = "not authentic",
		[SP_WG_E_REPLAY] = "timestamp not greater than the last one",
		[SP_WG_E_FLOOD] = "too soon after the last initiation",
		[SP_WG_E_INDEX] = "answers no message of ours",
		[SP_WG_E_STATE] = "not possible now",
	};

	_Static_assert(sizeof(texts) / sizeof(texts[0]) == SP_WG_RESULT_COUNT, "a text for each");
	return (unsigned int)result < SP_WG_RESULT_COUNT ? texts[result] : "unknown";
}
