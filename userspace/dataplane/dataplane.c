// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <xdp/libxdp.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/state.h"

SP_DEFINE_CLEANUP(struct sp_dataplane *, sp_dataplane_close)

static void print_debug(const char *format, va_list args)
{
	char line[512];
	int n = vsnprintf(line, sizeof(line), format, args);

	if (n <= 0)
		return;
	line[strcspn(line, "\n")] = '\0';
	sp_debug("dataplane: %s", line);
}

/* The libraries explain failures at length on stderr; what matters comes back as an error. */
static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level != LIBBPF_DEBUG)
		print_debug(format, args);
	return 0;
}

static int print_libxdp(enum libxdp_print_level level, const char *format, va_list args)
{
	if (level != LIBXDP_DEBUG)
		print_debug(format, args);
	return 0;
}

/* Array values are padded to 8 bytes in the kernel; the ABI asserts that ours have no padding. */
static int map_array(struct sp_dataplane *dp, enum sp_map_id id)
{
	struct bpf_map_info info = {};
	uint32_t info_bytes = sizeof(info);
	size_t bytes, page = (size_t)sysconf(_SC_PAGESIZE);
	void *p;
	int r;

	r = bpf_obj_get_info_by_fd(dp->map_fds[id], &info, &info_bytes);
	if (r < 0)
		return r;
	bytes = ((size_t)info.value_size * info.max_entries + page - 1) / page * page;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dp->map_fds[id], 0);
	if (p == MAP_FAILED)
		return -errno;
	dp->mapped[id] = p;
	dp->mapped_bytes[id] = bytes;
	return 0;
}

static int map_shared(struct sp_dataplane *dp)
{
	static const enum sp_map_id arrays[] = {
		SP_MAP_GATEWAY,	   SP_MAP_BUCKETS,	 SP_MAP_USERS,	SP_MAP_NEXTHOPS,
		SP_MAP_ROUTES,	   SP_MAP_DROP_LANES,	 SP_MAP_POLICY, SP_MAP_RULE_HITS,
		SP_MAP_DROP_PACES, SP_MAP_FORWARD_LANES, SP_MAP_PATHS,	SP_MAP_EGRESS_USE,
	};

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		int r = map_array(dp, arrays[i]);

		if (r < 0) {
			sp_error("dataplane: failed to map %s: %s", sp_program_map_name(arrays[i]),
				 strerror(-r));
			return r;
		}
	}
	dp->shared = (struct sp_shared){
		.gateway = dp->mapped[SP_MAP_GATEWAY],
		.buckets = dp->mapped[SP_MAP_BUCKETS],
		.users = dp->mapped[SP_MAP_USERS],
		.nexthops = dp->mapped[SP_MAP_NEXTHOPS],
		.egress_use = dp->mapped[SP_MAP_EGRESS_USE],
		.paths = dp->mapped[SP_MAP_PATHS],
		.routes = dp->mapped[SP_MAP_ROUTES],
		.drops = dp->mapped[SP_MAP_DROP_LANES],
		.policy = dp->mapped[SP_MAP_POLICY],
		.users_max = dp->config.users_max,
		.hits = dp->mapped[SP_MAP_RULE_HITS],
		.paces = dp->mapped[SP_MAP_DROP_PACES],
		.forward = dp->mapped[SP_MAP_FORWARD_LANES],
		.rules_max = dp->config.rules_max,
		.rule_buckets = 2 * dp->config.users_max + 2,
		.buckets_max = 2 * (dp->config.users_max + 1 + dp->config.rules_max + 1),
		.policy_nodes_max = dp->config.policy_nodes_max,
		.drop_lanes = (uint32_t)libbpf_num_possible_cpus() + dp->config.workers,
	};
	return 0;
}

static void publish_gateway(struct sp_dataplane *dp)
{
	struct sp_gateway *gateway = dp->shared.gateway;

	gateway->workers = dp->config.workers;
	gateway->policy_nodes_max = dp->config.policy_nodes_max;
	gateway->rules_max = dp->config.rules_max;
	gateway->drop_lane_first_worker = (uint32_t)libbpf_num_possible_cpus();
	gateway->started_ns = sp_clock_now_ns();
	if (!dp->adopted)
		gateway->open = 0;
	__atomic_store_n(&gateway->abi, SP_ABI_VERSION, __ATOMIC_RELEASE);
}

static int load(struct sp_dataplane *dp)
{
	int r = bpf_object__load(dp->object);

	if (r < 0) {
		sp_error("dataplane: failed to load the XDP program: %s", strerror(-r));
		return r;
	}
	r = sp_program_find_maps(dp->object, dp->map_fds);
	if (r < 0)
		return r;
	return map_shared(dp);
}

static int init(struct sp_dataplane *dp, const struct sp_dataplane_config *config)
{
	dp->lock_fd = -1;
	dp->config = *config;
	if (!config->pin_dir)
		return 0;
	if (strlen(config->pin_dir) + NAME_MAX >= sizeof(dp->pin_dir) || config->pin_dir[0] != '/')
		return -EINVAL;
	memcpy(dp->pin_dir, config->pin_dir, strlen(config->pin_dir) + 1);
	dp->config.pin_dir = dp->pin_dir;
	return 0;
}

int sp_dataplane_open(const struct sp_dataplane_config *config, struct sp_dataplane **ret_dp)
{
	_cleanup_(sp_dataplane_close_p) struct sp_dataplane *dp = calloc(1, sizeof(*dp));
	int r;

	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
	if (!dp)
		return -ENOMEM;
	r = init(dp, config);
	if (r < 0)
		return r;
	r = sp_program_open(&dp->config, &dp->object);
	if (r < 0) {
		sp_error("dataplane: failed to open the XDP program: %s", strerror(-r));
		return r;
	}
	r = sp_pins_open(dp);
	if (r < 0)
		return r;
	r = load(dp);
	if (r < 0)
		return r;
	publish_gateway(dp);
	r = sp_pins_commit(dp);
	if (r < 0)
		return r;
	sp_trace_open(dp);
	*ret_dp = TAKE_PTR(dp);
	return 0;
}

void sp_dataplane_close(struct sp_dataplane *dp)
{
	if (!dp)
		return;
	sp_attachments_close(dp);
	ring_buffer__free(dp->events);
	ring_buffer__free(dp->records);
	ring_buffer__free(dp->drop_events);
	for (int i = 0; i < SP_MAP_COUNT; i++) {
		if (dp->mapped[i])
			munmap(dp->mapped[i], dp->mapped_bytes[i]);
	}
	sp_trace_close(dp);
	bpf_object__close(dp->object);
	if (dp->lock_fd >= 0)
		close(dp->lock_fd);
	free(dp);
}

int sp_dataplane_remove(struct sp_dataplane *dp)
{
	int r = 0;

	for (int i = 0; i < SP_IFACE_MAX; i++) {
		if (dp->attachments[i].ifindex && r == 0)
			r = sp_dataplane_detach(dp, dp->attachments[i].ifindex);
	}
	if (r < 0 || !dp->config.pin_dir)
		return r;
	return sp_dataplane_unpin(dp->config.pin_dir);
}

int sp_dataplane_unpin(const char *pin_dir)
{
	int r = sp_attachments_detach_pinned(pin_dir);

	return r < 0 ? r : sp_pins_remove(pin_dir);
}

struct sp_shared *sp_dataplane_shared(struct sp_dataplane *dp)
{
	return &dp->shared;
}

bool sp_dataplane_is_adopted(const struct sp_dataplane *dp)
{
	return dp->adopted;
}

int sp_dataplane_program_fd(const struct sp_dataplane *dp)
{
	return bpf_program__fd(sp_program_xdp(dp->object));
}
