/* SPDX-License-Identifier: Apache-2.0 */
/* Replays corpora through a fuzz target without libFuzzer: every file of every directory given. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A copy of exactly the file's length, so that the sanitizer sees the first byte beyond it. */
static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t got;

	if (!f || fstat(fileno(f), &st) || !S_ISREG(st.st_mode)) {
		if (f)
			fclose(f);
		return 0;
	}
	data = malloc((size_t)st.st_size + !st.st_size);
	got = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (!data || got != (size_t)st.st_size) {
		fprintf(stderr, "fuzz: failed to read %s\n", path);
		exit(1);
	}
	LLVMFuzzerTestOneInput(data, got);
	free(data);
	return 1;
}

static int replay_directory(const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	char path[4096];
	int count = 0;

	if (!d) {
		fprintf(stderr, "fuzz: failed to open %s\n", directory);
		exit(1);
	}
	while ((entry = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		count += replay_file(path);
	}
	closedir(d);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_directory(argv[i]);
	printf("%d inputs\n", count);
	return count == 0; /* an empty corpus proves nothing */
}
