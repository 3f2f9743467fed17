/* SPDX-License-Identifier: Apache-2.0 */
/* links: base config */
/* Any bytes as a configuration file: either a config or at least one mistake, and no leak. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_config_errors errors;
	struct sp_config *config = NULL;
	char path[32];
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	switch (sp_config_open(path, &config, &errors)) {
	case 0:
		if (!config || errors.count)
			abort();
		break;
	case -EINVAL:
		if (config || !errors.count)
			abort();
		break;
	default:
		abort();
	}
	sp_config_close(config);
	sp_config_errors_fini(&errors);
	close(fd);
	return 0;
}
