// SPDX-License-Identifier: GPL-2.0
/*
 * held FUNCTION TEST: admin commands that have to wait because a disk does not
 * answer. Namespace 2 is on that disk; namespace 1 is not. The host is told by a
 * line when it shall let the disk go on, or do what the test is about; that a line
 * came late makes no test fail. Both namespaces are overwritten.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

#define ENTRIES		64
/* How long is enough to see that something does not happen */
#define WHILE_US	1000000

#define ALL_NS		0xffffffff
#define STATUS_ABORTED	0x07

#define PCI_CAPABILITIES	0x34
#define PCI_CAP_EXPRESS		0x10
#define PCI_EXPRESS_CONTROL	0x08
#define PCI_EXPRESS_FLR		(1 << 15)
#define PCI_COMMAND		0x04
#define PCI_COMMAND_ON		(1 << 1 | 1 << 2 | 1 << 10)

#define FEATURE_TEMPERATURE	0x04
#define FEATURE_WRITE_CACHE	0x06
#define FEATURE_EVENTS		0x0b

#define EVENT_TEMPERATURE	(1 << 1)
#define EVENT_NAMESPACE		(1 << 8)

/* Of I/O to a valid NSID that is not attached: Invalid Field, and do not retry */
#define STATUS_NO_NS	0x4002

static const char *function;
static struct ctrl c;
static struct queue io;

#define CHECK(cond, ...)						\
do {									\
	if (!(cond)) {							\
		printf("%s, line %d: ", __func__, __LINE__);		\
		printf(__VA_ARGS__);					\
		printf(" (CSTS %x)\n", reg32(&c, REG_CSTS));		\
		exit(1);						\
	}								\
} while (0)

/* What the host waits for */
static void tell(const char *line)
{
	puts(line);
	fflush(stdout);
}

static void start(void)
{
	CHECK(!ctrl_disable(&c) && !ctrl_enable(&c, ENTRIES), "not enabled");
	CHECK(!queue_create(&c, &io, 1, ENTRIES, 0, 0), "no queues");
}

static void rw_build(struct sqe *sqe, uint8_t opcode, uint32_t nsid, void *buf)
{
	*sqe = (struct sqe) {
		.opcode = opcode,
		.nsid = htole32(nsid),
		.cdw12 = htole32(PAGE / 512 - 1),
	};
	prp_build(&c, sqe, buf, PAGE);
}

/* Before each test */
static void fill(void)
{
	struct sqe sqe;
	uint8_t *buf;
	uint32_t nsid;
	int status;

	start();
	buf = dma_alloc(&c, PAGE, PAGE);
	for (nsid = 1; nsid <= 2; nsid++) {
		rw_build(&sqe, IO_WRITE, nsid, memset(buf, 0xa0 + nsid, PAGE));
		status = exec(&c, &io, &sqe);
		CHECK(!status, "Write to namespace %u: %x", nsid, status);
	}
}

static void check_data(const uint8_t *buf, uint8_t value)
{
	unsigned int i;

	for (i = 0; i < PAGE; i++)
		CHECK(buf[i] == value, "byte %u is %02x, not %02x", i, buf[i],
		      value);
}

/* The namespace's first page has this in each byte. */
static void check_ns(uint32_t nsid, uint8_t value)
{
	uint8_t *buf = memset(dma_alloc(&c, PAGE, PAGE), 0x55, PAGE);
	struct sqe sqe;
	int status;

	rw_build(&sqe, IO_READ, nsid, buf);
	status = exec(&c, &io, &sqe);
	CHECK(!status, "Read of namespace %u: %x", nsid, status);
	check_data(buf, value);
}

static void push_admin(struct sqe *sqe)
{
	queue_push(&c.admin, sqe);
	queue_ring(&c, &c.admin);
}

static void nothing_completes(const char *what)
{
	struct cqe cqe;

	usleep(WHILE_US);
	CHECK(!queue_peek(&c, &c.admin, &cqe), "%s has not waited: %x", what,
	      cqe_status(&cqe));
}

/*
 * A Read of namespace 2 is in flight, into the returned page, since the one after
 * it is complete.
 */
static uint8_t *one_more_hangs(void)
{
	uint8_t *buf = memset(dma_alloc(&c, PAGE, PAGE), 0x55, PAGE);
	struct sqe sqe;
	struct cqe cqe;

	rw_build(&sqe, IO_READ, 2, buf);
	queue_push(&io, &sqe);
	rw_build(&sqe, IO_READ, 1, dma_alloc(&c, PAGE, PAGE));
	queue_push(&io, &sqe);
	queue_ring(&c, &io);
	CHECK(!queue_wait(&c, &io, &cqe, c.timeout_ms) && cqe.cid == sqe.cid &&
	      !cqe_status(&cqe), "Read of namespace 1");
	return buf;
}

static uint8_t *read_hangs(void)
{
	start();
	return one_more_hangs();
}

/* Until the controller is gone, and this program is told to go */
static void busy(void)
{
	read_hangs();
	tell("busy");
	for (;;)
		pause();
}

/* ... and a Format of both namespaces waits for it, after it has done the first. */
static uint8_t *format_waits(struct sqe *format)
{
	uint8_t *buf = read_hangs();

	*format = (struct sqe) {
		.opcode = ADMIN_FORMAT,
		.nsid = htole32(ALL_NS),
	};
	push_admin(format);
	nothing_completes("Format");
	return buf;
}

/* Abort ends the Format, and namespace 2 is as it was. */
static void abort_format(void)
{
	struct sqe format, sqe = { .opcode = ADMIN_ABORT };
	struct cqe cqe;
	uint8_t *buf;
	int i;

	buf = format_waits(&format);
	sqe.cdw10 = htole32((uint32_t)le16toh(format.cid) << 16);
	push_admin(&sqe);
	for (i = 0; i < 2; i++) {
		CHECK(!queue_wait(&c, &c.admin, &cqe, c.timeout_ms),
		      "Format or Abort hangs");
		CHECK(cqe_status(&cqe) ==
		      (cqe.cid == format.cid ? STATUS_ABORTED : 0),
		      "command %u: %x", le16toh(cqe.cid), cqe_status(&cqe));
	}

	tell("resume");
	CHECK(!queue_wait(&c, &io, &cqe, c.timeout_ms), "Read hangs");
	CHECK(!cqe_status(&cqe), "Read: %x", cqe_status(&cqe));
	check_data(buf, 0xa2);
	check_ns(1, 0);
	check_ns(2, 0xa2);
}

/* CC.EN = 0 ends it as well, and waits for the Read itself. */
static void reset_format(void)
{
	struct sqe format;

	format_waits(&format);
	set_reg32(&c, REG_CC, reg32(&c, REG_CC) & ~CC_EN);
	usleep(WHILE_US);
	CHECK(reg32(&c, REG_CSTS) & CSTS_RDY, "a Read is in flight");
	tell("resume");
	CHECK(!ctrl_wait(&c, CSTS_RDY, 0), "the reset hangs");
	start();
	check_ns(1, 0);
	check_ns(2, 0xa2);
}

/* Writes Initiate Function Level Reset. */
static void write_flr(void)
{
	uint16_t value;
	uint8_t at = 0, id = 0;

	CHECK(pread(c.config, &at, 1, PCI_CAPABILITIES) == 1, "no configuration");
	while (at && pread(c.config, &id, 1, at) == 1 && id != PCI_CAP_EXPRESS)
		if (pread(c.config, &at, 1, at + 1) != 1)
			at = 0;
	CHECK(at, "not a PCI Express function");

	CHECK(pread(c.config, &value, 2, at + PCI_EXPRESS_CONTROL) == 2,
	      "no Device Control");
	value |= PCI_EXPRESS_FLR;
	CHECK(pwrite(c.config, &value, 2, at + PCI_EXPRESS_CONTROL) == 2,
	      "no reset");
}

/* Of the bus behind the controller's port */
static void reset_bus(void)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "bash -c '. /bench/guest/pci.sh; hot_reset %s'", function);
	CHECK(!system(command), "no reset");
}

/* A reset of the function, in that way. The device is disabled after it. */
static void function_reset(void (*reset)(void))
{
	uint16_t value = PCI_COMMAND_ON;
	uint32_t bars[6];

	CHECK(pread(c.config, bars, sizeof(bars), 0x10) == sizeof(bars),
	      "no configuration");
	reset();
	CHECK(pwrite(c.config, bars, sizeof(bars), 0x10) == sizeof(bars) &&
	      pwrite(c.config, &value, 2, PCI_COMMAND) == 2,
	      "the registers do not come back");
}

/*
 * So does a Function Level Reset, during which the disk answers: the end of the Read
 * must not start what waits for it. The host sees when the reset has begun.
 */
static void flr_format(void)
{
	struct sqe format;

	format_waits(&format);
	tell("reset");
	function_reset(write_flr);
	start();
	check_ns(1, 0);
	check_ns(2, 0xa2);
}

/*
 * One during which the disk does not answer: nothing of the guest runs until it has, and
 * from then on the old commands write no memory. The disk answers when the host sees
 * that the guest stands still.
 */
static void late_reset(void (*reset)(void))
{
	uint8_t *buf = read_hangs(), seen[PAGE];

	check_data(buf, 0x55);
	tell("stands");
	function_reset(reset);
	memcpy(seen, buf, PAGE);
	/* Not start(), which would use the same memory again */
	CHECK(!ctrl_enable(&c, ENTRIES), "not enabled");
	CHECK(!queue_create(&c, &io, 1, ENTRIES, 0, 0), "no queues");
	check_ns(1, 0xa1);
	check_ns(2, 0xa2);
	usleep(WHILE_US);
	CHECK(!memcmp(seen, buf, PAGE), "the Read wrote after the reset");
}

static void late_flr(void)
{
	late_reset(write_flr);
}

static void late_hot_reset(void)
{
	late_reset(reset_bus);
}

/* A shutdown is complete when the disk has answered. */
static void late_shutdown(void)
{
	unsigned int limit = c.timeout_ms;
	uint8_t *buf = read_hangs(), seen[PAGE];
	int ret;

	c.timeout_ms = WHILE_US / 1000;
	ret = ctrl_shutdown(&c);
	c.timeout_ms = limit;
	CHECK(ret == -ETIMEDOUT, "shut down while a Read is in flight");
	check_data(buf, 0x55);

	tell("resume");
	CHECK(!ctrl_wait(&c, CSTS_SHST_MASK, CSTS_SHST_DONE),
	      "the shutdown hangs");
	memcpy(seen, buf, PAGE);
	usleep(WHILE_US);
	CHECK(!memcmp(seen, buf, PAGE), "the Read wrote after the shutdown");
	start();
	check_ns(2, 0xa2);
}

static void set_feature(struct sqe *sqe, uint8_t fid, uint32_t value)
{
	*sqe = (struct sqe) {
		.opcode = ADMIN_SET_FEATURES,
		.cdw10 = htole32(fid),
		.cdw11 = htole32(value),
	};
}

/*
 * Turning the write cache off waits for the disk, and a reset does not wait for
 * that. When the flush fails at last, the next admin queue has other commands where
 * the old one was: an Asynchronous Event Request is in its first place.
 */
static void late_flush(void)
{
	struct sqe sqe, event = { .opcode = ADMIN_ASYNC_EVENT };
	uint64_t end;
	struct cqe cqe;
	int status;

	CHECK(!ctrl_disable(&c) && !ctrl_enable(&c, ENTRIES), "not enabled");
	set_feature(&sqe, FEATURE_WRITE_CACHE, 0);
	push_admin(&sqe);
	nothing_completes("Set Features");
	CHECK(!ctrl_disable(&c), "the reset hangs");

	CHECK(!ctrl_enable(&c, ENTRIES), "not enabled");
	push_admin(&event);
	/* Completes after the flush that fails, by another one that does not. */
	tell("fail");
	end = now_ms() + c.timeout_ms;
	do {
		usleep(WHILE_US / 4);
		set_feature(&sqe, FEATURE_WRITE_CACHE, 0);
		status = exec(&c, &c.admin, &sqe);
	} while (status > 0 && now_ms() < end);
	CHECK(!status, "Set Features: %x", status);

	set_feature(&sqe, FEATURE_EVENTS, EVENT_TEMPERATURE);
	status = exec(&c, &c.admin, &sqe);
	CHECK(!status, "Set Features: %x", status);
	/* 0 K is exceeded. */
	set_feature(&sqe, FEATURE_TEMPERATURE, 0);
	push_admin(&sqe);
	do {
		CHECK(!queue_wait(&c, &c.admin, &cqe, c.timeout_ms), "no event");
		CHECK(!cqe_status(&cqe), "command %u: %x", le16toh(cqe.cid),
		      cqe_status(&cqe));
	} while (cqe.cid != event.cid);
}

/* They all wait for the disk; the host looks at what that takes QEMU. */
static void many_flushes(void)
{
	struct sqe sqe;
	struct cqe cqe;
	int i;

	CHECK(!ctrl_disable(&c) && !ctrl_enable(&c, ENTRIES), "not enabled");
	for (i = 0; i < 40; i++) {
		set_feature(&sqe, FEATURE_WRITE_CACHE, 0);
		push_admin(&sqe);
	}
	nothing_completes("Set Features");
	tell("count");
	for (i = 0; i < 40; i++) {
		CHECK(!queue_wait(&c, &c.admin, &cqe, c.timeout_ms),
		      "Set Features %d hangs", i);
		CHECK(!cqe_status(&cqe), "Set Features: %x", cqe_status(&cqe));
	}
	set_feature(&sqe, FEATURE_WRITE_CACHE, 1);
	CHECK(!exec(&c, &c.admin, &sqe), "the write cache stays off");
}

/* This controller's identifier, as it is in a controller list */
static uint16_t identify(void)
{
	struct sqe sqe = { .opcode = ADMIN_IDENTIFY, .cdw10 = htole32(1) };
	uint8_t *id = dma_alloc(&c, PAGE, PAGE);
	uint16_t cntlid;

	prp_build(&c, &sqe, id, PAGE);
	CHECK(!exec(&c, &c.admin, &sqe), "Identify Controller fails");
	memcpy(&cntlid, id + 78, sizeof(cntlid));
	return cntlid;
}

/* Attach a namespace to this controller, or detach it. */
static void build_attach(struct sqe *sqe, uint32_t nsid, bool on, uint16_t cntlid)
{
	uint16_t *list = dma_alloc(&c, PAGE, PAGE);

	*sqe = (struct sqe) {
		.opcode = ADMIN_NS_ATTACHMENT,
		.nsid = htole32(nsid),
		.cdw10 = htole32(on ? 0 : 1),
	};
	list[0] = htole16(1);
	list[1] = cntlid;
	prp_build(&c, sqe, list, PAGE);
}

static void attach(uint32_t nsid, bool on, uint16_t cntlid)
{
	struct sqe sqe;
	int status;

	build_attach(&sqe, nsid, on, cntlid);
	status = exec(&c, &c.admin, &sqe);
	CHECK(!status, "%s: %x", on ? "attach" : "detach", status);
}

/* It is not there for commands, although the disk does not answer. */
static void check_no_ns(uint32_t nsid, const char *when)
{
	struct sqe sqe;
	int status;

	rw_build(&sqe, IO_READ, nsid, dma_alloc(&c, PAGE, PAGE));
	status = exec(&c, &io, &sqe);
	CHECK(status == STATUS_NO_NS, "Read of namespace %u %s: %x", nsid, when,
	      status);
}

/*
 * Reads hang that came before and after namespace 2 was detached for the first time.
 * What detaches it again, a Format too, takes it from the commands at once; the
 * Format waits for both.
 */
static void generations(void)
{
	struct sqe format = { .opcode = ADMIN_FORMAT, .nsid = htole32(2) };
	uint8_t *old = read_hangs(), *new;
	uint16_t cntlid = identify();
	struct cqe cqe;
	int i;

	attach(2, false, cntlid);
	check_no_ns(2, "that is detached");
	attach(2, true, cntlid);
	new = one_more_hangs();
	attach(2, false, cntlid);
	check_no_ns(2, "that is detached again");
	attach(2, true, cntlid);
	push_admin(&format);
	nothing_completes("Format");
	check_no_ns(2, "that is being formatted");
	check_data(old, 0x55);
	check_data(new, 0x55);

	tell("resume");
	for (i = 0; i < 2; i++) {
		CHECK(!queue_wait(&c, &io, &cqe, c.timeout_ms), "Read hangs");
		CHECK(!cqe_status(&cqe), "Read: %x", cqe_status(&cqe));
	}
	check_data(old, 0xa2);
	check_data(new, 0xa2);
	CHECK(!queue_wait(&c, &c.admin, &cqe, c.timeout_ms), "Format hangs");
	CHECK(!cqe_status(&cqe), "Format: %x", cqe_status(&cqe));
	check_ns(1, 0xa1);
	check_ns(2, 0);
}

/*
 * Namespace Attribute Changed comes when it was asked for, not before; also if the
 * namespace is in the list of changed ones already.
 */
static void events(void)
{
	struct sqe event = { .opcode = ADMIN_ASYNC_EVENT };
	struct cqe cqe = {};
	struct sqe sqe;
	uint16_t cntlid;

	start();
	cntlid = identify();
	push_admin(&event);
	build_attach(&sqe, 1, false, cntlid);
	push_admin(&sqe);
	CHECK(!queue_wait(&c, &c.admin, &cqe, c.timeout_ms) &&
	      cqe.cid != event.cid && !cqe_status(&cqe), "detach: %x",
	      cqe_status(&cqe));
	nothing_completes("an event");

	set_feature(&sqe, FEATURE_EVENTS, EVENT_NAMESPACE);
	CHECK(!exec(&c, &c.admin, &sqe), "they cannot be enabled");
	build_attach(&sqe, 1, true, cntlid);
	push_admin(&sqe);
	do {
		CHECK(!queue_wait(&c, &c.admin, &cqe, c.timeout_ms), "no event");
		CHECK(!cqe_status(&cqe), "attach: %x", cqe_status(&cqe));
	} while (cqe.cid != event.cid);
	/* A notice, Namespace Attribute Changed, in log page 04h */
	CHECK(le32toh(cqe.dw0) == 0x040002, "event %x", le32toh(cqe.dw0));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "fill", fill },
		{ "busy", busy },
		{ "abort", abort_format },
		{ "reset", reset_format },
		{ "flr", flr_format },
		{ "generations", generations },
		{ "late-flr", late_flr },
		{ "late-hot-reset", late_hot_reset },
		{ "late-shutdown", late_shutdown },
		{ "flush", late_flush },
		{ "flushes", many_flushes },
		{ "events", events },
	};
	unsigned int i;

	if (argc != 3 || ctrl_open(&c, argv[1]))
		return 2;
	function = argv[1];
	/* While the host is busy, its disk may be slow as well. */
	c.timeout_ms = 60000;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (!strcmp(argv[2], tests[i].name)) {
			tests[i].run();
			CHECK(!ctrl_disable(&c), "the controller hangs");
			printf("%s: done\n", tests[i].name);
			return 0;
		}
	}
	return 2;
}
