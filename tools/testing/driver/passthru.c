// SPDX-License-Identifier: GPL-2.0
/*
 * passthru OFF ON SEED COMMANDS: sends the same I/O commands, made by chance, to the
 * namespaces of two controllers, of which one has vhost=off and the other one vhost=on, and
 * whose disks are equal. OFF and ON are their serial numbers.
 *
 * Other than fuzz, it leaves queues, interrupts and data pointers to the guest's own driver,
 * through the passthrough ioctls of its generic devices (/dev/ng*): with one buffer
 * (IO64_CMD), or with the pieces that a command's data is in (IO64_CMD_VEC), which the
 * block layer makes pages of. What these cannot send is left out: other namespaces than the
 * device's own, the flags, and a metadata pointer. And what would lead a controller beyond
 * the buffer is not sent: nobody checks that. Of data that is not at a dword the block layer
 * would make a copy. The rest is judged as in fuzz, but for the memory of a Read that
 * fails, of which the block layer may have made a copy as well.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"

#define MOST_FAILURES	10
#define MOST_VECS	1024	/* UIO_MAXIOV */
#define TIMEOUT_MS	60000

/* Where the arena would be in the guest's memory: PRPs are only made to be undone. */
#define ADDR		(1ULL << 32)

/**
 * struct side - a controller
 * @serial: its serial number
 * @fd: generic devices of its namespaces, as in fuzz.ns
 */
struct side {
	const char	*serial;
	int		fd[NAMESPACES];
};

static struct side sides[2];
static struct side *const off = &sides[0], *const on = &sides[1];

#define FOR_SIDES(s) for ((s) = sides; (s) < sides + 2; (s)++)

static uint8_t arena[ARENA_SIZE], before[ARENA_SIZE], after[ARENA_SIZE];
static uint8_t disk[2][MOST_DATA];
static uint8_t buffer[MOST_DATA + MAX_PARAMS];
static struct fuzz f = { .arena = arena, .addr = ADDR, .page = PAGE };
static struct command cmd;
static bool sent_as_vecs;
static unsigned int sent_at;
static uint64_t seed;

static struct {
	unsigned long	commands;
	unsigned long	good;
	unsigned long	vectored;
	unsigned long	known;
	unsigned int	failures;
} count;

__attribute__((format(printf, 1, 2), noreturn))
static void lost(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("seed %llu, command %lu: ", (unsigned long long)seed,
	       count.commands);
	vprintf(fmt, args);
	putchar('\n');
	exit(1);
}

static void show(const char *what, const struct outcome *a, const struct outcome *b)
{
	const struct sqe *s = &cmd.sqe;
	unsigned int i;

	printf("seed %llu, command %lu: %s: off %04x %x, on %04x %x\n",
	       (unsigned long long)seed, count.commands, what, a->status, a->dw0,
	       b->status, b->dw0);
	printf("  opcode %02x nsid %x cdw10 %x %x %x %x %x %x, %u bytes in %u pieces\n",
	       s->opcode, le32toh(s->nsid), le32toh(s->cdw10), le32toh(s->cdw11),
	       le32toh(s->cdw12), le32toh(s->cdw13), le32toh(s->cdw14),
	       le32toh(s->cdw15), cmd.len, cmd.pieces);
	if (sent_as_vecs)
		printf("  as vectors:");
	else
		printf("  as one buffer at %x, of:", sent_at);
	for (i = 0; i < cmd.pieces && i < 8; i++)
		printf(" %x+%x", cmd.piece[i].at, cmd.piece[i].len);
	putchar('\n');
	if (++count.failures == MOST_FAILURES)
		lost("too many differences");
}

/*
 * Commands
 */

/* A passthrough ioctl; no errno is expected of any. */
static struct outcome send_cmd(int fd, unsigned long request, const struct sqe *sqe,
			       const void *data, uint32_t len)
{
	struct nvme_passthru_cmd64 c = {
		.opcode = sqe->opcode,
		.nsid = le32toh(sqe->nsid),
		.cdw2 = le32toh(sqe->cdw2),
		.cdw3 = le32toh(sqe->cdw3),
		.addr = (uintptr_t)data,
		.data_len = len,
		.cdw10 = le32toh(sqe->cdw10),
		.cdw11 = le32toh(sqe->cdw11),
		.cdw12 = le32toh(sqe->cdw12),
		.cdw13 = le32toh(sqe->cdw13),
		.cdw14 = le32toh(sqe->cdw14),
		.cdw15 = le32toh(sqe->cdw15),
		.timeout_ms = TIMEOUT_MS,
	};
	int ret = ioctl(fd, request, &c);

	if (ret < 0)
		lost("opcode %02x, %u bytes: %s", sqe->opcode, len, strerror(errno));
	return (struct outcome) { .status = ret, .dw0 = c.result };
}

static bool to_controller(const struct command *c)
{
	return c->sqe.opcode & 1;
}

/* Data goes by way of one buffer, which may begin at any dword of a page. */
static struct outcome send_flat(int fd)
{
	uint8_t *p = buffer + sent_at;
	struct outcome o;
	unsigned int i;
	uint32_t at = 0;

	for (i = 0; i < cmd.pieces; i++) {
		memcpy(p + at, arena + cmd.piece[i].at, cmd.piece[i].len);
		at += cmd.piece[i].len;
	}
	o = send_cmd(fd, NVME_IOCTL_IO64_CMD, &cmd.sqe, at ? p : NULL, at);
	if (!to_controller(&cmd))
		scatter(&f, &cmd, p);
	return o;
}

static struct outcome send_vecs(int fd)
{
	static struct iovec iov[MOST_VECS];
	unsigned int i;

	for (i = 0; i < cmd.pieces; i++)
		iov[i] = (struct iovec) {
			arena + cmd.piece[i].at, cmd.piece[i].len,
		};
	return send_cmd(fd, NVME_IOCTL_IO64_CMD_VEC, &cmd.sqe, iov, cmd.pieces);
}

/* All blocks, between a namespace and disk[] */
static void transfer(struct side *s, unsigned int n, uint8_t opcode)
{
	const struct ns *ns = &f.ns[n];
	struct sqe sqe = {
		.opcode = opcode,
		.nsid = htole32(ns->nsid),
		.cdw12 = htole32(ns->blocks - 1),
	};
	struct outcome o = send_cmd(s->fd[n], NVME_IOCTL_IO64_CMD, &sqe,
				    disk[s - sides], ns->blocks << ns->shift);

	if (o.status)
		lost("%s: all blocks, opcode %x: %04x", s->serial, opcode, o.status);
}

/*
 * Are the namespaces equal? What is on them is expected from now on. @changed: the one of
 * vhost=on has something else than expected.
 */
static unsigned int compare_disks(unsigned int n, bool *changed)
{
	struct ns *ns = &f.ns[n];
	size_t len = ns->blocks << ns->shift;
	struct side *s;

	FOR_SIDES(s)
		transfer(s, n, IO_READ);
	*changed = memcmp(ns->content, disk[1], len);
	memcpy(ns->content, disk[1], len);
	if (!memcmp(disk[0], disk[1], len))
		return 0;
	if (!ns->read_only) {
		memcpy(disk[0], disk[1], len);
		transfer(off, n, IO_WRITE);
	}
	return DIFF_DISK;
}

static bool passes(const struct command *c)
{
	unsigned int i;

	if (c->traits || c->sqe.flags & 0x3f || c->pieces > MOST_VECS ||
	    !find_ns(&f, le32toh(c->sqe.nsid)))
		return false;
	/* A data pointer that nobody follows */
	if (c->len && !c->pieces)
		return false;
	for (i = 0; i < c->pieces; i++)
		if ((c->piece[i].at | c->piece[i].len) & 3)
			return false;
	return true;
}

static void generate(void)
{
	const struct window all = {
		.data = { 0, DATA_SIZE },
		.lists = { DATA_SIZE, DATA_SIZE + LISTS_SIZE },
		.slots = 1,
	};

	do
		gen_any(&f, &all, &cmd);
	while (!passes(&cmd));
	cmd.sqe.flags = 0;
	cmd.sqe.prp1 = 0;
	cmd.sqe.prp2 = 0;
	cmd.sqe.mptr = 0;
}

static void one(void)
{
	unsigned int first = rng_below(&f.rng, 2), i, n, diff = 0;
	bool changed = false;
	struct outcome o[2];

	generate();
	for (n = 0; f.ns[n].nsid != le32toh(cmd.sqe.nsid); n++)
		;
	sent_as_vecs = cmd.pieces && rng_one_in(&f.rng, 2);
	sent_at = rng_one_in(&f.rng, 2) ? 0 : rng_below(&f.rng, PAGE / 4) * 4;
	count.commands++;
	count.vectored += sent_as_vecs;
	memcpy(before, arena, ARENA_SIZE);
	for (i = 0; i < 2; i++) {
		struct side *s = &sides[i ? !first : first];

		o[s - sides] = sent_as_vecs ? send_vecs(s->fd[n]) :
					      send_flat(s->fd[n]);
		if (!i)
			memcpy(after, arena, ARENA_SIZE);
		else if (memcmp(after, arena, ARENA_SIZE))
			diff |= DIFF_MEMORY;
		if (to_controller(&cmd) && memcmp(before, arena, ARENA_SIZE))
			show("memory was written", &o[0], &o[1]);
		memcpy(arena, before, ARENA_SIZE);
	}
	count.good += !o[1].status;
	if (may_write(&cmd) && !f.ns[n].read_only)
		diff |= compare_disks(n, &changed);
	if (o[1].status && changed)
		show("refused, but something was written", &o[0], &o[1]);
	if (o[0].status != o[1].status)
		diff |= DIFF_STATUS;
	if (o[0].dw0 != o[1].dw0)
		diff |= DIFF_DW0;
	if (!diff)
		return;
	if (known_difference(&f, &cmd, &o[0], &o[1], diff, false)) {
		count.known++;
		return;
	}
	show(diff & DIFF_DISK ? "disks differ" :
	     diff & DIFF_MEMORY ? "memory differs" : "completions differ",
	     &o[0], &o[1]);
}

/*
 * Devices
 */

static struct outcome identify(int fd, uint8_t cns, uint32_t nsid)
{
	const struct sqe sqe = {
		.opcode = ADMIN_IDENTIFY,
		.nsid = htole32(nsid),
		.cdw10 = htole32(cns),
	};

	return send_cmd(fd, NVME_IOCTL_ADMIN64_CMD, &sqe, buffer, PAGE);
}

static struct side *side_of(int fd)
{
	struct side *s;

	if (identify(fd, 1, 0).status)
		lost("no Identify");
	FOR_SIDES(s)
		if (!strncmp((char *)buffer + 4, s->serial, strlen(s->serial)) &&
		    buffer[4 + strlen(s->serial)] == ' ')
			return s;
	return NULL;
}

static void identify_ns(struct side *s, unsigned int n)
{
	struct ns *ns = &f.ns[n];
	unsigned int shift;
	uint64_t blocks;

	if (identify(s->fd[n], 0, ns->nsid).status)
		lost("%s: no namespace %u", s->serial, ns->nsid);
	memcpy(&blocks, buffer, sizeof(blocks));
	blocks = le64toh(blocks);
	shift = buffer[128 + 4 * (buffer[26] & 15) + 2];
	if (s == on && (blocks != ns->blocks || shift != ns->shift))
		lost("namespace %u is not the same", ns->nsid);
	ns->blocks = blocks;
	ns->shift = shift;
	ns->read_only = buffer[99] & 1;
	if (!blocks || blocks << shift > MOST_DATA)
		lost("namespace %u has %llu blocks", ns->nsid,
		     (unsigned long long)blocks);
}

static void open_devices(void)
{
	static const uint32_t nsids[NAMESPACES] = { 1, 2, 4, 5 };
	DIR *dir = opendir("/dev");
	struct dirent *d;
	struct side *s;
	unsigned int n;
	int fd, nsid;

	FOR_SIDES(s)
		for (n = 0; n < NAMESPACES; n++)
			s->fd[n] = -1;
	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, "ng", 2))
			continue;
		fd = openat(dirfd(dir), d->d_name, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			lost("%s: %s", d->d_name, strerror(errno));
		nsid = ioctl(fd, NVME_IOCTL_ID);
		s = side_of(fd);
		for (n = 0; n < NAMESPACES && nsids[n] != (uint32_t)nsid; n++)
			;
		if (s && n < NAMESPACES)
			s->fd[n] = fd;
		else
			close(fd);
	}
	for (n = 0; n < NAMESPACES; n++) {
		f.ns[n].nsid = nsids[n];
		FOR_SIDES(s) {
			if (s->fd[n] < 0)
				lost("%s has no namespace %u", s->serial, nsids[n]);
			identify_ns(s, n);
		}
		f.ns[n].content = malloc(f.ns[n].blocks << f.ns[n].shift);
		if (!f.ns[n].content)
			lost("no memory");
	}
}

static void fill(uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = rng_next(&f.rng);
}

static void begin(void)
{
	struct side *s;
	unsigned int n;
	bool changed;

	fill(arena, DATA_SIZE + LISTS_SIZE);
	for (n = 0; n < NAMESPACES; n++) {
		if (!f.ns[n].read_only) {
			fill(disk[0], MOST_DATA);
			memcpy(disk[1], disk[0], MOST_DATA);
			FOR_SIDES(s)
				transfer(s, n, IO_WRITE);
		}
	}
	/* What is on the one that cannot be written, too */
	for (n = 0; n < NAMESPACES; n++)
		if (compare_disks(n, &changed))
			lost("namespace %u is not the same", f.ns[n].nsid);
}

int main(int argc, char **argv)
{
	unsigned long commands;
	unsigned int n;
	bool changed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 5) {
		printf("usage: see the top of passthru.c\n");
		return 2;
	}
	off->serial = argv[1];
	on->serial = argv[2];
	seed = strtoull(argv[3], NULL, 0);
	commands = strtoul(argv[4], NULL, 0);
	f.rng.state = seed;
	open_devices();
	begin();
	while (count.commands < commands)
		one();
	for (n = 0; n < NAMESPACES; n++)
		if (compare_disks(n, &changed) || changed)
			lost("namespace %u is not what it should be", f.ns[n].nsid);
	printf("passthru: seed %llu: %lu commands, %lu of them succeeded, %lu with vectors; %lu known differences; %u differ\n",
	       (unsigned long long)seed, count.commands, count.good,
	       count.vectored, count.known, count.failures);
	return count.failures != 0;
}
