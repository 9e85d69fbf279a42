/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libvng - a guest for vhost_nvme in a few function calls, without a VM.
 *
 * The library does what a virtual machine's monitor and the guest's NVMe driver
 * do between them: it owns guest memory, the memory table, queues, shadow
 * doorbells and eventfds, and speaks to /dev/vhost-nvme. The ring and doorbell
 * protocol is that of Linux's drivers/nvme/host/pci.c, step by step.
 *
 *	struct vng g;
 *	struct vng_cq cq;
 *	struct vng_sq sq;
 *	struct vng_sqe sqe;
 *	struct vng_cqe cqe;
 *	uint64_t buf;
 *
 *	vng_open(&g);
 *	vng_set_owner(&g);
 *	vng_mem_add(&g, VNG_MEM_ANON, 0x100000, 16 << 20);
 *	vng_mem_publish(&g);
 *	vng_set_ns(&g, 1, disk_fd, 9, 0, 0);
 *	vng_dbbuf_on(&g);
 *	vng_cq_create(&g, &cq, 1, 64, VNG_IEN | VNG_KICK);
 *	vng_sq_create(&g, &sq, 1, &cq, 64, VNG_KICK);
 *	buf = vng_alloc(&g, 4096, 4096);
 *	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8);
 *	vng_prp_contig(&g, &sqe, buf, 4096);
 *	vng_exec(&sq, &sqe, &cqe);
 *	// the data is at vng_ptr(&g, buf, 4096)
 *	vng_close(&g);
 *
 * Rules that hold everywhere:
 *
 * - Functions that return int return 0 (or a count) on success and a negative
 *   errno on failure. vng_msg() then says in words what was attempted or
 *   awaited; that is what a test should print.
 * - Nothing waits for ever: each wait ends after vng.timeout_ms with -ETIMEDOUT.
 * - Addresses of type uint64_t are guest physical addresses.
 * - A submission queue belongs to one thread at a time, and so does a completion
 *   queue together with all submission queues that complete to it.
 * - All structures are public so that tests and fuzzers can bend them.
 */
#ifndef VNG_H
#define VNG_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vhost_nvme.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Wire formats: little endian, use htole and letoh functions. */

struct vng_sqe {
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

struct vng_cqe {
	uint32_t	dw0;
	uint32_t	dw1;
	uint16_t	sqhd;
	uint16_t	sqid;
	uint16_t	cid;
	uint16_t	status;		/* phase in bit 0 */
};

/* An SGL descriptor: type and sub type in @type */
struct vng_sgl {
	uint64_t	addr;
	uint32_t	len;
	uint8_t		reserved[3];
	uint8_t		type;
};

enum {
	VNG_SGL_DATA		= 0x00,
	VNG_SGL_BIT_BUCKET	= 0x10,
	VNG_SGL_SEGMENT		= 0x20,
	VNG_SGL_LAST_SEGMENT	= 0x30,
};

/* PSDT of a command's flags: an SGL; metadata in a buffer, or by another SGL */
#define VNG_PSDT_SGL		0x40
#define VNG_PSDT_SGL_META	0x80

/* One range of Dataset Management */
struct vng_dsm_range {
	uint32_t	attributes;
	uint32_t	nlb;
	uint64_t	slba;
};

enum {
	VNG_CMD_FLUSH		= 0x00,
	VNG_CMD_WRITE		= 0x01,
	VNG_CMD_READ		= 0x02,
	VNG_CMD_COMPARE		= 0x05,
	VNG_CMD_WRITE_ZEROES	= 0x08,
	VNG_CMD_DSM		= 0x09,
	VNG_CMD_VERIFY		= 0x0c,
	VNG_CMD_COPY		= 0x19,
};

/* One source range of Copy, descriptor formats 0 and 2 */
struct vng_copy_range {
	uint32_t	snsid;		/* of format 2 only */
	uint32_t	reserved4;
	uint64_t	slba;
	uint16_t	nlb;		/* 0's based */
	uint8_t		reserved18[14];
};

/* Command dword 12 of Read, Write and Write Zeroes */
#define VNG_RW_LR		(1U << 31)	/* limited retry */
#define VNG_RW_FUA		(1U << 30)
#define VNG_RW_PRINFO(x)	((uint32_t)(x) << 26)
#define VNG_RW_DTYPE(x)		((uint32_t)(x) << 20)
#define VNG_WZ_DEAC		(1U << 25)

/* Copy, dword 12 */
#define VNG_COPY_FORMAT(x)	((uint32_t)(x) << 8)

/* Dataset Management, dword 11 */
#define VNG_DSM_IDR		(1U << 0)
#define VNG_DSM_IDW		(1U << 1)
#define VNG_DSM_AD		(1U << 2)

/* Status field as vng_status() returns it: SCT bits 10:8, SC bits 7:0 */
enum {
	VNG_SC_SUCCESS			= 0x000,
	VNG_SC_INVALID_OPCODE		= 0x001,
	VNG_SC_INVALID_FIELD		= 0x002,
	VNG_SC_DATA_XFER_ERROR		= 0x004,
	VNG_SC_INTERNAL			= 0x006,
	VNG_SC_ABORT_QUEUE		= 0x008,
	VNG_SC_FUSED_FAIL		= 0x009,
	VNG_SC_FUSED_MISSING		= 0x00a,
	VNG_SC_INVALID_NS		= 0x00b,
	VNG_SC_SGL_SEGMENT_INVALID	= 0x00d,
	VNG_SC_SGL_COUNT_INVALID	= 0x00e,
	VNG_SC_SGL_LENGTH_INVALID	= 0x00f,
	VNG_SC_SGL_TYPE_INVALID		= 0x011,
	VNG_SC_PRP_OFFSET_INVALID	= 0x013,
	VNG_SC_NS_WRITE_PROTECTED	= 0x020,
	VNG_SC_LBA_RANGE		= 0x080,
	VNG_SC_CAP_EXCEEDED		= 0x081,
	VNG_SC_NS_NOT_READY		= 0x082,
	VNG_SC_INVALID_FORMAT		= 0x10a,
	VNG_SC_INVALID_PI		= 0x181,
	VNG_SC_READ_ONLY		= 0x182,
	VNG_SC_SIZE_LIMIT		= 0x183,
	VNG_SC_INCOMPATIBLE_NS		= 0x185,
	VNG_SC_OVERLAPPING_RANGE	= 0x187,
	VNG_SC_WRITE_FAULT		= 0x280,
	VNG_SC_READ_ERROR		= 0x281,
	VNG_SC_COMPARE_FAILED		= 0x285,

	VNG_SC_MASK			= 0x7ff,
	VNG_SC_DNR			= 0x4000,
};

/* Status of a CQE without its phase bit */
static inline uint16_t vng_status(const struct vng_cqe *cqe)
{
	return le16toh(cqe->status) >> 1;
}

/* Kinds of guest memory */
enum vng_mem {
	VNG_MEM_ANON,		/* private anonymous, as QEMU's default */
	VNG_MEM_MEMFD,		/* shared memfd */
	VNG_MEM_HUGETLB,	/* memfd of 2 MiB huge pages */
};

#define VNG_MAX_REGIONS	64

/**
 * struct vng_region - a piece of guest memory
 * @gpa: its guest physical address
 * @size: bytes
 * @hva: where it is mapped
 * @owned: mapped by the library
 */
struct vng_region {
	uint64_t	gpa;
	size_t		size;
	void		*hva;
	bool		owned;
};

struct vng_sq;
struct vng_cq;

/**
 * struct vng - a controller and its guest
 * @fd: /dev/vhost-nvme
 * @timeout_ms: end of every wait; from $VNG_TIMEOUT_MS, else 10 s
 * @page_shift: memory page size of the guest, 12 unless changed before
 *	queues are made
 * @caps: what the kernel announced
 * @workers: number of worker threads
 * @region: guest memory, as the next vng_mem_publish() will announce it
 * @nr_regions: used members of @region
 * @next: next free address of vng_alloc(), in the first region
 * @dbs: the shadow doorbells, NULL while they are off
 * @eis: the EventIdx page
 * @dbs_gpa: guest physical address of @dbs
 * @eis_gpa: guest physical address of @eis
 * @sq: submission queues by identifier
 * @cq: completion queues by identifier
 * @ioctl: NULL, or what the library calls instead of ioctl(2) on @fd
 * @msg: what vng_msg() returns
 */
struct vng {
	int			fd;
	unsigned int		timeout_ms;
	unsigned int		page_shift;
	struct vhost_nvme_caps	caps;
	unsigned int		workers;
	struct vng_region	region[VNG_MAX_REGIONS];
	unsigned int		nr_regions;
	uint64_t		next;
	uint32_t		*dbs;
	uint32_t		*eis;
	uint64_t		dbs_gpa;
	uint64_t		eis_gpa;
	struct vng_sq		**sq;
	struct vng_cq		**cq;
	int			(*ioctl)(struct vng *g, unsigned long cmd,
					 void *arg);
	char			msg[256];
};

/**
 * struct vng_cq - a completion queue
 * @g: its guest
 * @ring: the entries
 * @gpa: guest physical address of @ring
 * @entries: size of the ring
 * @head: next entry to look at
 * @phase: value of the phase bit in a new entry
 * @id: queue identifier
 * @worker: which worker serves it
 * @irq_fd: eventfd of its interrupt or -1
 * @kick_fd: eventfd of its doorbell or -1
 * @kicks: notifications sent (kick_fd or ioctl)
 * @updates: doorbell updates, with or without notification
 * @irqs: interrupts taken
 * @cqes: entries consumed
 */
struct vng_cq {
	struct vng		*g;
	struct vng_cqe		*ring;
	uint64_t		gpa;
	uint32_t		entries;
	uint32_t		head;
	uint16_t		phase;
	uint16_t		id;
	uint16_t		worker;
	int			irq_fd;
	int			kick_fd;
	uint64_t		kicks;
	uint64_t		updates;
	uint64_t		irqs;
	uint64_t		cqes;
};

/**
 * struct vng_sq - a submission queue
 * @g: its guest
 * @cq: where it completes to
 * @ring: the entries
 * @gpa: guest physical address of @ring
 * @entries: size of the ring
 * @tail: next entry to fill
 * @last_tail: what the doorbell was last set to
 * @head: the controller's head, as the last completion said
 * @id: queue identifier
 * @next_cid: command identifier that vng_submit() uses next
 * @kick_fd: eventfd of its doorbell or -1
 * @kicks: notifications sent (kick_fd or ioctl)
 * @updates: doorbell updates, with or without notification
 */
struct vng_sq {
	struct vng		*g;
	struct vng_cq		*cq;
	struct vng_sqe		*ring;
	uint64_t		gpa;
	uint32_t		entries;
	uint32_t		tail;
	uint32_t		last_tail;
	uint32_t		head;
	uint16_t		id;
	uint16_t		next_cid;
	int			kick_fd;
	uint64_t		kicks;
	uint64_t		updates;
};

/* -- controller (vng.c) -- */

/* Open /dev/vhost-nvme (or $VNG_DEVICE) and read its capabilities. */
int vng_open(struct vng *g);

/* Close everything that the library opened or mapped; queues too. */
void vng_close(struct vng *g);

/* The words for the last failure. */
const char *vng_msg(const struct vng *g);

/* Note a failure: fill in vng_msg() and return @err. */
int vng_fail(struct vng *g, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* An ioctl on the controller; a failure is put into words with @what. */
int vng_ioctl(struct vng *g, unsigned long cmd, void *arg, const char *what);

int vng_set_owner(struct vng *g);

/*
 * Namespace @nsid becomes the block device @fd, or is removed if @fd is -1.
 * @flags: VHOST_NVME_NS_*
 */
int vng_set_ns(struct vng *g, uint32_t nsid, int fd, unsigned int lba_shift,
	       uint64_t nlb, uint32_t flags);

/* The same, writable as a whole, with limits of Copy (@msrc is 0's based) */
int vng_set_ns_copy(struct vng *g, uint32_t nsid, int fd, unsigned int lba_shift,
		    uint32_t mcl, uint16_t mssrl, uint8_t msrc);

/* Polling limit; interrupts may be kept back as long. */
int vng_set_poll(struct vng *g, uint32_t poll_us);

/* VHOST_SET_FEATURES, before there is a memory table */
int vng_set_features(struct vng *g, uint64_t features);

/* Number of worker threads, before there are queues */
int vng_set_workers(struct vng *g, uint32_t nr);

/* What admin commands have set; @flags: VHOST_NVME_CTRL_* */
int vng_set_ctrl(struct vng *g, uint32_t flags, uint32_t max_transfer,
		 uint32_t max_verify, uint32_t burst);
int vng_reset(struct vng *g);		/* returns before RESET_DONE */
int vng_stats(struct vng *g, uint16_t scope, uint16_t id,
	      struct vhost_nvme_stats *stats);

/* Next event within @timeout_ms; -ETIMEDOUT if there is none. */
int vng_event(struct vng *g, struct vhost_nvme_event *ev,
	      unsigned int timeout_ms);

/* Wait for this event; any other one is a failure (-EPROTO). */
int vng_event_wait(struct vng *g, uint32_t type, uint32_t id);

/* Milliseconds of the monotonic clock */
uint64_t vng_now_ms(void);

/* -- guest memory (mem.c) -- */

/* Allocate @size bytes of memory at @gpa; the index of the new region. */
int vng_mem_add(struct vng *g, enum vng_mem kind, uint64_t gpa, size_t size);

/* The same with memory of the caller's. */
int vng_mem_map(struct vng *g, uint64_t gpa, void *hva, size_t size);

/* Take a region out of the table, without unmapping its memory. */
void vng_mem_del(struct vng *g, unsigned int index);

/* Announce the regions to the kernel (VHOST_SET_MEM_TABLE). */
int vng_mem_publish(struct vng *g);

/* Take @size zeroed bytes aligned to @align from the first region; 0 if full. */
uint64_t vng_alloc(struct vng *g, size_t size, size_t align);

/* Pointer to guest memory; NULL if the range is not inside one region. */
void *vng_ptr(struct vng *g, uint64_t gpa, size_t size);

/* Copy between guest memory and @buf across region borders. */
int vng_copy_to(struct vng *g, uint64_t gpa, const void *buf, size_t size);
int vng_copy_from(struct vng *g, uint64_t gpa, void *buf, size_t size);

/* -- queues and doorbells (queue.c) -- */

#define VNG_IEN		(1U << 0)	/* CQ: with an interrupt eventfd */
#define VNG_KICK	(1U << 1)	/* with a doorbell eventfd */

/*
 * Create a queue with a zeroed ring from vng_alloc(), and clear its shadow
 * doorbell and EventIdx. For a ring elsewhere or another worker than the first,
 * set @gpa or @worker of a zeroed structure.
 */
int vng_cq_create(struct vng *g, struct vng_cq *cq, uint16_t cqid,
		  uint32_t entries, unsigned int flags);
int vng_sq_create(struct vng *g, struct vng_sq *sq, uint16_t sqid,
		  struct vng_cq *cq, uint32_t entries, unsigned int flags);

/* Start the deletion of a submission queue (SQ_DELETED follows). */
int vng_sq_delete(struct vng_sq *sq);
int vng_cq_delete(struct vng_cq *cq);

/* Forget a queue that a reset or an error has ended, and close its eventfds. */
void vng_sq_drop(struct vng_sq *sq);
void vng_cq_drop(struct vng_cq *cq);

/* Shadow doorbells on, with two fresh pages from vng_alloc(). */
int vng_dbbuf_on(struct vng *g);

/* Tell the library that a reset has turned them off. */
void vng_dbbuf_forget(struct vng *g);

/* Shadow doorbell or EventIdx of a queue; only while they are on */
uint32_t *vng_sq_db(struct vng *g, uint16_t qid);
uint32_t *vng_cq_db(struct vng *g, uint16_t qid);
uint32_t *vng_sq_ei(struct vng *g, uint16_t qid);
uint32_t *vng_cq_ei(struct vng *g, uint16_t qid);

/* Entries that can still be pushed */
uint32_t vng_sq_room(const struct vng_sq *sq);

/* Put a command into the ring, as it is, without ringing; -ENOSPC if full. */
int vng_sq_push(struct vng_sq *sq, const struct vng_sqe *sqe);

/*
 * Make the tail or head known: shadow doorbell and, if the EventIdx asks for
 * it, a notification; or the ioctl while there are no shadow doorbells.
 */
int vng_sq_ring(struct vng_sq *sq);
int vng_cq_ring(struct vng_cq *cq);

/* A notification without a reason, as a guest may send at any time */
int vng_sq_kick(struct vng_sq *sq);
int vng_cq_kick(struct vng_cq *cq);

/* vng_sq_push() with a fresh command identifier, and vng_sq_ring() */
int vng_submit(struct vng_sq *sq, struct vng_sqe *sqe);

/*
 * Next completion, without waiting and without telling the controller: 1 and
 * the entry, or 0.
 */
int vng_cq_peek(struct vng_cq *cq, struct vng_cqe *cqe);

/*
 * Next completion as an interrupt handler would get it: look, wait for the
 * interrupt, look again, and ring the doorbell for what was consumed. An entry
 * that is there although its interrupt never came is a failure (-EILSEQ). A
 * queue without interrupt is polled.
 */
int vng_cq_wait(struct vng_cq *cq, struct vng_cqe *cqe);

/* vng_submit(), and the completion; for a queue that is otherwise idle. */
int vng_exec(struct vng_sq *sq, struct vng_sqe *sqe, struct vng_cqe *cqe);

/* -- commands and data pointers (cmd.c) -- */

/*
 * Read, Write, Compare or Verify of @nlb logical blocks (1 to 65536), without
 * data pointer
 */
void vng_cmd_rw(struct vng_sqe *sqe, uint8_t opcode, uint32_t nsid,
		uint64_t slba, uint32_t nlb);
void vng_cmd_flush(struct vng_sqe *sqe, uint32_t nsid);
void vng_cmd_write_zeroes(struct vng_sqe *sqe, uint32_t nsid, uint64_t slba,
			  uint32_t nlb, uint32_t cdw12_flags);

/* Dataset Management; the @nr ranges (1 to 256) are what the PRPs lead to. */
void vng_cmd_dsm(struct vng_sqe *sqe, uint32_t nsid, unsigned int nr,
		 uint32_t attributes);

/* A source range; @snsid: 0 for descriptor format 0 */
void vng_range_set(struct vng_copy_range *range, uint32_t snsid, uint64_t slba,
		   uint32_t nlb);

/* Copy to @dlba; the @nr source ranges (1 to 256) are what the PRPs lead to. */
void vng_cmd_copy(struct vng_sqe *sqe, uint32_t nsid, uint64_t dlba,
		  unsigned int nr, uint32_t cdw12_flags);

/**
 * struct vng_prp - the shape of a data buffer
 * @page: guest physical addresses of its memory pages, in order
 * @nr: how many
 * @offset: where the data begins in the first page
 * @list_offset: where the PRP list begins in its first page, a multiple of 8;
 *	what does not fit into that page makes the list chained
 * @list: out: guest physical address of the list page, 0 if there is none
 */
struct vng_prp {
	const uint64_t	*page;
	unsigned int	nr;
	uint32_t	offset;
	uint32_t	list_offset;
	uint64_t	list;
};

/* Fill in PRP1 and PRP2 and build the lists in pages from vng_alloc(). */
int vng_prp_build(struct vng *g, struct vng_sqe *sqe, struct vng_prp *prp);

/* The same for a buffer of consecutive pages that starts anywhere. */
int vng_prp_contig(struct vng *g, struct vng_sqe *sqe, uint64_t gpa,
		   size_t len);

/* Make descriptor @i of an array in guest memory. */
void vng_sgl_set(struct vng_sgl *sgl, unsigned int i, uint8_t type,
		 uint64_t gpa, uint32_t len);

/* The command's data is what one descriptor says: data, or a segment. */
void vng_sgl_use(struct vng_sqe *sqe, uint8_t type, uint64_t gpa, uint32_t len);

#ifdef __cplusplus
}
#endif

#endif /* VNG_H */
