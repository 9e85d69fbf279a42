/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small NVMe driver in a program, for tests that run in a guest: it sends what
 * no ordinary driver sends, and reports what comes back.
 *
 * The controller must not be bound to another driver. Queues and data lie in huge
 * pages, whose physical addresses the controller gets (there is no IOMMU in the
 * guest). Completions are polled for; no MSI-X vector is programmed.
 *
 * Functions that return int return 0 or a negative errno.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Wire formats: little endian */

struct sqe {
	uint8_t		opcode;
	uint8_t		flags;		/* FUSE bits 1:0, PSDT bits 7:6 */
	uint16_t	cid;
	uint32_t	nsid;
	uint32_t	cdw2;
	uint32_t	cdw3;
	uint64_t	mptr;
	uint64_t	prp1;
	uint64_t	prp2;
	uint32_t	cdw10;
	uint32_t	cdw11;
	uint32_t	cdw12;
	uint32_t	cdw13;
	uint32_t	cdw14;
	uint32_t	cdw15;
};

struct cqe {
	uint32_t	dw0;
	uint32_t	dw1;
	uint16_t	sqhd;
	uint16_t	sqid;
	uint16_t	cid;
	uint16_t	status;		/* phase in bit 0 */
};

/* Status of a CQE without its phase bit */
static inline uint16_t cqe_status(const struct cqe *cqe)
{
	return le16toh(cqe->status) >> 1;
}

/* Controller registers (Base 2.0, 3.1.3) */
enum {
	REG_CAP		= 0x00,
	REG_VS		= 0x08,
	REG_INTMS	= 0x0c,
	REG_INTMC	= 0x10,
	REG_CC		= 0x14,
	REG_CSTS	= 0x1c,
	REG_AQA		= 0x24,
	REG_ASQ		= 0x28,
	REG_ACQ		= 0x30,
	REG_DOORBELLS	= 0x1000,

	CC_EN		= 1 << 0,
	CC_SHN_NORMAL	= 1 << 14,
	CC_SHN_MASK	= 3 << 14,
	CC_ENTRY_SIZES	= 6 << 16 | 4 << 20,

	CSTS_RDY	= 1 << 0,
	CSTS_CFS	= 1 << 1,
	CSTS_SHST_DONE	= 2 << 2,
	CSTS_SHST_MASK	= 3 << 2,
};

enum {
	ADMIN_DELETE_SQ		= 0x00,
	ADMIN_CREATE_SQ		= 0x01,
	ADMIN_GET_LOG		= 0x02,
	ADMIN_DELETE_CQ		= 0x04,
	ADMIN_CREATE_CQ		= 0x05,
	ADMIN_IDENTIFY		= 0x06,
	ADMIN_ABORT		= 0x08,
	ADMIN_SET_FEATURES	= 0x09,
	ADMIN_GET_FEATURES	= 0x0a,
	ADMIN_ASYNC_EVENT	= 0x0c,
	ADMIN_NS_ATTACHMENT	= 0x15,
	ADMIN_DBBUF		= 0x7c,
	ADMIN_FORMAT		= 0x80,

	IO_FLUSH		= 0x00,
	IO_WRITE		= 0x01,
	IO_READ			= 0x02,
	IO_COMPARE		= 0x05,
	IO_WRITE_ZEROES		= 0x08,
	IO_DSM			= 0x09,
	IO_VERIFY		= 0x0c,
	IO_COPY			= 0x19,
};

/* Flags of a CQ's CDW11, bits 15:0 */
#define QUEUE_PC	(1 << 0)	/* physically contiguous; of an SQ too */
#define QUEUE_IEN	(1 << 1)	/* interrupts enabled */

/*
 * An SQ and a CQ, or one of them. Shadow doorbells, where there are any, are written
 * before the register, which always is.
 */
struct queue {
	uint16_t	id;
	uint32_t	entries;
	struct sqe	*sq;
	struct cqe	*cq;
	uint32_t	tail;
	uint32_t	head;
	uint16_t	phase;
	uint16_t	cid;
	uint32_t	*sq_shadow;
	uint32_t	*cq_shadow;
};

#define PAGE		4096UL
#define HUGE_PAGE	(2UL << 20)
#define NR_HUGE_PAGES	8

/**
 * struct ctrl - a controller and the memory it may use
 * @bar: its registers
 * @bar_addr: physical address of them
 * @config: PCI configuration space
 * @mem: NR_HUGE_PAGES huge pages
 * @addr: their physical addresses
 * @used: bytes taken from @mem
 * @page: size of the controller's memory pages, 4096 unless changed before
 *	ctrl_enable()
 * @admin: the admin queue
 * @timeout_ms: limit of every wait
 */
struct ctrl {
	volatile uint8_t	*bar;
	uint64_t		bar_addr;
	int			config;
	uint8_t			*mem;
	uint64_t		addr[NR_HUGE_PAGES];
	size_t			used;
	size_t			page;
	struct queue		admin;
	unsigned int		timeout_ms;
};

/* Take over the PCI function @name ("0000:00:04.0"). */
int ctrl_open(struct ctrl *c, const char *name);

/* MSI-X is on, with all vectors masked: vhost=on has no shadow doorbells without. */
int ctrl_msix(struct ctrl *c);

uint32_t reg32(struct ctrl *c, unsigned int offset);
uint64_t reg64(struct ctrl *c, unsigned int offset);
void set_reg32(struct ctrl *c, unsigned int offset, uint32_t value);
void set_reg64(struct ctrl *c, unsigned int offset, uint64_t value);

/* The Interrupt Status bit: INTx is asserted, or would be. */
bool ctrl_intx(struct ctrl *c);

/* Until (CSTS & @mask) == @value */
int ctrl_wait(struct ctrl *c, uint32_t mask, uint32_t value);

/* CC.EN = 0, wait for RDY = 0, forget all memory */
int ctrl_disable(struct ctrl *c);

/* Admin queue of @entries, CC.MPS, CC.EN = 1, wait for RDY = 1 */
int ctrl_enable(struct ctrl *c, uint32_t entries);

/* CC.SHN, wait for SHST */
int ctrl_shutdown(struct ctrl *c);

/*
 * Zeroed memory, physically contiguous (@size at most HUGE_PAGE); what was taken
 * since ctrl.used had some value is given back by setting it to that again.
 */
void *dma_alloc(struct ctrl *c, size_t size, size_t align);
uint64_t dma_addr(struct ctrl *c, const void *p);

/* PRPs of a buffer of dma_alloc() that starts anywhere */
void prp_build(struct ctrl *c, struct sqe *sqe, const void *buf, size_t len);

/* Write entries and doorbell; the command identifier is set here. */
void queue_push(struct queue *q, struct sqe *sqe);
void queue_ring(struct ctrl *c, struct queue *q);

/* Next completion; -ETIMEDOUT */
int queue_wait(struct ctrl *c, struct queue *q, struct cqe *cqe,
	       unsigned int timeout_ms);
bool queue_peek(struct ctrl *c, struct queue *q, struct cqe *cqe);

/* One command on a queue that is otherwise idle */
int queue_exec(struct ctrl *c, struct queue *q, struct sqe *sqe,
	       struct cqe *cqe);

/*
 * The same with a status as result: the CQE's, or a negative errno (-EPROTO: a
 * completion of another command came)
 */
int exec(struct ctrl *c, struct queue *q, struct sqe *sqe);

/* A CQ and an SQ with identifier @id; the first failing command's status */
int queue_create(struct ctrl *c, struct queue *q, uint16_t id, uint32_t entries,
		 uint16_t cq_flags, uint16_t vector);
int queue_delete(struct ctrl *c, struct queue *q);

uint64_t now_ms(void);

#endif /* DRIVER_H */
