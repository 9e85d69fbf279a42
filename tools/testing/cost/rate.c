// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rate - a TCG plugin that counts the instructions which each CPU of the emulated
 * machine executes, while it runs as fast as it can
 *
 *	-plugin rate.so,out=FILE,control=FIFO
 *
 * For each byte that comes through FIFO, FILE gets what was executed since the last
 * one, by translation block: lines "address count-of-cpu-0 count-of-cpu-1 ...", and
 * a line "E" at the end. In contrast to count.c the CPUs run at the same time, so
 * that they wait for each other as they would without it; and blocks are told apart
 * by virtual address only, the host VM's from those of a guest in it by the CPU.
 */
#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <qemu-plugin.h>

#define MAX_BLOCKS	(1U << 19)
#define MAX_CPUS	8

struct counts {
	uint64_t	n[MAX_BLOCKS];
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct qemu_plugin_scoreboard *score;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *known;		/* address to index */
static uint64_t addresses[MAX_BLOCKS];
static uint64_t last[MAX_BLOCKS][MAX_CPUS];
static unsigned int nr_blocks = 1;	/* 0: those for which there is no room */
static FILE *out;
static const char *control;

static qemu_plugin_u64 entry(unsigned int i)
{
	return (qemu_plugin_u64) {
		.score = score,
		.offset = i * sizeof(uint64_t),
	};
}

static unsigned int find(uint64_t address)
{
	gpointer key = GSIZE_TO_POINTER(address);
	unsigned int i;

	pthread_mutex_lock(&lock);
	i = GPOINTER_TO_UINT(g_hash_table_lookup(known, key));
	if (!i && nr_blocks < MAX_BLOCKS) {
		i = nr_blocks++;
		addresses[i] = address;
		g_hash_table_insert(known, key, GUINT_TO_POINTER(i));
	}
	pthread_mutex_unlock(&lock);
	return i;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	unsigned int i = find(qemu_plugin_tb_vaddr(tb));

	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb,
		QEMU_PLUGIN_INLINE_ADD_U64, entry(i), qemu_plugin_tb_n_insns(tb));
}

static void dump(void)
{
	unsigned int i, cpu, nr, cpus = MIN(qemu_plugin_num_vcpus(), MAX_CPUS);
	uint64_t n[MAX_CPUS], sum, now;

	pthread_mutex_lock(&lock);
	nr = nr_blocks;
	pthread_mutex_unlock(&lock);
	for (i = 0; i < nr; i++) {
		sum = 0;
		for (cpu = 0; cpu < cpus; cpu++) {
			now = qemu_plugin_u64_get(entry(i), cpu);
			n[cpu] = now - last[i][cpu];
			last[i][cpu] = now;
			sum += n[cpu];
		}
		if (!sum)
			continue;
		fprintf(out, "%" PRIx64, addresses[i]);
		for (cpu = 0; cpu < cpus; cpu++)
			fprintf(out, " %" PRIu64, n[cpu]);
		fputc('\n', out);
	}
	fprintf(out, "E\n");
	fflush(out);
}

static void *listen_to_control(void *unused)
{
	/* For writing as well: then it has no end. */
	int fd = open(control, O_RDWR | O_CLOEXEC);
	char c;

	while (read(fd, &c, 1) == 1)
		dump();
	perror(control);
	return NULL;
}

QEMU_PLUGIN_EXPORT
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
			char **argv)
{
	pthread_t thread;

	if (argc != 2 || strncmp(argv[0], "out=", 4) ||
	    strncmp(argv[1], "control=", 8)) {
		fprintf(stderr, "rate: out=FILE,control=FIFO are missing\n");
		return -1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		perror(argv[0] + 4);
		return -1;
	}
	control = g_strdup(argv[1] + 8);
	score = qemu_plugin_scoreboard_new(sizeof(struct counts));
	known = g_hash_table_new(NULL, NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return pthread_create(&thread, NULL, listen_to_control, NULL) ? -1 : 0;
}
