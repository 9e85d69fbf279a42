// SPDX-License-Identifier: GPL-2.0
/*
 * Are writes that a disk has acknowledged still there?
 *
 * durable write DISK OPERATIONS STATE
 *	In the guest, through Linux's driver: several threads write, write with FUA
 *	and flush, so often or until SIGTERM. STATE is read if it exists, and at the
 *	end has what became of each write. Exit status 2: an I/O error ended it.
 * durable check DISK STATE [durable]
 *	All writes that were acknowledged are there; with "durable", as after a loss
 *	of power, those that FUA or a flush has made durable.
 * durable replay LOG STATE...
 *	LOG is of dm-log-writes, with one mark for each STATE. Power may be lost after
 *	any entry of it: what was durable when a write began that is there, or when a
 *	mark was set, is there as well.
 *
 * Of each unit, writes are numbered, and each goes to another place, until the disk
 * is full: disks with a cache may have one for new blocks only, as null_blk does.
 * A block tells for each unit which write was durable before its own began.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nvme_ioctl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BLOCK		4096
#define THREADS		4
/* Every thread has units of its own, so that their order is known. */
#define OWN		64
#define UNITS		(THREADS * OWN)
/* Blocks of a unit; a write begins with the first */
#define MOST		8
/* Most writes of a unit */
#define WRITES		65536

#define MAGIC		0x656c626172754421ULL

#define NVME_WRITE	0x01
#define NVME_FUA	(1U << 30)

/* Words that a block has beside what it tells */
#define FILL		(BLOCK / 4 - UNITS - 7)

struct block {
	uint64_t	magic;
	uint32_t	unit;
	uint32_t	seq;
	uint32_t	index;
	uint32_t	blocks;
	uint32_t	sum;
	uint32_t	durable[UNITS];
	uint32_t	fill[FILL];
};

/* What became of a write; as a character, in STATE */
enum { BEGUN = 'b', DONE = 'd', DURABLE = 'D' };

/*
 * By unit: the writes from 1 on, as a string; their number; the last durable one; up
 * to which all are
 */
static struct state {
	char		writes[WRITES + 1];
	uint32_t	begun;
	uint32_t	durable;
	uint32_t	flushed;
} state[UNITS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int disk;
/* Places for each unit */
static uint32_t places;
static unsigned int nsid, sectors_shift;
static long operations;
static bool failed;
static long count_write, count_fua, count_flush;

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static uint32_t sum(const struct block *b)
{
	const uint32_t *p = (const uint32_t *)b;
	uint64_t h = 0xcbf29ce484222325ULL;
	size_t i;

	for (i = 0; i < BLOCK / sizeof(*p); i++) {
		if (p + i == &b->sum)
			continue;
		h = (h ^ p[i]) * 0x100000001b3ULL;
		h ^= h >> 29;
	}
	return h;
}

/* Sets also what follows from it */
static void mark(uint32_t unit, uint32_t seq, char what)
{
	struct state *s = &state[unit];

	s->writes[seq - 1] = what;
	if (s->begun < seq)
		s->begun = seq;
	if (what == DURABLE && s->durable < seq)
		s->durable = seq;
}

static void state_read(const char *path)
{
	FILE *f = fopen(path, "r");
	static char line[WRITES + 3];
	uint32_t unit, i;

	if (!f)
		die("%s: %s", path, strerror(errno));
	memset(state, 0, sizeof(state));
	for (unit = 0; unit < UNITS; unit++) {
		if (!fgets(line, sizeof(line), f) || line[0] != '|')
			die("%s is not complete", path);
		for (i = 1; line[i] != '\n'; i++)
			mark(unit, i, line[i]);
	}
	fclose(f);
}

static void state_write(const char *path)
{
	FILE *f = fopen(path, "w");
	uint32_t unit;

	if (!f)
		die("%s: %s", path, strerror(errno));
	for (unit = 0; unit < UNITS; unit++)
		fprintf(f, "|%s\n", state[unit].writes);
	if (fclose(f))
		die("%s: %s", path, strerror(errno));
}

static void disk_open(const char *path, int flags)
{
	off_t size;

	disk = open(path, flags | O_DIRECT);
	if (disk < 0)
		die("%s: %s", path, strerror(errno));
	size = lseek(disk, 0, SEEK_END);
	places = size / (UNITS * MOST * BLOCK);
	if (!places)
		die("%s is too small", path);
}

/* The first block of a write */
static uint64_t place(uint32_t unit, uint32_t seq)
{
	return ((uint64_t)((seq - 1) % places) * UNITS + unit) * MOST;
}

/*
 * Writing
 */

static void stopped(const char *what, int err, int status)
{
	pthread_mutex_lock(&lock);
	if (!failed && status > 0)
		printf("%s: NVMe status %#x\n", what, status);
	else if (!failed)
		printf("%s: %s\n", what, strerror(err));
	failed = true;
	pthread_mutex_unlock(&lock);
}

static void prepare(struct block *b, uint32_t unit, uint32_t seq,
		    uint32_t blocks)
{
	uint32_t i, index;

	for (index = 0; index < blocks; index++, b++) {
		b->magic = MAGIC;
		b->unit = unit;
		b->seq = seq;
		b->index = index;
		b->blocks = blocks;
		for (i = 0; i < UNITS; i++)
			b->durable[i] = state[i].durable;
		for (i = 0; i < FILL; i++)
			b->fill[i] = seq * 2654435761U + i;
		b->sum = sum(b);
	}
}

static void write_unit(struct block *buf, uint32_t unit, uint32_t blocks,
		       bool fua)
{
	struct nvme_passthru_cmd cmd = {
		.opcode = NVME_WRITE,
		.nsid = nsid,
		.addr = (uintptr_t)buf,
		.data_len = blocks * BLOCK,
		.cdw12 = ((blocks << sectors_shift) - 1) | NVME_FUA,
	};
	uint32_t seq;
	uint64_t at;
	int ret;

	pthread_mutex_lock(&lock);
	seq = state[unit].begun + 1;
	mark(unit, seq, BEGUN);
	prepare(buf, unit, seq, blocks);
	pthread_mutex_unlock(&lock);

	at = place(unit, seq);
	cmd.cdw10 = at << sectors_shift;
	cmd.cdw11 = at << sectors_shift >> 32;
	if (fua)
		ret = ioctl(disk, NVME_IOCTL_IO_CMD, &cmd);
	else
		ret = pwrite(disk, buf, blocks * BLOCK, at * BLOCK) ==
		      (ssize_t)blocks * BLOCK ? 0 : -1;
	if (ret) {
		stopped(fua ? "write with FUA" : "write", errno, ret);
		return;
	}

	pthread_mutex_lock(&lock);
	mark(unit, seq, fua ? DURABLE : DONE);
	*(fua ? &count_fua : &count_write) += 1;
	pthread_mutex_unlock(&lock);
}

static void flush(void)
{
	uint32_t begun[UNITS], unit, seq;

	/* Of each unit all writes are over but for the last, perhaps. */
	pthread_mutex_lock(&lock);
	for (unit = 0; unit < UNITS; unit++) {
		begun[unit] = state[unit].begun;
		if (begun[unit] &&
		    state[unit].writes[begun[unit] - 1] == BEGUN)
			begun[unit]--;
	}
	pthread_mutex_unlock(&lock);

	if (fsync(disk)) {
		stopped("flush", errno, 0);
		return;
	}

	pthread_mutex_lock(&lock);
	for (unit = 0; unit < UNITS; unit++) {
		for (seq = begun[unit]; seq > state[unit].flushed; seq--)
			if (state[unit].writes[seq - 1] == DONE)
				mark(unit, seq, DURABLE);
		if (state[unit].flushed < begun[unit])
			state[unit].flushed = begun[unit];
	}
	count_flush++;
	pthread_mutex_unlock(&lock);
}

static void *writer(void *arg)
{
	unsigned int id = (uintptr_t)arg, seed = id + getpid();
	struct block *buf = aligned_alloc(BLOCK, MOST * BLOCK);
	uint32_t unit;
	int what;

	if (!buf)
		die("no memory");
	while (!__atomic_load_n(&failed, __ATOMIC_RELAXED) &&
	       __atomic_sub_fetch(&operations, 1, __ATOMIC_RELAXED) >= 0) {
		what = rand_r(&seed) % 20;
		unit = id * OWN + rand_r(&seed) % OWN;
		if (!what)
			flush();
		else if (state[unit].begun < WRITES)
			write_unit(buf, unit, rand_r(&seed) % MOST + 1, what < 5);
	}
	free(buf);
	return NULL;
}

static void enough(int sig)
{
	(void)sig;
	__atomic_store_n(&operations, 0, __ATOMIC_RELAXED);
}

static int cmd_write(const char *path, const char *ops, const char *file)
{
	pthread_t thread[THREADS];
	uintptr_t i;
	int lba;

	disk_open(path, O_RDWR);
	nsid = ioctl(disk, NVME_IOCTL_ID);
	if (ioctl(disk, BLKSSZGET, &lba) || (int)nsid <= 0)
		die("%s is no NVMe namespace", path);
	while ((lba << sectors_shift) < BLOCK)
		sectors_shift++;
	if (!access(file, F_OK))
		state_read(file);
	operations = atol(ops);
	signal(SIGTERM, enough);

	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, writer, (void *)i))
			die("no thread");
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	state_write(file);
	printf("%ld writes, %ld with FUA, %ld flushes\n", count_write,
	       count_fua, count_flush);
	return failed ? 2 : 0;
}

/*
 * Checking
 */

static bool block_good(const struct block *b, uint64_t at)
{
	return b->magic == MAGIC && b->sum == sum(b) && b->unit < UNITS &&
	       b->unit == at / MOST % UNITS && b->index == at % MOST &&
	       b->seq && b->seq <= WRITES && b->index < b->blocks &&
	       b->blocks <= MOST;
}

/* The write that is there: a whole one, if it has to be; 0: none */
static uint32_t unit_seq(struct block *buf, uint32_t unit, uint32_t seq,
			 bool durable)
{
	static const struct block none;
	uint64_t at = place(unit, seq);
	uint32_t i, found;
	char is;

	if (pread(disk, buf, MOST * BLOCK, at * BLOCK) != MOST * BLOCK)
		die("reading: %s", strerror(errno));
	if (!memcmp(buf, &none, BLOCK))
		return 0;
	found = buf->seq;
	if (!block_good(buf, at) || found > state[unit].begun ||
	    place(unit, found) != at)
		die("unit %u, write %u: no block of ours", unit, seq);
	is = state[unit].writes[found - 1];
	if (is == BEGUN || (is == DONE && durable))
		return found;
	for (i = 1; i < buf->blocks; i++)
		if (!block_good(&buf[i], at + i) || buf[i].seq != found)
			die("unit %u, write %u: block %u of %u is not there",
			    unit, found, i, buf->blocks);
	return found;
}

static int cmd_check(const char *path, const char *file, bool durable)
{
	struct block *buf = aligned_alloc(BLOCK, MOST * BLOCK);
	unsigned int there = 0, lost = 0;
	uint32_t unit, seq, found;
	char is;

	if (!buf)
		die("no memory");
	disk_open(path, O_RDONLY);
	state_read(file);
	for (unit = 0; unit < UNITS; unit++) {
		for (seq = state[unit].begun; seq; seq--) {
			/* What a later write has gone over */
			if (seq + places <= state[unit].begun)
				break;
			is = state[unit].writes[seq - 1];
			found = unit_seq(buf, unit, seq, durable);
			if (found >= seq)
				there++;
			else if (is == DURABLE || (is == DONE && !durable))
				die("unit %u, write %u (%c) is not there, but %u",
				    unit, seq, is, found);
			else if (is == DONE)
				lost++;
		}
	}
	printf("there: %u, lost, but not durable: %u\n", there, lost);
	return !there;
}

/*
 * dm-log-writes: a superblock and entries, each in a sector, with their data behind
 * them. See Documentation/admin-guide/device-mapper/log-writes.rst and dm-log-writes.c
 * in the kernel's source.
 */

#define SECTOR		512
#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_FLUSH	(1 << 0)
#define LOG_FUA		(1 << 1)
#define LOG_DISCARD	(1 << 2)
#define LOG_MARK	(1 << 3)

struct log_super {
	uint64_t	magic;
	uint64_t	version;
	uint64_t	entries;
	uint32_t	sector_size;
};

struct log_entry {
	uint64_t	sector;
	uint64_t	sectors;
	uint64_t	flags;
	uint64_t	data_len;
};

/* Of each write, how many blocks it has, and a bit for each of them that is there */
static struct {
	uint8_t blocks;
	uint8_t there;
} log_writes[UNITS][WRITES];

static void log_read(int fd, void *buf, size_t len, off_t *pos)
{
	if (pread(fd, buf, len, *pos) != (ssize_t)len)
		die("the log is too short");
	*pos += len;
}

static void log_block(const struct block *b, uint64_t at, uint64_t entry)
{
	uint32_t unit, seq;

	if (!block_good(b, at) || place(b->unit, b->seq) != at - b->index)
		die("entry %lu is no write of ours", entry);
	log_writes[b->unit][b->seq - 1].blocks = b->blocks;
	log_writes[b->unit][b->seq - 1].there |= 1 << b->index;

	for (unit = 0; unit < UNITS; unit++) {
		seq = b->durable[unit];
		if (!seq)
			continue;
		if (seq > WRITES || !log_writes[unit][seq - 1].there)
			die("entry %lu: before unit %u, write %u, there was unit %u, write %u, which is not there",
			    entry, b->unit, b->seq, unit, seq);
	}
}

static void log_mark(const char *file, uint64_t entry)
{
	uint32_t unit, i;

	state_read(file);
	for (unit = 0; unit < UNITS; unit++) {
		for (i = 0; i < state[unit].begun; i++) {
			if (state[unit].writes[i] != DURABLE)
				continue;
			if (!log_writes[unit][i].there ||
			    log_writes[unit][i].there !=
			    (1 << log_writes[unit][i].blocks) - 1)
				die("entry %lu, %s: unit %u, write %u is not there",
				    entry, file, unit, i + 1);
		}
	}
}

static int cmd_replay(const char *path, char **file, int files)
{
	static struct block data;
	unsigned long flushes = 0, fuas = 0, blocks = 0;
	struct log_super super;
	char sector[SECTOR];
	struct log_entry e;
	uint64_t entry, at;
	int log, marks = 0;
	off_t pos = 0;

	/* Without end: each write has a place of its own. */
	places = WRITES;
	log = open(path, O_RDONLY);
	if (log < 0)
		die("%s: %s", path, strerror(errno));
	log_read(log, sector, SECTOR, &pos);
	memcpy(&super, sector, sizeof(super));
	if (super.magic != LOG_MAGIC || super.version != 1 ||
	    super.sector_size != SECTOR)
		die("%s is no log of dm-log-writes", path);

	for (entry = 0; entry < super.entries && marks < files; entry++) {
		log_read(log, sector, SECTOR, &pos);
		memcpy(&e, sector, sizeof(e));
		if (e.flags & LOG_MARK) {
			log_mark(file[marks++], entry);
			continue;
		}
		flushes += !!(e.flags & LOG_FLUSH);
		fuas += !!(e.flags & LOG_FUA);
		if (e.flags & LOG_DISCARD)
			continue;
		if (e.sector * SECTOR % BLOCK || e.sectors * SECTOR % BLOCK)
			die("entry %lu is no write of ours", entry);
		at = e.sector * SECTOR / BLOCK;
		for (; e.sectors; e.sectors -= BLOCK / SECTOR) {
			log_read(log, &data, BLOCK, &pos);
			log_block(&data, at++, entry);
			blocks++;
		}
	}
	if (marks < files)
		die("%d marks of %d", marks, files);
	printf("%lu blocks, %lu writes with FUA, %lu flushes, %d marks\n",
	       blocks, fuas, flushes, marks);
	return !fuas || !flushes;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "write"))
		return cmd_write(argv[2], argv[3], argv[4]);
	if (argc >= 4 && argc <= 5 && !strcmp(argv[1], "check"))
		return cmd_check(argv[2], argv[3], argc == 5);
	if (argc >= 4 && !strcmp(argv[1], "replay"))
		return cmd_replay(argv[2], argv + 3, argc - 3);
	printf("see the top of durable.c\n");
	return 1;
}
