// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

#define PCI_COMMAND		0x04
#define PCI_COMMAND_MEMORY	(1 << 1)
#define PCI_COMMAND_MASTER	(1 << 2)
#define PCI_COMMAND_NO_INTX	(1 << 10)
#define PCI_STATUS		0x06
#define PCI_STATUS_INTERRUPT	(1 << 3)

#define PCI_CAPABILITIES	0x34
#define PCI_CAP_MSIX		0x11
#define PCI_MSIX_CONTROL	2
#define PCI_MSIX_ENABLE		(1 << 15)
#define PCI_MSIX_MASK_ALL	(1 << 14)

#define BAR_SIZE		0x4000

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

uint32_t reg32(struct ctrl *c, unsigned int offset)
{
	return le32toh(*(volatile uint32_t *)(c->bar + offset));
}

void set_reg32(struct ctrl *c, unsigned int offset, uint32_t value)
{
	*(volatile uint32_t *)(c->bar + offset) = htole32(value);
}

/* Two accesses: 32 bits are the size that every controller has to take. */
uint64_t reg64(struct ctrl *c, unsigned int offset)
{
	return reg32(c, offset) | (uint64_t)reg32(c, offset + 4) << 32;
}

void set_reg64(struct ctrl *c, unsigned int offset, uint64_t value)
{
	set_reg32(c, offset, value);
	set_reg32(c, offset + 4, value >> 32);
}

static int open_file(const char *name, const char *file)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, file);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0) {
		perror(path);
		return -errno;
	}
	return fd;
}

static int map_registers(struct ctrl *c, const char *name)
{
	uint32_t bar[2];
	int fd;

	fd = open_file(name, "resource0");
	if (fd < 0)
		return fd;
	c->bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (c->bar == MAP_FAILED) {
		perror("mmap of resource0");
		return -errno;
	}
	if (pread(c->config, bar, sizeof(bar), 0x10) != sizeof(bar))
		return -EIO;
	c->bar_addr = (bar[0] & ~15U) | (uint64_t)bar[1] << 32;
	return 0;
}

static int map_memory(struct ctrl *c)
{
	unsigned int i;
	uint64_t entry;
	int fd;

	c->mem = mmap(NULL, NR_HUGE_PAGES * HUGE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_LOCKED |
		      MAP_POPULATE, -1, 0);
	if (c->mem == MAP_FAILED) {
		perror("mmap of huge pages");
		return -errno;
	}
	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0)
		return -errno;
	for (i = 0; i < NR_HUGE_PAGES; i++) {
		off_t at = (uintptr_t)(c->mem + i * HUGE_PAGE) / PAGE * 8;

		if (pread(fd, &entry, 8, at) != 8 || !(entry >> 63))
			return -EFAULT;
		c->addr[i] = (entry & ((1ULL << 55) - 1)) * PAGE;
	}
	close(fd);
	return 0;
}

int ctrl_open(struct ctrl *c, const char *name)
{
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			   PCI_COMMAND_NO_INTX;
	int ret;

	memset(c, 0, sizeof(*c));
	c->timeout_ms = 20000;
	c->page = PAGE;
	c->config = open_file(name, "config");
	if (c->config < 0)
		return c->config;
	if (pwrite(c->config, &command, 2, PCI_COMMAND) != 2)
		return -EIO;
	ret = map_registers(c, name);
	return ret ?: map_memory(c);
}

int ctrl_msix(struct ctrl *c)
{
	uint16_t control = PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL;
	uint8_t at, cap[2];
	unsigned int i;

	if (pread(c->config, &at, 1, PCI_CAPABILITIES) != 1)
		return -EIO;
	for (i = 0; i < 48 && at; i++, at = cap[1]) {
		if (pread(c->config, cap, 2, at) != 2)
			return -EIO;
		if (cap[0] == PCI_CAP_MSIX)
			return pwrite(c->config, &control, 2,
				      at + PCI_MSIX_CONTROL) == 2 ? 0 : -EIO;
	}
	return -ENOENT;
}

bool ctrl_intx(struct ctrl *c)
{
	uint16_t status = 0;

	return pread(c->config, &status, 2, PCI_STATUS) == 2 &&
	       (status & PCI_STATUS_INTERRUPT);
}

int ctrl_wait(struct ctrl *c, uint32_t mask, uint32_t value)
{
	uint64_t end = now_ms() + c->timeout_ms;

	while ((reg32(c, REG_CSTS) & mask) != value) {
		if (now_ms() >= end)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

int ctrl_disable(struct ctrl *c)
{
	int ret;

	set_reg32(c, REG_CC, reg32(c, REG_CC) & ~(CC_EN | CC_SHN_MASK));
	ret = ctrl_wait(c, CSTS_RDY, 0);
	c->used = 0;
	return ret;
}

/* The rings of a queue, without telling the controller */
static void queue_init(struct ctrl *c, struct queue *q, uint16_t id,
		       uint32_t entries)
{
	memset(q, 0, sizeof(*q));
	q->id = id;
	q->entries = entries;
	q->phase = 1;
	q->sq = dma_alloc(c, entries * sizeof(*q->sq), c->page);
	q->cq = dma_alloc(c, entries * sizeof(*q->cq), c->page);
}

int ctrl_enable(struct ctrl *c, uint32_t entries)
{
	uint32_t mps = __builtin_ctzl(c->page) - 12;

	queue_init(c, &c->admin, 0, entries);
	set_reg32(c, REG_AQA, (entries - 1) | (entries - 1) << 16);
	set_reg64(c, REG_ASQ, dma_addr(c, c->admin.sq));
	set_reg64(c, REG_ACQ, dma_addr(c, c->admin.cq));
	set_reg32(c, REG_CC, CC_ENTRY_SIZES | mps << 7 | CC_EN);
	return ctrl_wait(c, CSTS_RDY | CSTS_CFS, CSTS_RDY);
}

int ctrl_shutdown(struct ctrl *c)
{
	set_reg32(c, REG_CC, reg32(c, REG_CC) | CC_SHN_NORMAL);
	return ctrl_wait(c, CSTS_SHST_MASK, CSTS_SHST_DONE);
}

void *dma_alloc(struct ctrl *c, size_t size, size_t align)
{
	size_t at = (c->used + align - 1) & ~(align - 1);

	if (at / HUGE_PAGE != (at + size - 1) / HUGE_PAGE)
		at = (at + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	if (at + size > NR_HUGE_PAGES * HUGE_PAGE) {
		fprintf(stderr, "out of huge pages\n");
		exit(1);
	}
	c->used = at + size;
	return memset(c->mem + at, 0, size);
}

uint64_t dma_addr(struct ctrl *c, const void *p)
{
	size_t at = (const uint8_t *)p - c->mem;

	return c->addr[at / HUGE_PAGE] + at % HUGE_PAGE;
}

void prp_build(struct ctrl *c, struct sqe *sqe, const void *buf, size_t len)
{
	uint64_t addr = dma_addr(c, buf);
	uint64_t next = (addr | (c->page - 1)) + 1;
	uint64_t end = addr + len;
	unsigned int i, nr = c->page / 8;
	uint64_t *list;

	sqe->prp1 = htole64(addr);
	sqe->prp2 = 0;
	if (end <= next)
		return;
	if (end <= next + c->page) {
		sqe->prp2 = htole64(next);
		return;
	}
	/* Room for 2 MiB in one list of two pages */
	list = dma_alloc(c, 2 * c->page, c->page);
	sqe->prp2 = htole64(dma_addr(c, list));
	for (i = 0; next < end; next += c->page) {
		if (i == nr - 1 && next + c->page < end) {
			list[i] = htole64(dma_addr(c, list + nr));
			i++;
		}
		list[i++] = htole64(next);
	}
}

void queue_push(struct queue *q, struct sqe *sqe)
{
	sqe->cid = htole16(q->cid++);
	q->sq[q->tail] = *sqe;
	q->tail = (q->tail + 1) % q->entries;
}

void queue_ring(struct ctrl *c, struct queue *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (q->sq_shadow)
		__atomic_store_n(q->sq_shadow, htole32(q->tail), __ATOMIC_SEQ_CST);
	set_reg32(c, REG_DOORBELLS + 8 * q->id, q->tail);
}

bool queue_peek(struct ctrl *c, struct queue *q, struct cqe *cqe)
{
	volatile struct cqe *entry = &q->cq[q->head];

	if ((le16toh(entry->status) & 1) != q->phase)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	*cqe = q->cq[q->head];
	if (++q->head == q->entries) {
		q->head = 0;
		q->phase ^= 1;
	}
	if (q->cq_shadow)
		__atomic_store_n(q->cq_shadow, htole32(q->head), __ATOMIC_SEQ_CST);
	set_reg32(c, REG_DOORBELLS + 8 * q->id + 4, q->head);
	return true;
}

int queue_wait(struct ctrl *c, struct queue *q, struct cqe *cqe,
	       unsigned int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;
	unsigned int looks = 0;

	while (!queue_peek(c, q, cqe)) {
		/* The other side may need this CPU. */
		if (++looks < 1000)
			continue;
		if (now_ms() >= end)
			return -ETIMEDOUT;
		usleep(50);
	}
	return 0;
}

int queue_exec(struct ctrl *c, struct queue *q, struct sqe *sqe,
	       struct cqe *cqe)
{
	queue_push(q, sqe);
	queue_ring(c, q);
	return queue_wait(c, q, cqe, c->timeout_ms);
}

int exec(struct ctrl *c, struct queue *q, struct sqe *sqe)
{
	struct cqe cqe;
	int ret;

	ret = queue_exec(c, q, sqe, &cqe);
	if (ret)
		return ret;
	if (cqe.cid != sqe->cid)
		return -EPROTO;
	return cqe_status(&cqe);
}

int queue_create(struct ctrl *c, struct queue *q, uint16_t id, uint32_t entries,
		 uint16_t cq_flags, uint16_t vector)
{
	struct sqe sqe = { .opcode = ADMIN_CREATE_CQ };
	int ret;

	queue_init(c, q, id, entries);
	sqe.cdw10 = htole32(id | (entries - 1) << 16);
	sqe.cdw11 = htole32(QUEUE_PC | cq_flags | vector << 16);
	sqe.prp1 = htole64(dma_addr(c, q->cq));
	ret = exec(c, &c->admin, &sqe);
	if (ret)
		return ret;
	sqe.opcode = ADMIN_CREATE_SQ;
	sqe.cdw11 = htole32(QUEUE_PC | id << 16);
	sqe.prp1 = htole64(dma_addr(c, q->sq));
	return exec(c, &c->admin, &sqe);
}

int queue_delete(struct ctrl *c, struct queue *q)
{
	struct sqe sqe = { .opcode = ADMIN_DELETE_SQ };
	int ret;

	sqe.cdw10 = htole32(q->id);
	ret = exec(c, &c->admin, &sqe);
	if (ret)
		return ret;
	sqe.opcode = ADMIN_DELETE_CQ;
	return exec(c, &c->admin, &sqe);
}
