/* SPDX-License-Identifier: Apache-2.0 */
/* What rules mean, slowly and obviously. Tests only, any thread. */
#ifndef SP_TESTS_POLICY_MODEL_H
#define SP_TESTS_POLICY_MODEL_H

#include "unit/policy/inner.h"
#include "unit/policy/moments.h"

static inline bool model_from(const struct sp_config *c, const struct sp_config_rule *r,
			      uint32_t user)
{
	for (uint32_t i = 0; i < r->user_count; i++)
		if (r->users[i] == user)
			return true;
	for (uint32_t i = 0; i < r->group_count; i++)
		for (uint32_t k = 0; k < c->users[user].group_count; k++)
			if (r->groups[i] == c->users[user].groups[k])
				return true;
	return r->from_any;
}

static inline bool model_to(const struct sp_config *c, const struct sp_config_rule *r,
			    const struct sp_addr *dst)
{
	for (uint32_t i = 0; i < r->destination_count; i++) {
		const struct sp_config_destination *d = &c->destinations[r->destinations[i]];

		for (uint32_t k = 0; k < d->prefix_count; k++)
			if (in_prefix(&d->prefixes[k], dst))
				return true;
	}
	return (r->to_gateway && is_gateway(c, dst)) ||
	       (r->to_any && (!r->allow || !is_inner(c, dst)));
}

static inline bool model_service(const struct sp_config *c, const struct sp_config_rule *r,
				 uint8_t proto, uint16_t port, uint16_t icmp)
{
	for (uint32_t i = 0; i < r->service_count; i++) {
		const struct sp_config_service *s = &c->services[r->services[i]];

		if (s->proto == IPPROTO_ICMP) {
			if ((proto == IPPROTO_ICMP && (!s->echo_request || icmp >> 8 == 8)) ||
			    (proto == IPPROTO_ICMPV6 && (!s->echo_request || icmp >> 8 == 128)))
				return true;
			continue;
		}
		if (s->proto && s->proto != proto)
			continue;
		if (!s->port_count)
			return true;
		if (!s->proto && proto != IPPROTO_TCP && proto != IPPROTO_UDP)
			continue;
		for (uint32_t k = 0; k < s->port_count; k++)
			if (port >= s->ports[k].min && port <= s->ports[k].max)
				return true;
	}
	return r->service_any;
}

/* From 22:00 to 06:00 belongs to the day on which it begins. */
static inline bool model_when(const struct sp_config_rule *r, const struct moment *now)
{
	const struct sp_config_schedule *s = &r->schedule;
	uint32_t z = 0, day, before, minute;

	if (r->expires_s && now->time_s >= r->expires_s)
		return false;
	if (!s->zone)
		return true;
	while (strcmp(zones[z], s->zone))
		z++;
	day = s->days >> now->weekday[z] & 1;
	before = s->days >> (now->weekday[z] + 6) % 7 & 1;
	minute = now->minute[z];
	if (s->from_min < s->to_min)
		return day && minute >= s->from_min && minute < s->to_min;
	return (day && minute >= s->from_min) || (before && minute < s->to_min);
}

/* outer NULL: no tunnel, so from no place that a rule names. */
static inline bool model_where(const struct sp_config *c, const struct sp_config_rule *r,
			       const struct sp_addr *outer)
{
	if (!outer)
		return !r->from_where;
	for (uint32_t i = 0; i < r->from_prefix_count; i++)
		if (in_prefix(&r->from_prefixes[i], outer))
			return true;
	for (uint32_t i = 0; i < r->from_country_count; i++) {
		const struct sp_config_country *country = &c->countries[r->from_countries[i]];

		for (uint32_t k = 0; k < country->prefix_count; k++)
			if (in_prefix(&country->prefixes[k], outer))
				return true;
	}
	return !r->from_where;
}

/* The first rule that matches, of those that act or of those that only count. */
static inline int model(const struct sp_config *c, const struct sp_policy_query *q, bool shadow,
			const struct circumstances *in)
{
	uint32_t user = 0;

	if (q->user_id == 1)
		return !shadow && is_inner(c, &q->dst) ? 0 : -1;
	while (user < c->user_count && c->users[user].id != q->user_id)
		user++;
	if (user == c->user_count)
		return -1;
	for (uint32_t i = 0; i < c->rule_count; i++)
		if (c->rules[i].shadow == shadow && model_when(&c->rules[i], in->now) &&
		    model_where(c, &c->rules[i], in->outer) && model_from(c, &c->rules[i], user) &&
		    model_to(c, &c->rules[i], &q->dst) &&
		    model_service(c, &c->rules[i], q->proto, ntohs(q->dport_be), q->icmp))
			return (int)i + 1;
	return -1;
}

#endif
