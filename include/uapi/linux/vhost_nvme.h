/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_VHOST_NVME_H
#define _UAPI_LINUX_VHOST_NVME_H

/*
 * Userspace interface of vhost_nvme: the host kernel serves the I/O queues of
 * an NVMe controller whose registers and admin queue are emulated by a virtual
 * machine monitor (VMM).
 *
 * One open file of /dev/vhost-nvme is one controller. What vhost already
 * defines is taken from <linux/vhost.h>, with vhost's meaning:
 *
 *   VHOST_SET_OWNER      binds the controller to the calling process and its
 *                        address space, and starts a worker thread. Every
 *                        other ioctl except VHOST_GET_FEATURES and
 *                        VHOST_NVME_GET_CAPS needs it first, fails with EPERM
 *                        in any other process, and with ESRCH after
 *                        EVENT_WORKER_DIED.
 *   VHOST_GET_FEATURES   a bit mask of VHOST_NVME_F_*.
 *   VHOST_SET_FEATURES   EOPNOTSUPP for a bit that GET_FEATURES does not show;
 *                        EBUSY after VHOST_SET_MEM_TABLE.
 *   VHOST_SET_MEM_TABLE  the guest's memory: guest physical address (IOVA) to
 *                        address in the owner's address space. All addresses
 *                        and sizes are multiples of 4096. Replaces the whole
 *                        table. When it returns, no address of the old
 *                        table is looked up any more; data of commands in
 *                        flight still lands in the pages they pinned. A queue
 *                        or doorbell buffer that the new table maps elsewhere
 *                        or not at all stops with VHOST_NVME_EVENT_SQ_ERROR /
 *                        _CQ_ERROR.
 *
 * Numbers are in host byte order, queue contents in NVMe's little endian.
 * Reserved members, unused flags and padding must be zero (EINVAL otherwise).
 * An ioctl that fails has changed nothing. None waits for the disk of a
 * namespace, but for SET_NS, which writes out what the page cache has of a new one;
 * some wait for memory of the owner that a command needs, or that is to be
 * pinned, to be there.
 *
 * Clauses cited are of the NVM Express Base Specification 2.0 ("Base") and the
 * NVM Command Set Specification 1.0 ("NVM"), or of 2.1 and 1.1 where that is said.
 */

#include <linux/types.h>
#include <linux/vhost.h>
#include <linux/vhost_types.h>

/*
 * Bit number of VHOST_SET_FEATURES: VHOST_SET_MEM_TABLE pins all memory of the
 * table, for as long as it is in a table or a command is in flight that began
 * with such a table, and charges it to RLIMIT_MEMLOCK (ENOMEM), as VFIO does.
 * EFAULT if some of it cannot be written or pinned; EINTR if the caller is killed.
 * Commands then need not pin their data. The owner must not give away memory
 * meanwhile (MADV_DONTNEED, a balloon, another mapping in its place): the guest
 * would have new pages, and disks the old ones. Memory that the next table has
 * at the same guest physical address and the same address of the owner stays as
 * it is pinned, but for up to 64 MiB at a border that has moved.
 */
#define VHOST_NVME_F_PIN	0

/*
 * Bit number of VHOST_SET_FEATURES: reads and writes that go to the disk as one
 * request, without FUA, go to the poll queues of disks that have them (as the module
 * parameter poll_queues gives to nvme's), and complete without an interrupt on the
 * host. A worker does not sleep while it has
 * such a command in flight, however long the disk takes.
 */
#define VHOST_NVME_F_POLL_DISK	1

/**
 * struct vhost_nvme_caps - what this kernel can serve
 * @size: in: the bytes the caller has room for, at least
 *	VHOST_NVME_CAPS_SIZE_V1; out: the bytes the kernel knows. The smaller of
 *	both is written.
 * @max_queues: highest queue identifier, for submission and for completion
 *	queues
 * @max_entries: most entries of one queue
 * @max_nsid: highest namespace identifier
 * @max_transfer: most bytes of one Read, Write or Compare; limits Identify's MDTS
 * @max_mem_regions: most regions of VHOST_SET_MEM_TABLE
 * @max_dsm_ranges: most ranges of one Dataset Management command
 * @max_poll_us: highest poll_us and irq_us of VHOST_NVME_SET_POLL
 * @min_page_shift: smallest memory page size (CC.MPS), as a power of two
 * @max_page_shift: largest memory page size (CC.MPS), as a power of two
 * @min_lba_shift: smallest LBA size, as a power of two
 * @max_lba_shift: largest LBA size, as a power of two
 * @max_workers: most worker threads of VHOST_NVME_SET_WORKERS
 * @max_copy_ranges: most source ranges of one Copy command
 * @sgls: which SGLs are understood, as Identify Controller's SGLS
 * @copy_formats: descriptor formats of Copy, as Identify Controller's OCFS; 1 and 3
 *	complete with Invalid Format, because no namespace has guards of 64 bits
 * @max_errors: most entries of VHOST_NVME_GET_ERRORS
 * @opcodes: bit N % 64 of word N / 64 is set if the kernel executes opcode N of
 *	the NVM command set; all others complete with Invalid Command Opcode
 *
 * A VMM announces in Identify nothing that is missing here.
 */
struct vhost_nvme_caps {
	__u32	size;
	__u32	max_queues;
	__u32	max_entries;
	__u32	max_nsid;
	__u32	max_transfer;
	__u32	max_mem_regions;
	__u32	max_dsm_ranges;
	__u32	max_poll_us;
	__u8	min_page_shift;
	__u8	max_page_shift;
	__u8	min_lba_shift;
	__u8	max_lba_shift;
	__u32	max_workers;
	__u64	opcodes[4];
	__u32	max_copy_ranges;
	__u32	sgls;
	__u32	copy_formats;
	__u32	max_errors;
};

#define VHOST_NVME_CAPS_SIZE_V1	72

/* The namespace may not be written; the fd need not be open for writing. */
#define VHOST_NVME_NS_RDONLY	(1U << 0)
/*
 * Blocks stay allocated: Deallocate is accepted without effect, and Write
 * Zeroes writes (QEMU's discard=ignore).
 */
#define VHOST_NVME_NS_NODEALLOC	(1U << 1)

/**
 * struct vhost_nvme_ns - a namespace
 * @nsid: namespace identifier, 1 to caps.max_nsid
 * @flags: VHOST_NVME_NS_*
 * @fd: an open block device, or -1 to remove the namespace
 * @lba_shift: LBA size as a power of two, no smaller than the device's logical
 *	block size
 * @reserved8: zero
 * @nlb: size in LBAs, no more than the device has; 0 for the whole device
 * @mcl: most LBAs of one Copy command to the namespace (NVM 4.1.5.1, Identify
 *	Namespace's MCL)
 * @mssrl: most LBAs of one source range in the namespace (MSSRL)
 * @msrc: most source ranges of one Copy command to it, 0's based (MSRC)
 * @reserved2: zero
 * @reserved: zero
 *
 * A Copy command beyond mcl, mssrl or msrc completes with Command Size Limit
 * Exceeded; with all of them 0, that is every one.
 */
struct vhost_nvme_ns {
	__u32	nsid;
	__u32	flags;
	__s32	fd;
	__u8	lba_shift;
	__u8	reserved8[3];
	__u64	nlb;
	__u32	mcl;
	__u16	mssrl;
	__u8	msrc;
	__u8	reserved2;
	__u64	reserved;
};

/**
 * struct vhost_nvme_cq - an I/O completion queue (Base 5.4, Create I/O
 *	Completion Queue)
 * @cqid: 1 to caps.max_queues
 * @worker: which worker serves the queue and all submission queues that complete
 *	to it: 0 to one less than their number (see VHOST_NVME_SET_WORKERS)
 * @entries: 2 to caps.max_entries; not a 0's based value
 * @addr: guest physical address of the ring, aligned to
 *	1 << caps.min_page_shift
 * @irq_fd: eventfd to signal for new entries (to be bound to a KVM irqfd), or
 *	-1 if interrupts are disabled for the queue (IEN = 0)
 * @kick_fd: eventfd signalled by writes of the CQ head doorbell while shadow
 *	doorbells are on (to be bound to a KVM ioeventfd), or -1
 * @reserved: zero
 */
struct vhost_nvme_cq {
	__u16	cqid;
	__u16	worker;
	__u32	entries;
	__u64	addr;
	__s32	irq_fd;
	__s32	kick_fd;
	__u64	reserved[2];
};

/**
 * struct vhost_nvme_sq - an I/O submission queue (Base 5.5, Create I/O
 *	Submission Queue)
 * @sqid: 1 to caps.max_queues
 * @cqid: its completion queue, which must exist
 * @entries: 2 to caps.max_entries; not a 0's based value
 * @addr: guest physical address of the ring, aligned to
 *	1 << caps.min_page_shift
 * @kick_fd: eventfd signalled by writes of the SQ tail doorbell while shadow
 *	doorbells are on (to be bound to a KVM ioeventfd), or -1
 * @page_shift: memory page size that the controller was enabled with
 *	(12 + CC.MPS), for PRPs
 * @reserved8: zero
 * @reserved: zero
 */
struct vhost_nvme_sq {
	__u16	sqid;
	__u16	cqid;
	__u32	entries;
	__u64	addr;
	__s32	kick_fd;
	__u8	page_shift;
	__u8	reserved8[3];
	__u64	reserved[2];
};

/**
 * struct vhost_nvme_dbbuf - shadow doorbells (Base 5.8, Doorbell Buffer Config)
 * @dbs: guest physical address of the shadow doorbell page, aligned like a ring
 * @eis: guest physical address of the EventIdx page, aligned like a ring
 * @reserved: zero
 *
 * The layout of both is that of the doorbell registers with CAP.DSTRD = 0.
 * Only the entries of I/O queues are used: never those of queue 0.
 */
struct vhost_nvme_dbbuf {
	__u64	dbs;
	__u64	eis;
	__u64	reserved[2];
};

/* The doorbell is a CQ head doorbell; without it, an SQ tail doorbell. */
#define VHOST_NVME_DOORBELL_CQ	(1U << 0)

/**
 * struct vhost_nvme_doorbell - a write to a doorbell register
 * @qid: queue identifier
 * @flags: VHOST_NVME_DOORBELL_*
 * @value: the tail or head that the guest wrote
 */
struct vhost_nvme_doorbell {
	__u16	qid;
	__u16	flags;
	__u32	value;
};

/**
 * struct vhost_nvme_poll - busy polling of the controller's workers
 * @poll_us: how long a worker keeps looking for new commands, in
 *	microseconds, before it sleeps: an upper limit, within which the window
 *	adapts. 0 (the default): it sleeps as soon as it has nothing to do.
 * @irq_us: while it looks, an interrupt that the guest has not answered by moving
 *	the CQ's head keeps another one back for as long as this, in
 *	microseconds; and one to a guest that goes on submitting is put off by up
 *	to half of it. 0 (the default): each batch raises one at once.
 */
struct vhost_nvme_poll {
	__u32	poll_us;
	__u32	irq_us;
};

/**
 * struct vhost_nvme_workers - threads that serve the queues
 * @nr: their number, 1 (the default) to caps.max_workers
 * @reserved: zero
 */
struct vhost_nvme_workers {
	__u32	nr;
	__u32	reserved;
};

/*
 * The volatile write cache is off (Base 5.27.1.4, Set Features 06h): a command
 * that writes is on the medium before it completes.
 */
#define VHOST_NVME_CTRL_WRITE_THROUGH	(1U << 0)

/**
 * struct vhost_nvme_ctrl - what the controller was told by admin commands, or has
 *	told in Identify
 * @flags: VHOST_NVME_CTRL_*
 * @max_transfer: most bytes of one Read, Write or Compare (Identify's MDTS), no
 *	more than caps.max_transfer; 0 for that
 * @max_verify: most bytes of one Verify command (VSL); 0 for no limit
 * @burst: most commands fetched from one submission queue before it is the next
 *	one's turn (Base 5.27.1.1, Arbitration Burst), not as a power of two; 0
 *	for no limit, which is the kernel's own then
 * @copy_formats: descriptor formats of Copy that the host has enabled (Base 2.1,
 *	Set Features 16h, Host Behavior Support's CDFE), as a bit mask. Formats 0 and 1
 *	need not be enabled; the others complete with Invalid Field without it.
 * @reserved: zero
 *
 * All are 0 in the beginning. Longer commands complete with Invalid Field.
 */
struct vhost_nvme_ctrl {
	__u32	flags;
	__u32	max_transfer;
	__u32	max_verify;
	__u32	burst;
	__u32	copy_formats;
	__u32	reserved[3];
};

/**
 * struct vhost_nvme_coalesce - interrupt coalescing of a completion queue
 * @cqid: an existing completion queue
 * @threshold: entries that raise an interrupt; not a 0's based value
 * @time_us: microseconds after which fewer do, at most 25500
 *
 * Off, as in the beginning, if threshold is below 2 or time_us is 0. (Base
 * 5.27.1.6 and 5.27.1.7, Interrupt Coalescing and Interrupt Vector Configuration;
 * a VMM sets it off for a vector with Coalescing Disable.)
 */
struct vhost_nvme_coalesce {
	__u16	cqid;
	__u16	threshold;
	__u32	time_us;
};

/**
 * struct vhost_nvme_error - a command that failed (Base 5.16.1.2, Error Information
 *	log page)
 * @count: number of the entry, from 1, since the file was opened
 * @lba: first LBA of the command; 0 if it has none
 * @nsid: its namespace identifier
 * @sqid: its submission queue
 * @cid: its command identifier
 * @status: as in the completion queue entry, without the phase tag
 * @opcode: its opcode
 * @reserved: zero
 */
struct vhost_nvme_error {
	__u64	count;
	__u64	lba;
	__u32	nsid;
	__u16	sqid;
	__u16	cid;
	__u16	status;
	__u8	opcode;
	__u8	reserved[5];
};

/**
 * struct vhost_nvme_errors - the last commands that failed
 * @entries: in: where to write an array of struct vhost_nvme_error, newest first
 * @nr: in: room in it; out: entries written, at most caps.max_errors
 * @reserved: zero
 * @total: out: commands that failed since the file was opened
 */
struct vhost_nvme_errors {
	__u64	entries;
	__u32	nr;
	__u32	reserved;
	__u64	total;
};

/* What struct vhost_nvme_stats describes */
#define VHOST_NVME_STATS_WORKER	0	/* id: a worker, counted from 0 */
#define VHOST_NVME_STATS_SQ	1	/* id: a submission queue */
#define VHOST_NVME_STATS_CQ	2	/* id: a completion queue */
#define VHOST_NVME_STATS_NS	3	/* id: a namespace identifier */

/**
 * struct vhost_nvme_stats - counters since creation of the object; of a namespace
 *	identifier, since the file was opened
 * @size: in and out like caps.size, at least VHOST_NVME_STATS_SIZE_V1
 * @scope: VHOST_NVME_STATS_*
 * @id: which one
 * @commands: SQ: commands fetched
 * @errors: SQ, NS: commands completed with a status other than 0
 * @read_bytes: SQ, NS: bytes that commands read from the disk: Read, Compare, Verify,
 *	Copy
 * @write_bytes: SQ, NS: bytes that commands wrote to it: Write, Copy
 * @bounced: SQ: commands whose data had to be copied for the disk's alignment
 * @retries: SQ: commands that the disk could not take at once
 * @inflight: SQ: commands fetched and not completed
 * @cqes: CQ: entries posted
 * @irqs: CQ: signals sent to irq_fd
 * @full: CQ: times a submission queue had to wait for the guest to consume
 * @kicks: SQ, CQ: signals received from kick_fd
 * @doorbells: SQ, CQ: VHOST_NVME_DOORBELL calls
 * @wakeups: worker: times it went from sleeping to running
 * @passes: worker: looks at its queues
 * @busy_passes: worker: looks that found a command
 * @poll_ns: worker: the present polling window
 * @pinned_pages: worker: pages charged to RLIMIT_MEMLOCK by the controller
 * @tid: worker: its thread in the owner's process, for setting its CPUs; 0
 *	before it has run for the first time
 * @read_commands: NS: Read and Compare commands
 * @write_commands: NS: Write commands
 * @media_errors: NS: commands that the disk could not read or write
 *
 * Members that do not belong to the scope are 0. The counters are read without
 * stopping the queues.
 */
struct vhost_nvme_stats {
	__u32	size;
	__u16	scope;
	__u16	id;
	__u64	commands;
	__u64	errors;
	__u64	read_bytes;
	__u64	write_bytes;
	__u64	bounced;
	__u64	retries;
	__u64	inflight;
	__u64	cqes;
	__u64	irqs;
	__u64	full;
	__u64	kicks;
	__u64	doorbells;
	__u64	wakeups;
	__u64	passes;
	__u64	busy_passes;
	__u64	poll_ns;
	__u64	pinned_pages;
	__u64	tid;
	__u64	read_commands;
	__u64	write_commands;
	__u64	media_errors;
};

#define VHOST_NVME_STATS_SIZE_V1	152

/*
 * Events. read(2) returns as many of them as are pending and fit, in no
 * particular order; poll(2) shows POLLIN while there is one. With nothing pending, read
 * blocks, or fails with EAGAIN if the file is O_NONBLOCK. Two equal events of
 * which none was read are one.
 */
#define VHOST_NVME_EVENT_SQ_DELETED	1 /* id: DELETE_SQ is complete */
#define VHOST_NVME_EVENT_RESET_DONE	2 /* RESET is complete */
/*
 * id: nothing that SET_NS has replaced or removed under this namespace identifier is
 * in use any more, the last of it is closed. A SET_NS that replaces or removes
 * takes back an event that was not read, so that what is read after it speaks of that
 * device too.
 */
#define VHOST_NVME_EVENT_NS_REMOVED	3
#define VHOST_NVME_EVENT_SQ_ERROR	4 /* id: the SQ stopped; set CSTS.CFS */
#define VHOST_NVME_EVENT_CQ_ERROR	5 /* id: the CQ stopped; set CSTS.CFS */
/*
 * The owner has ended while another process has the file open. All queues and
 * namespaces go as with RESET and SET_NS; no new queue can be created.
 */
#define VHOST_NVME_EVENT_WORKER_DIED	6
/*
 * id: a command found that the disk of a namespace has been removed from the host.
 * The namespace stays until SET_NS removes it, and commands to it fail.
 */
#define VHOST_NVME_EVENT_NS_GONE	7

/**
 * struct vhost_nvme_event - what read(2) returns
 * @type: VHOST_NVME_EVENT_*
 * @id: queue or namespace identifier, or 0
 */
struct vhost_nvme_event {
	__u32	type;
	__u32	id;
};

/*
 * VHOST_NVME_GET_CAPS - see struct vhost_nvme_caps. Needs no owner. The size in the
 * ioctl's number may be that of another version of the structure.
 *
 * EINVAL: size is too small.
 */
#define VHOST_NVME_GET_CAPS	_IOWR(VHOST_VIRTIO, 0xA0, struct vhost_nvme_caps)

/*
 * VHOST_NVME_SET_NS - add, replace or remove a namespace.
 *
 * Commands fetched later see the new state, also while commands are in flight on
 * older devices; those finish there, and each device is closed after the last of
 * its own. EVENT_NS_REMOVED follows when no old device of the identifier is
 * left. Removing a namespace that is not there does nothing and raises no event.
 *
 * EINVAL: a member out of range, an LBA size that the device's logical block
 * size does not divide, nlb beyond the device, or smaller than one LBA. EBADF:
 * not an open file. ENOTBLK: not a block device. EACCES: not open for reading,
 * or not for writing without NS_RDONLY, or the device is read-only.
 * EOPNOTSUPP: a zoned device. EBUSY: 512 devices that were replaced or removed, of
 * all namespaces, are still in use; nothing can be added or replaced, but removed.
 * ENOMEM.
 */
#define VHOST_NVME_SET_NS	_IOW(VHOST_VIRTIO, 0xA1, struct vhost_nvme_ns)

/*
 * VHOST_NVME_CREATE_CQ - create and start a completion queue.
 *
 * Its ring is pinned, mapped and charged to RLIMIT_MEMLOCK.
 *
 * EINVAL: a member out of range, worker too. EEXIST: cqid is in use. EFAULT: the ring is
 * not wholly in the memory table, or not writable memory. EBADF: an fd is no
 * eventfd (EINVAL for an fd of another kind). ENOMEM: no memory, or
 * RLIMIT_MEMLOCK is exceeded (unless CAP_IPC_LOCK). EBUSY: a reset is not
 * complete.
 */
#define VHOST_NVME_CREATE_CQ	_IOW(VHOST_VIRTIO, 0xA2, struct vhost_nvme_cq)

/*
 * VHOST_NVME_CREATE_SQ - create and start a submission queue.
 *
 * Errors as for CREATE_CQ, and ENOENT: no such completion queue.
 */
#define VHOST_NVME_CREATE_SQ	_IOW(VHOST_VIRTIO, 0xA3, struct vhost_nvme_sq)

/*
 * VHOST_NVME_DELETE_SQ - delete a submission queue.
 *
 * Takes the queue identifier as argument. When it returns, no further command
 * is fetched. EVENT_SQ_DELETED follows as soon as no command of the queue can
 * touch guest memory or the completion queue any more, and the identifier is
 * free then. Commands in flight finish, or end with Command Aborted due to SQ
 * Deletion if they take long, and post their completions before it.
 *
 * ENOENT: no such queue. EALREADY: it is being deleted.
 */
#define VHOST_NVME_DELETE_SQ	_IO(VHOST_VIRTIO, 0xA4)

/*
 * VHOST_NVME_DELETE_CQ - delete a completion queue, at once.
 *
 * Takes the queue identifier as argument.
 *
 * ENOENT: no such queue. EBUSY: a submission queue still uses it (also one
 * whose deletion is not complete).
 */
#define VHOST_NVME_DELETE_CQ	_IO(VHOST_VIRTIO, 0xA5)

/*
 * VHOST_NVME_RESET - delete all queues and forget the shadow doorbells.
 *
 * When it returns, no further command is fetched, and the shadow doorbell and
 * EventIdx pages are not touched again. EVENT_RESET_DONE follows as soon as no
 * DMA to guest memory can happen and all rings are unpinned; pending queue
 * events are dropped. Namespaces, the memory table, workers, the poll limits, what
 * SET_CTRL has set, the error log and the counters of namespaces stay.
 * A second RESET before the event is allowed and gives one event.
 */
#define VHOST_NVME_RESET	_IO(VHOST_VIRTIO, 0xA6)

/*
 * VHOST_NVME_SET_DBBUF - turn shadow doorbells on, for the queues that exist
 * and for those created later, until RESET.
 *
 * Existing queues take over their present tail and head into the shadow page.
 *
 * EINVAL: an address is not aligned, both are the same page, or a reserved
 * member is not zero. EFAULT: an
 * address is not in the memory table, or not writable memory. EBUSY: a reset
 * is not complete. ENOMEM.
 */
#define VHOST_NVME_SET_DBBUF	_IOW(VHOST_VIRTIO, 0xA7, struct vhost_nvme_dbbuf)

/*
 * VHOST_NVME_DOORBELL - a doorbell write that was trapped.
 *
 * While shadow doorbells are on, the value is only a reason to look at the
 * shadow page; otherwise it is the new tail or head.
 *
 * ENOENT: no such queue. EINVAL: the value is not below the queue's number of
 * entries, or an unknown flag.
 */
#define VHOST_NVME_DOORBELL	_IOW(VHOST_VIRTIO, 0xA8, struct vhost_nvme_doorbell)

/*
 * VHOST_NVME_SET_POLL - see struct vhost_nvme_poll; applies at once.
 *
 * EINVAL: poll_us or irq_us is above caps.max_poll_us.
 */
#define VHOST_NVME_SET_POLL	_IOW(VHOST_VIRTIO, 0xA9, struct vhost_nvme_poll)

/*
 * VHOST_NVME_GET_STATS - see struct vhost_nvme_stats. The size in the ioctl's number
 * may be that of another version of the structure.
 *
 * EINVAL: unknown scope, or size is too small. ENOENT: no such queue or worker, or
 * a namespace identifier that cannot be (one without namespace is no error).
 */
#define VHOST_NVME_GET_STATS	_IOWR(VHOST_VIRTIO, 0xAA, struct vhost_nvme_stats)

/*
 * VHOST_NVME_SET_WORKERS - see struct vhost_nvme_workers. Threads are created or
 * ended until there are as many; the limit of VHOST_NVME_SET_POLL holds for all.
 *
 * EINVAL: nr is 0 or above caps.max_workers. EBUSY: there are queues, or a reset
 * is not complete. ENOMEM, EAGAIN: as for creating a thread.
 */
#define VHOST_NVME_SET_WORKERS	_IOW(VHOST_VIRTIO, 0xAB, struct vhost_nvme_workers)

/*
 * VHOST_NVME_SET_CTRL - see struct vhost_nvme_ctrl; holds for commands fetched
 * later.
 *
 * EINVAL: an unknown flag, max_transfer above caps.max_transfer, a bit of
 * copy_formats that caps.copy_formats does not have or that need not be enabled, or a
 * reserved member is not zero.
 */
#define VHOST_NVME_SET_CTRL	_IOW(VHOST_VIRTIO, 0xAC, struct vhost_nvme_ctrl)

/*
 * VHOST_NVME_SET_COALESCE - see struct vhost_nvme_coalesce; applies at once.
 *
 * ENOENT: no such queue. EINVAL: time_us is above 25500.
 */
#define VHOST_NVME_SET_COALESCE	_IOW(VHOST_VIRTIO, 0xAD, struct vhost_nvme_coalesce)

/*
 * VHOST_NVME_GET_ERRORS - see struct vhost_nvme_errors.
 *
 * EINVAL: a reserved member is not zero. EFAULT.
 */
#define VHOST_NVME_GET_ERRORS	_IOWR(VHOST_VIRTIO, 0xAE, struct vhost_nvme_errors)

#endif /* _UAPI_LINUX_VHOST_NVME_H */
