// SPDX-License-Identifier: GPL-2.0
/*
 * other-os FUNCTION: uses a controller as drivers other than Linux's do, one after
 * the other, none knowing of the one before: firmware, an operating system in the
 * manner of Windows, one in the manner of macOS. Fails at what these stumble over.
 * Namespace 1 is overwritten.
 *
 * What they ask for is known from reports about other emulations (see
 * Documentation/matrix.rst).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

#define MAX_QUEUES	16

static struct ctrl c;
static struct queue queues[MAX_QUEUES];

#define CHECK(cond, ...)						\
do {									\
	if (!(cond)) {							\
		printf("%s, line %d: ", __func__, __LINE__);		\
		printf(__VA_ARGS__);					\
		printf(" (CSTS %x)\n", reg32(&c, REG_CSTS));		\
		exit(1);						\
	}								\
} while (0)

/* A command that has to succeed */
static void must(struct queue *q, struct sqe *sqe, const char *what)
{
	int status = exec(&c, q, sqe);

	CHECK(!status, "%s: %s%x", what, status < 0 ? "-" : "", abs(status));
}

static uint8_t *identify(uint8_t cns, uint32_t nsid)
{
	struct sqe sqe = {
		.opcode = ADMIN_IDENTIFY,
		.nsid = htole32(nsid),
		.cdw10 = htole32(cns),
	};
	uint8_t *buf = dma_alloc(&c, PAGE, PAGE);

	prp_build(&c, &sqe, buf, PAGE);
	must(&c.admin, &sqe, "Identify");
	return buf;
}

static int get_log(uint8_t lid, uint32_t nsid, void *buf, size_t len)
{
	struct sqe sqe = {
		.opcode = ADMIN_GET_LOG,
		.nsid = htole32(nsid),
		.cdw10 = htole32(lid | (len / 4 - 1) << 16),
	};

	prp_build(&c, &sqe, buf, len);
	return exec(&c, &c.admin, &sqe);
}

static int feature(uint8_t opcode, uint8_t fid, uint32_t nsid, uint32_t *value)
{
	struct sqe sqe = {
		.opcode = opcode,
		.nsid = htole32(nsid),
		.cdw10 = htole32(fid),
		.cdw11 = htole32(*value),
	};
	size_t mark = c.used;
	struct cqe cqe;

	/* Some come as data. */
	prp_build(&c, &sqe, dma_alloc(&c, PAGE, PAGE), PAGE);
	CHECK(!queue_exec(&c, &c.admin, &sqe, &cqe), "feature %02x hangs", fid);
	c.used = mark;
	*value = le32toh(cqe.dw0);
	return cqe_status(&cqe);
}

static void rw(struct queue *q, uint8_t opcode, uint64_t slba, void *buf,
	       unsigned int nlb)
{
	struct sqe sqe = {
		.opcode = opcode,
		.nsid = htole32(1),
		.cdw10 = htole32(slba),
		.cdw12 = htole32(nlb - 1),
	};
	size_t mark = c.used;

	prp_build(&c, &sqe, buf, nlb * 512);
	must(q, &sqe, opcode == IO_READ ? "Read" : "Write");
	c.used = mark;
}

static void fill(uint32_t *buf, size_t len, uint32_t seed)
{
	while (len) {
		*buf++ = seed *= 2654435761U;
		len -= 4;
	}
}

/* Written and read back, by queues of any kind */
static void io(struct queue *q, uint64_t slba, unsigned int nlb, uint32_t seed)
{
	size_t mark = c.used;
	void *out = dma_alloc(&c, nlb * 512, PAGE);
	void *in = dma_alloc(&c, nlb * 512, PAGE);

	fill(out, nlb * 512, seed);
	rw(q, IO_WRITE, slba, out, nlb);
	rw(q, IO_READ, slba, in, nlb);
	CHECK(!memcmp(in, out, nlb * 512), "queue %u read what it has not written",
	      q->id);
	c.used = mark;
}

/* Two entries in each queue, one pair of them, polling; and no goodbye */
static void firmware(void)
{
	unsigned int i;

	CHECK(!ctrl_disable(&c) && !ctrl_enable(&c, 2), "not enabled");
	identify(1, 0);
	identify(0, 1);
	CHECK(!queue_create(&c, &queues[0], 1, 2, 0, 0), "no queues");
	for (i = 0; i < 20; i++)
		io(&queues[0], i, 1 + i, 7 + i);
}

/* INTx follows the queue, and the mask in INTMS and INTMC. */
static void interrupts(struct queue *q)
{
	uint8_t *buf = dma_alloc(&c, PAGE, PAGE);
	struct sqe sqe = { .opcode = IO_READ, .nsid = htole32(1) };
	uint64_t end = now_ms() + c.timeout_ms;
	struct cqe cqe;

	CHECK(!ctrl_intx(&c), "interrupt without a completion");
	prp_build(&c, &sqe, buf, 512);
	queue_push(q, &sqe);
	queue_ring(&c, q);
	while (!ctrl_intx(&c) && now_ms() < end)
		usleep(100);
	CHECK(ctrl_intx(&c), "no interrupt");
	set_reg32(&c, REG_INTMS, 1);
	CHECK(!ctrl_intx(&c), "masked interrupt");
	set_reg32(&c, REG_INTMC, 1);
	CHECK(ctrl_intx(&c), "interrupt lost by masking");
	CHECK(!queue_wait(&c, q, &cqe, c.timeout_ms), "interrupt without an entry");
	for (end = now_ms() + c.timeout_ms; ctrl_intx(&c) && now_ms() < end; )
		usleep(100);
	CHECK(!ctrl_intx(&c), "interrupt stays after its entry was consumed");
}

/*
 * In the manner of Windows: reads the admin queue's registers back in the running
 * controller; features and logs; events requested and none expected; no shadow
 * doorbells; a queue for each CPU, all of them on one interrupt line.
 */
static void windows(void)
{
	static const uint8_t features[] = { 1, 2, 4, 5, 7, 8, 9, 0xa, 0xb };
	struct sqe event = { .opcode = ADMIN_ASYNC_EVENT };
	uint32_t value = (MAX_QUEUES - 1) | (MAX_QUEUES - 1) << 16;
	unsigned int i, j, nr;
	uint8_t *id, *log;
	uint32_t old;
	int status;

	CHECK(!ctrl_disable(&c) && !ctrl_enable(&c, 64), "not enabled");
	id = identify(1, 0);
	CHECK(reg32(&c, REG_AQA) == 0x3f003f, "AQA %x", reg32(&c, REG_AQA));
	CHECK(reg64(&c, REG_ASQ) == dma_addr(&c, c.admin.sq), "ASQ differs");
	CHECK(reg64(&c, REG_ACQ) == dma_addr(&c, c.admin.cq), "ACQ differs");
	identify(2, 0);
	identify(3, 1);
	identify(5, 1);
	identify(6, 0);
	identify(0, 1);
	log = dma_alloc(&c, PAGE, PAGE);
	for (i = 0; i < sizeof(features); i++) {
		old = 0;
		status = feature(ADMIN_GET_FEATURES, features[i], 1, &old);
		CHECK(!status, "Get Features %02x: %x", features[i], status);
	}
	status = feature(ADMIN_SET_FEATURES, 7, 0, &value);
	CHECK(!status, "Number of Queues: %x", status);
	nr = (value & 0xffff) + 1 < MAX_QUEUES ? (value & 0xffff) + 1 : MAX_QUEUES;
	CHECK(nr == MAX_QUEUES, "%u queues", nr);
	for (i = 1; i <= 3; i++) {
		status = get_log(i, 0xffffffff, log, 512);
		CHECK(!status, "log page %02x: %x", i, status);
	}
	CHECK(!get_log(5, 0, log, PAGE), "log page 05");
	/* Refused, and no more than that */
	for (i = 0xc0; i <= 0xc1; i++)
		CHECK(get_log(i, 0xffffffff, log, 512) > 0, "log page %x", i);
	/* What comes first is the completion of an ordinary command. */
	for (i = 0; i < 4u && i <= id[259]; i++)
		queue_push(&c.admin, &event);
	queue_ring(&c, &c.admin);
	for (i = 0; i < nr; i++) {
		status = queue_create(&c, &queues[i], 1 + i, 64, QUEUE_IEN, 0);
		CHECK(!status, "queue %u: %x", 1 + i, status);
	}
	interrupts(&queues[0]);
	interrupts(&queues[nr - 1]);
	for (j = 0; j < 8; j++)
		for (i = 0; i < nr; i++)
			io(&queues[i], 4096 + 256 * i + 16 * j, 16, 1000 + i * j);
	for (i = 0; i < nr; i += 2)
		CHECK(!queue_delete(&c, &queues[i]), "queue %u stays", 1 + i);
	CHECK(!ctrl_shutdown(&c), "no end of shutdown");
}

/*
 * In the manner of macOS: the SMART log has to be there; the admin queue and the
 * I/O queue are as long as they may be, and are filled.
 */
static void macos(void)
{
	uint32_t entries = (reg32(&c, REG_CAP) & 0xffff) + 1;
	struct sqe sqe = { .opcode = IO_READ, .nsid = htole32(1) };
	struct queue *q = &queues[0];
	uint8_t *log, *seen, *buf;
	struct cqe cqe;
	unsigned int i;

	CHECK(!ctrl_disable(&c), "not disabled");
	CHECK(!ctrl_enable(&c, entries < 4096 ? entries : 4096), "not enabled");
	log = dma_alloc(&c, PAGE, PAGE);
	CHECK(!get_log(2, 0xffffffff, log, 512), "SMART log");
	CHECK(!log[0], "critical warning %x", log[0]);
	identify(0, 1);
	CHECK(!queue_create(&c, q, 1, entries, 0, 0), "no queue of %u", entries);
	io(q, 0, 256, 77);
	buf = dma_alloc(&c, PAGE, PAGE);
	seen = dma_alloc(&c, entries, 1);
	prp_build(&c, &sqe, buf, 512);
	for (i = 0; i < 3 * entries; i += entries - 1) {
		unsigned int j;
		uint16_t first = q->cid;

		for (j = 0; j < entries - 1; j++)
			queue_push(q, &sqe);
		queue_ring(&c, q);
		memset(seen, 0, entries);
		for (j = 0; j < entries - 1; j++) {
			uint16_t cid;

			CHECK(!queue_wait(&c, q, &cqe, c.timeout_ms),
			      "%u of %u commands completed", j, entries - 1);
			cid = le16toh(cqe.cid) - first;
			CHECK(cid < entries - 1 && !seen[cid]++,
			      "completion of command %u", cid);
			CHECK(!cqe_status(&cqe), "status %x", cqe_status(&cqe));
		}
	}
	CHECK(!queue_delete(&c, q), "queue stays");
	CHECK(!ctrl_shutdown(&c), "no end of shutdown");
}

int main(int argc, char **argv)
{
	if (argc != 2 || ctrl_open(&c, argv[1]))
		return 2;
	firmware();
	windows();
	firmware();
	macos();
	CHECK(!ctrl_disable(&c), "not disabled");
	return 0;
}
