/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VN_VHOST_NVME_H
#define _VN_VHOST_NVME_H

/*
 * What the files of the module share.
 *
 * Locks, outermost first:
 *
 *   ctrl->lock    mutex; every ioctl that changes something, and teardown
 *   worker->lock  mutex; held by the worker during one pass over its queues
 *   cq->lock      spinlock, irq-safe; posting completions
 *   vn_turns.lock spinlock, irq-safe; commands that wait
 *   ctrl->events.lock, ctrl->errors.lock, worker->wake_lock, worker->polled_lock,
 *   vn_disk.lock:
 *                 spinlocks, irq-safe, innermost
 *
 * What the worker reads during a pass (queue lists, memory table, namespaces,
 * shadow doorbells) changes only under ctrl->lock and the lock of every worker
 * (vn_ctrl_pause()), so that it needs no other protection, and whoever has
 * paused the workers knows that none of them uses the old value. A pass never
 * waits for a block device.
 *
 * References: a request in flight holds its SQ, its namespaces and the memory
 * table if that is pinned, which holds the controller; an SQ holds
 * its CQ (by cq->nr_sqs, under ctrl->lock) and the controller; a namespace
 * holds the controller; the controller holds the module. The open file holds
 * the controller too, but its release does not wait for requests in flight.
 */

#include <linux/bio.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/nvme.h>
#include <linux/percpu-refcount.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/vhost_nvme.h>

#define VN_MAX_QUEUES		128
#define VN_MAX_ENTRIES		65536
#define VN_MAX_NSID		256
#define VN_MAX_TRANSFER		SZ_1M
#define VN_MAX_MEM_REGIONS	512
#define VN_MAX_DSM_RANGES	256
#define VN_MAX_COPY_RANGES	256
#define VN_MAX_POLL_US		1000000
/* Most of a field of 8 bits, in units of 100 us */
#define VN_MAX_COALESCE_US	25500
/* Commands that failed and are remembered */
#define VN_MAX_ERRORS		128
/* Rings are pinned and mapped in whole pages of the host. */
#define VN_MIN_PAGE_SHIFT	PAGE_SHIFT
#define VN_MAX_PAGE_SHIFT	16
#define VN_MIN_LBA_SHIFT	SECTOR_SHIFT
#define VN_MAX_LBA_SHIFT	12

/* Most workers of one controller: as many locks of a kind lockdep can tell */
#define VN_MAX_WORKERS		8
/* Most commands in flight on one SQ: bounds its memory, not its ring */
#define VN_MAX_INFLIGHT		1024
/* Most commands fetched from one SQ in one pass, so that none starves others */
#define VN_SQ_BATCH		32
/* An SQ that was empty in as many passes is not looked at in each of them ... */
#define VN_SQ_MISSES		16
/* ... but after a pass, once others have had as many, and when they have none. */
#define VN_SCAN_COMMANDS	128
/* Time after which a pass leaves further SQs to the next one */
#define VN_PASS_NS		NSEC_PER_MSEC
/* Most pieces of one command's data: an offset in the first page adds one */
#define VN_MAX_PAGES		(VN_MAX_TRANSFER / VHOST_PAGE_SIZE + 1)
/* PRP list entries copied at once */
#define VN_PRP_CHUNK		64
/* SGL descriptors copied at once */
#define VN_SGL_CHUNK		64U
/*
 * Most SGL descriptors of one command, in all its segments: twice what 1 MiB takes
 * in pieces of 512 bytes
 */
#define VN_MAX_SGL_DESCS	4096
/* Most segments that the controller's commands with very many have together */
#define VN_MAX_SCATTERED	SZ_1M
/* Most bytes of bounce buffers that the controller's commands have together */
#define VN_MAX_BOUNCE		SZ_64M
/*
 * Identify Controller's OCFS: descriptor formats 0 and 2, and 1 and 3, which are the
 * same for namespaces with guards of 64 bits: those get Invalid Format
 */
#define VN_COPY_FORMATS		(BIT(0) | BIT(1) | BIT(2) | BIT(3))
/* Those of them that the host enables by Host Behavior Support's CDFE */
#define VN_COPY_CDFE		(BIT(2) | BIT(3))
/*
 * What Identify Controller's SGLS may have: any alignment and length, bit buckets,
 * and any MPTR, which nobody looks at
 */
#define VN_SGLS			(BIT(0) | BIT(16) | BIT(17) | BIT(19))
/*
 * Memory is pinned in pieces of this size, so that a table with another border
 * somewhere, as firmware causes it, has little to pin anew
 */
#define VN_PIN_SHIFT		26
#define VN_PIN_SIZE		BIT(VN_PIN_SHIFT)
/* A memory table's addresses are divided into this many parts, for finding regions */
#define VN_MEM_SLOTS		4096
/* Requests hold this many data segments without an allocation */
#define VN_INLINE_BVECS		4
/* Commands of one namespace that may block at the same time */
#define VN_MAX_BLOCKING		16
/*
 * Most commands of a queue that go to a busy disk past those of another. With fewer
 * than a batch, two that send as much would be in each other's way without need.
 */
#define VN_MAX_LEAD		VN_SQ_BATCH
/*
 * Namespaces that were replaced or removed while commands are in flight on them,
 * of one controller: a guest could have one for each command that hangs. With as
 * many, none is added.
 */
#define VN_MAX_LEAVING		512
/*
 * Work items of a controller's teardown at a time, more than may have to wait for one
 * another: the kernel's threads for them are nobody's.
 */
#define VN_MAX_TEARDOWN		64
/*
 * What takes long is done in steps of this size. It bounds the memory for data
 * that is only compared or copied, ...
 */
#define VN_COPY_STEP		SZ_256K
/* ... how long others wait for their turn, and how long a reset waits. */
#define VN_ZERO_STEP		SZ_32M
#define VN_DISCARD_STEP		SZ_1G

struct vn_ctrl;
struct vn_mem;
struct vn_op;
struct vn_req;
struct vn_turns;
struct vn_worker;

/**
 * struct vn_map - guest pages pinned and mapped for as long as a queue lives
 * @gpa: guest physical address, page aligned
 * @nr_pages: host pages
 * @pages: the pages
 * @vaddr: kernel address of the first byte
 */
struct vn_map {
	u64		gpa;
	unsigned int	nr_pages;
	struct page	**pages;
	void		*vaddr;
};

/**
 * struct vn_pin - pages of guest memory that is pinned as a whole
 * @ref: one for each table that has them: ctrl->lock, or teardown
 * @start: address in the owner's address space
 * @nr_pages: host pages
 * @pages: them
 */
struct vn_pin {
	refcount_t	ref;
	u64		start;
	unsigned long	nr_pages;
	struct page	*pages[];
};

/**
 * struct vn_region - guest memory that is contiguous for guest and owner
 * @gpa: guest physical address
 * @size: bytes, not 0; neither @gpa nor @uaddr wrap
 * @uaddr: address in the owner's address space
 * @pins: its pages, with VHOST_NVME_F_PIN, one for each VN_PIN_SIZE of the
 *	owner's address space that it touches; else NULL
 */
struct vn_region {
	u64		gpa;
	u64		size;
	u64		uaddr;
	struct vn_pin	**pins;
};

/**
 * struct vn_mem - a memory table; never changes
 * @ctrl: controller; holds a reference if @pinned
 * @pinned: all regions are
 * @ref: if @pinned: one while it is in force, one for each request in flight
 * @free_work: frees it after the last reference
 * @slot_shift: size of a slot, as a power of two
 * @slots: for each slot, and the end of the last one, the region in which its
 *	first address is, or else the one before, or else the first
 * @nr: number of regions
 * @regions: by ascending gpa, not overlapping
 */
struct vn_mem {
	struct vn_ctrl		*ctrl;
	bool			pinned;
	struct percpu_ref	ref;
	struct work_struct	free_work;
	u8			slot_shift;
	u16			slots[VN_MEM_SLOTS + 1];
	unsigned int		nr;
	struct vn_region	regions[] __counted_by(nr);
};

/**
 * struct vn_kick - an eventfd that wakes a worker
 * @worker: whom to wake
 * @file: the eventfd, or NULL for none
 * @wqh: the eventfd's wait queue head
 * @wait: our entry in it
 * @pt: for finding @wqh
 * @count: signals seen; written under @wqh's lock
 */
struct vn_kick {
	struct vn_worker	*worker;
	struct file		*file;
	wait_queue_head_t	*wqh;
	wait_queue_entry_t	wait;
	poll_table		pt;
	u64			count;
};

/**
 * struct vn_db - the device's side of a doorbell
 * @shadow: the guest's shadow doorbell, or NULL: worker->lock
 * @eventidx: the value whose passing makes the guest ring: worker->lock
 * @value: the last value from VHOST_NVME_DOORBELL, used without @shadow
 * @rings: VHOST_NVME_DOORBELL calls: ctrl->lock
 */
struct vn_db {
	__le32	*shadow;
	__le32	*eventidx;
	u32	value;
	u64	rings;
};

/**
 * enum vn_irq_mode - when the interrupt of a CQ is due
 * @VN_IRQ_ECONOMY: see irq.c
 * @VN_IRQ_COALESCE: as VHOST_NVME_SET_COALESCE says
 * @VN_IRQ_OFF: never again
 */
enum vn_irq_mode {
	VN_IRQ_ECONOMY,
	VN_IRQ_COALESCE,
	VN_IRQ_OFF,
};

/**
 * struct vn_irq - the interrupt of a CQ
 * @ctx: eventfd to signal, or NULL; set at creation
 * @signals: signals sent
 * @mode: written under worker->lock
 *
 * Coalescing, in any context:
 * @threshold: entries that are due
 * @time_ns: time after which fewer are
 * @gathered: entries since the last signal
 * @timer: runs since the first of them
 *
 * The worker's, under worker->lock; see irq.c:
 * @node: in worker->owed while entries may need a signal
 * @since: since when; 0 if vn_irq_settle() has not seen them
 * @sent: a signal is outstanding
 * @sent_head: the CQ's head at that time
 * @sent_at: that time
 * @seen: the CQ's count of entries when last looked at
 * @seen_at: when that last changed
 * @batch: entries to await
 * @grow: full batches until the next is larger
 * @trial: value for @grow where @batch is 1
 */
struct vn_irq {
	struct eventfd_ctx	*ctx;
	atomic_long_t		signals;
	enum vn_irq_mode	mode;
	u32			threshold;
	u64			time_ns;
	atomic_t		gathered;
	struct hrtimer		timer;
	struct list_head	node;
	u64			since;
	bool			sent;
	u32			sent_head;
	u64			sent_at;
	u32			seen;
	u64			seen_at;
	u32			batch;
	u32			grow;
	u32			trial;
};

/**
 * struct vn_cq - a completion queue
 *
 * Set at creation:
 * @ctrl: controller
 * @worker: serves all its SQs
 * @cqid: queue identifier
 * @entries: size of the ring
 * @map: the ring
 * @kick: CQ head doorbell with shadow doorbells
 *
 * Written under ctrl->lock:
 * @nr_sqs: SQs that use the queue, also those being deleted
 *
 * The worker's, under worker->lock:
 * @db: CQ head doorbell
 * @head: last head taken from the guest
 * @reserved: commands fetched for this queue, modulo 2^32
 * @released: entries that the guest has consumed, modulo 2^32
 * @full: times that an SQ had to wait for an entry
 * @failed: the queue has stopped for good
 * @starved: an SQ waits for the guest to consume; read by doorbell writers
 * @irq: its interrupt
 *
 * Under @lock, in any context:
 * @tail: next entry to write
 * @phase: its phase tag
 * @posted: entries posted; also read by the worker, which needs the lower 32 bits
 */
struct vn_cq {
	struct vn_ctrl		*ctrl;
	struct vn_worker	*worker;
	u16			cqid;
	u32			entries;
	struct vn_map		map;
	struct vn_kick		kick;
	unsigned int		nr_sqs;

	struct vn_db		db;
	u32			head;
	u32			reserved;
	u32			released;
	u64			full;
	bool			failed;
	bool			starved;
	struct vn_irq		irq;

	spinlock_t		lock ____cacheline_aligned_in_smp;
	u32			tail;
	u16			phase;
	u64			posted;
};

/**
 * struct vn_sq - a submission queue
 *
 * Set at creation:
 * @ctrl: controller
 * @cq: completion queue
 * @sqid: queue identifier
 * @entries: size of the ring
 * @page_shift: memory page size for PRPs
 * @map: the ring
 * @kick: SQ tail doorbell with shadow doorbells
 * @reqs: all requests
 * @dead: in ctrl->dead_sqs after the last reference
 *
 * Under ctrl->lock:
 * @deleting: DELETE_SQ or RESET was called
 *
 * The worker's, under worker->lock:
 * @node: in worker->sqs while the queue is served
 * @active: in worker->active while it has commands now and then
 * @misses: passes since it had one
 * @db: SQ tail doorbell
 * @head: next entry to fetch; also read for the SQHD of completions
 * @idle: requests ready for use
 * @failed: the queue has stopped for good
 * @waiting: there are commands, but no CQ entry for them
 * @commands: commands fetched
 * @bytes: of data, read and written
 * @bounced: commands with a bounce buffer
 *
 * Any context:
 * @ref: one for being served, one for each request in flight
 * @done: requests that completed, on their way back to @idle
 * @starved: the worker waits for one of them
 * @errors: commands that failed: ctrl->errors.lock
 * @retries: commands that the disk could not take at once
 */
struct vn_sq {
	struct vn_ctrl		*ctrl;
	struct vn_cq		*cq;
	u16			sqid;
	u8			page_shift;
	u32			entries;
	struct vn_map		map;
	struct vn_kick		kick;
	struct vn_req		*reqs;
	struct llist_node	dead;
	bool			deleting;

	struct list_head	node;
	struct list_head	active;
	unsigned int		misses;
	struct vn_db		db;
	u32			head;
	struct llist_node	*idle;
	bool			failed;
	bool			waiting;
	u64			commands;
	u64			bytes[2];
	u64			bounced;

	refcount_t		ref ____cacheline_aligned_in_smp;
	struct llist_head	done;
	bool			starved;
	u64			errors;
	atomic_long_t		retries;
};

/**
 * struct vn_ns - a namespace
 * @ref: one while it is attached, one for each request in flight, one for each
 *	range that such a request copies from it
 * @ctrl: controller
 * @nsid: namespace identifier
 * @file: keeps @bdev open
 * @bdev: the disk
 * @nlb: size in LBAs
 * @lba_shift: LBA size
 * @rdonly: writes are refused
 * @nodealloc: Deallocate has no effect
 * @gone: no (further) event that the disk is gone: ctrl->events.lock
 * @mcl: most LBAs that one Copy command writes to it
 * @mssrl: most LBAs that one source range of a Copy command reads from it
 * @msrc: most source ranges of a Copy command that writes to it, 0's based
 * @turns: commands that may wait for @bdev, and so for no other disk
 * @free_work: closes it after the last reference
 */
struct vn_ns {
	refcount_t		ref;
	struct vn_ctrl		*ctrl;
	u32			nsid;
	struct file		*file;
	struct block_device	*bdev;
	u64			nlb;
	u8			lba_shift;
	bool			rdonly;
	bool			nodealloc;
	bool			gone;
	u32			mcl;
	u16			mssrl;
	u8			msrc;
	struct vn_turns		*turns;
	struct work_struct	free_work;
};

/**
 * struct vn_req - a command from its fetching to its completion
 * @link: in sq->idle or sq->done, or the worker's batch
 * @sq: submission queue
 * @ns: namespace, or NULL before it is known to exist
 * @cmd: private copy of the SQE; the guest's is never read again
 * @status: NVMe status field without the phase tag
 * @result: dword 0 of the completion
 * @op: how to execute it
 * @bio: for Read, Write, Flush
 * @mem: table that was in force, if it is pinned: @bv has its pages; else NULL:
 *	they are pinned for @bv alone
 * @bv: pinned guest memory; without a page where an SGL has a bit bucket
 * @nr_bv: number of entries of @bv
 * @passes: it has gone past commands of others: counted in vn_turns.served and
 *	shared. As wide as @nr_bv: one store clears both.
 * @inline_bv: @bv of small commands
 * @bounce: memory that the disk's alignment allows, or NULL
 * @nr_bounce: number of entries of @bounce
 * @len: bytes of data
 * @data: parameters copied from the guest (@op's business)
 * @pos: how much is done of what takes several steps (@op's business)
 * @range: the range that @pos is in
 * @node: in worker->polled if it is polled for, or in a list of vn_turns
 * @polled: it is
 * @work: unpinning in process context
 */
struct vn_req {
	struct llist_node	link;
	struct vn_sq		*sq;
	struct vn_ns		*ns;
	struct nvme_command	cmd;
	u16			status;
	u32			result;
	const struct vn_op	*op;
	struct bio		bio;
	struct vn_mem		*mem;
	struct bio_vec		*bv;
	unsigned int		nr_bv;
	u32			passes;
	struct bio_vec		inline_bv[VN_INLINE_BVECS];
	struct bio_vec		*bounce;
	unsigned int		nr_bounce;
	u32			len;
	void			*data;
	u64			pos;
	unsigned int		range;
	struct list_head	node;
	bool			polled;
	struct work_struct	work;
};

/* Directions of data, for counters */
#define VN_READ		0
#define VN_WRITE	1

/**
 * struct vn_count - what a worker counts for a namespace identifier
 * @commands: read and written data
 * @bytes: of it
 */
struct vn_count {
	u64	commands[2];
	u64	bytes[2];
};

/**
 * struct vn_worker - a thread that serves submission queues
 * @ctrl: controller
 * @wake_lock: no wake-up of a thread that has ended
 * @task: the thread
 * @stop: vn_worker_stop() was called: @wake_lock
 * @killed: the thread ends by itself: @wake_lock
 * @lock: held during a pass
 * @sqs: queues to serve: @lock
 * @active: those of them to look at in each pass: @lock
 * @unscanned: commands found since the others were looked at: @lock
 * @kcov_handle: whom its coverage is for, where the kernel has KCOV
 * @thread: the running thread, for telling our own context
 * @tid: its identifier for the owner
 * @poll_disks: disks with poll queues are polled
 * @polled_lock: protects @polled; taken in any context
 * @polled: requests that are polled for
 * @poll_work: polls for them after the end of the thread
 * @owed: CQs with entries that may need a signal: @thread's, with @lock
 * @asleep: it went to sleep, in @slept: @thread's
 * @slept: when
 * @last_busy: when a pass last found a command
 * @poll_max_ns: the limit set by the user
 * @irq_max_ns: how long an interrupt may be kept back, also by the user
 * @poll_ns: present polling window
 * @wakeups: counter
 * @passes: counter
 * @busy_passes: counter
 * @now: time of the end of the last pass: @thread's
 * @mem_puts: requests that completed in this pass, of those that hold the memory
 *	table: @lock
 * @batch: commands being prepared, then issued: @lock
 * @prps: scratch for PRP lists: @lock
 * @sgls: scratch for SGL segments: @lock
 * @pages: scratch for pinning: @lock
 * @counts: by namespace identifier; written by @thread
 */
struct vn_worker {
	struct vn_ctrl		*ctrl;
	spinlock_t		wake_lock;	/* stop, killed */
	struct vhost_task	*task;
	bool			stop;
	bool			killed;
	struct mutex		lock;		/* a pass */
	struct list_head	sqs;
	struct list_head	active;
	unsigned int		unscanned;
	u64			kcov_handle;
	struct task_struct	*thread;
	pid_t			tid;
	bool			poll_disks;
	spinlock_t		polled_lock;	/* polled */
	struct list_head	polled;
	struct delayed_work	poll_work;
	struct list_head	owed;
	bool			asleep;
	u64			slept;
	u64			last_busy;
	u64			poll_max_ns;
	u64			irq_max_ns;
	u64			poll_ns;
	u64			wakeups;
	u64			passes;
	u64			busy_passes;
	u64			now;
	unsigned int		mem_puts;
	struct vn_req		*batch[VN_SQ_BATCH];
	__le64			prps[VN_PRP_CHUNK];
	struct nvme_sgl_desc	sgls[VN_SGL_CHUNK];
	struct page		*pages[VN_MAX_PAGES];
	struct vn_count		counts[VN_MAX_NSID + 1];
};

/**
 * struct vn_events - what read(2) will tell; bounded by construction
 * @lock: protects the rest; taken in any context
 * @wait: readers and pollers
 * @sq_deleted: by queue identifier
 * @sq_error: by queue identifier
 * @cq_error: by queue identifier
 * @ns_removed: by namespace identifier
 * @ns_leaving: those replaced or removed and not closed, by namespace identifier
 * @nr_leaving: their sum
 * @ns_gone: by namespace identifier
 * @reset_done: nothing of a reset is left to do
 * @worker_died: a worker was killed
 */
struct vn_events {
	spinlock_t		lock;		/* the members below wait */
	wait_queue_head_t	wait;
	DECLARE_BITMAP(sq_deleted, VN_MAX_QUEUES + 1);
	DECLARE_BITMAP(sq_error, VN_MAX_QUEUES + 1);
	DECLARE_BITMAP(cq_error, VN_MAX_QUEUES + 1);
	DECLARE_BITMAP(ns_removed, VN_MAX_NSID + 1);
	unsigned int		ns_leaving[VN_MAX_NSID + 1];
	unsigned int		nr_leaving;
	DECLARE_BITMAP(ns_gone, VN_MAX_NSID + 1);
	bool			reset_done;
	bool			worker_died;
};

/**
 * struct vn_errors - commands that failed since the file was opened
 * @lock: protects the rest; taken in any context
 * @total: their number
 * @ring: the last ones
 * @ns: their number by namespace identifier
 * @ns_media: those of them for which the disk could not read or write
 */
struct vn_errors {
	spinlock_t		lock;		/* the members below */
	u64			total;
	struct vhost_nvme_error	ring[VN_MAX_ERRORS];
	u64			ns[VN_MAX_NSID + 1];
	u64			ns_media[VN_MAX_NSID + 1];
};

/**
 * struct vn_ctrl - a controller: one open file
 * @ref: the file, each SQ, each namespace, each pinned memory table
 * @lock: see the top of this file
 * @mm: the owner's address space, or NULL before VHOST_SET_OWNER; set once
 * @tgid: the owner's process, or NULL as @mm
 * @workers: threads; one starts with the owner, others with SET_WORKERS, and all
 *	stop with the file. Every CQ, with all its SQs, belongs to one.
 * @nr_workers: their number
 * @poll_max_ns: their limit of polling
 * @irq_max_ns: their limit of keeping interrupts back
 * @dead: the owner was killed
 * @pin: memory tables are pinned as a whole
 * @poll_disks: disks with poll queues are polled
 * @mem: memory table: paused workers to change
 * @sqs: by queue identifier
 * @cqs: by queue identifier
 * @ns: by namespace identifier: paused workers to change
 * @nr_sqs: SQs that exist, also those being deleted
 * @nr_cqs: CQs that exist
 * @resetting: RESET was called and SQs still drain
 * @dbs: shadow doorbells, or no pages
 * @eis: EventIdx
 * @turns: commands that may wait for the disks of several namespaces
 * @wq: teardown; may wait for the owner's memory, its ioctls and the closing of its
 *	disks, so that no other controller's is here
 * @write_through: what is written is on the medium before the command completes:
 *	paused workers to change, as the next four
 * @max_transfer: most bytes of one Read, Write or Compare
 * @max_verify: most bytes of one Verify
 * @batch: most commands fetched from one SQ in one pass
 * @copy_formats: descriptor formats of Copy that may be used, as a bit mask
 * @locked_pages: pages charged to RLIMIT_MEMLOCK of @mm
 * @scattered: segments of commands that have more than VN_MAX_PAGES
 * @bounce_bytes: of bounce buffers
 * @events: see there
 * @errors: see there
 * @dead_sqs: SQs that nobody uses any more
 * @sqs_work: frees those
 * @dead_work: lets go of everything after the owner's death
 * @release_work: the same after another process has closed the file
 * @free_work: frees it after the last reference
 */
struct vn_ctrl {
	struct kref		ref;
	struct mutex		lock;		/* outermost */
	struct mm_struct	*mm;
	struct pid		*tgid;
	struct vn_worker	*workers[VN_MAX_WORKERS];
	unsigned int		nr_workers;
	u64			poll_max_ns;
	u64			irq_max_ns;
	bool			dead;
	bool			pin;
	bool			poll_disks;
	struct vn_mem		*mem;
	struct vn_sq		*sqs[VN_MAX_QUEUES + 1];
	struct vn_cq		*cqs[VN_MAX_QUEUES + 1];
	struct vn_ns		*ns[VN_MAX_NSID + 1];
	unsigned int		nr_sqs;
	unsigned int		nr_cqs;
	bool			resetting;
	struct vn_map		dbs;
	struct vn_map		eis;
	struct vn_turns		*turns;
	struct workqueue_struct	*wq;
	bool			write_through;
	u32			max_transfer;
	u32			max_verify;
	u32			batch;
	u32			copy_formats;
	atomic_long_t		locked_pages;
	atomic_long_t		scattered;
	atomic_long_t		bounce_bytes;
	struct vn_events	events;
	struct vn_errors	errors;
	struct llist_head	dead_sqs;
	struct work_struct	sqs_work;
	struct work_struct	dead_work;
	struct work_struct	release_work;
	struct work_struct	free_work;
};

#define VN_NS_FLAGS	(VHOST_NVME_NS_RDONLY | VHOST_NVME_NS_NODEALLOC)

/* Frees controllers: their own workqueues have nothing left to wait for then */
extern struct workqueue_struct *vn_wq;
/* For pieces of bios that are beyond a disk's limits */
extern struct bio_set vn_bio_set;

/* ctrl.c */
struct vn_ctrl *vn_ctrl_create(void);
void vn_ctrl_release(struct vn_ctrl *ctrl);
void vn_ctrl_get(struct vn_ctrl *ctrl);
void vn_ctrl_put(struct vn_ctrl *ctrl);
void vn_ctrl_pause(struct vn_ctrl *ctrl);
void vn_ctrl_resume(struct vn_ctrl *ctrl);
int vn_ctrl_set_owner(struct vn_ctrl *ctrl);
int vn_ctrl_set_workers(struct vn_ctrl *ctrl,
			const struct vhost_nvme_workers *arg);
int vn_ctrl_set(struct vn_ctrl *ctrl, const struct vhost_nvme_ctrl *arg);
void vn_ctrl_reset(struct vn_ctrl *ctrl);
void vn_ctrl_owner_died(struct vn_ctrl *ctrl);
void vn_ctrl_reset_done(struct vn_ctrl *ctrl);
void vn_event(struct vn_ctrl *ctrl, u32 type, u32 id);
void vn_event_ns_gone(struct vn_ns *ns);
void vn_event_ns_leaves(struct vn_ns *ns);
void vn_event_ns_left(struct vn_ns *ns);
bool vn_event_ns_crowd(struct vn_ctrl *ctrl);
void vn_event_forget_errors(struct vn_ctrl *ctrl, u16 sqid, u16 cqid);
bool vn_event_pending(struct vn_ctrl *ctrl);
bool vn_event_take(struct vn_ctrl *ctrl, struct vhost_nvme_event *ev);

/* mem.c */
int vn_mem_set(struct vn_ctrl *ctrl, struct vhost_memory __user *arg);
void vn_mem_drop(struct vn_ctrl *ctrl);
const struct vn_region *vn_mem_region(const struct vn_mem *mem, u64 gpa);
bool vn_mem_find(const struct vn_mem *mem, u64 gpa, u64 len, u64 *uaddr,
		 u64 *run);
int vn_mem_read(struct vn_ctrl *ctrl, u64 gpa, void *buf, size_t len);
int vn_map_create(struct vn_ctrl *ctrl, struct vn_map *map, u64 gpa,
		  size_t len);
void vn_map_destroy(struct vn_ctrl *ctrl, struct vn_map *map);

/* queue.c */
int vn_cq_create(struct vn_ctrl *ctrl, const struct vhost_nvme_cq *arg);
int vn_cq_delete(struct vn_ctrl *ctrl, unsigned long cqid);
void vn_cq_free(struct vn_cq *cq);
void vn_cq_fail(struct vn_cq *cq);
u32 vn_cq_credits(struct vn_cq *cq, u32 want);
void vn_cq_update_head(struct vn_cq *cq);
int vn_sq_create(struct vn_ctrl *ctrl, const struct vhost_nvme_sq *arg);
int vn_sq_delete(struct vn_ctrl *ctrl, unsigned long sqid);
void vn_sq_detach(struct vn_sq *sq);
void vn_sq_fail(struct vn_sq *sq);
void vn_sqs_free_work(struct work_struct *work);
struct vn_req *vn_req_get(struct vn_sq *sq);
void vn_req_complete(struct vn_req *req);

/* irq.c */
void vn_irq_init(struct vn_cq *cq);
void vn_irq_off(struct vn_cq *cq);
void vn_irq_exit(struct vn_cq *cq);
int vn_irq_coalesce_set(struct vn_ctrl *ctrl,
			const struct vhost_nvme_coalesce *arg);
void vn_irq_post(struct vn_cq *cq, bool own);
void vn_irq_settle(struct vn_cq *cq, u64 now);
void vn_irq_settle_all(struct vn_worker *worker, u64 now);
void vn_irq_flush(struct vn_worker *worker);

/* doorbell.c */
int vn_kick_init(struct vn_kick *kick, struct vn_worker *worker, int fd);
void vn_kick_exit(struct vn_kick *kick);
int vn_dbbuf_set(struct vn_ctrl *ctrl, const struct vhost_nvme_dbbuf *arg);
void vn_dbbuf_attach_sq(struct vn_sq *sq);
void vn_dbbuf_attach_cq(struct vn_cq *cq);
void vn_dbbuf_detach(struct vn_ctrl *ctrl);
int vn_doorbell(struct vn_ctrl *ctrl, const struct vhost_nvme_doorbell *arg);
bool vn_db_read(const struct vn_db *db, u32 entries, u32 *value);
void vn_db_arm(struct vn_db *db, u32 seen);
void vn_db_quiet(struct vn_db *db, u32 seen, u32 entries);

/* worker.c */
struct vn_worker *vn_worker_create(struct vn_ctrl *ctrl);
void vn_worker_stop(struct vn_worker *worker);
void vn_worker_wake(struct vn_worker *worker);

/* poll.c */
void vn_poll_init(struct vn_worker *worker);
void vn_poll_end(struct vn_worker *worker);
void vn_poll_add(struct vn_req *req);
void vn_poll_del(struct vn_req *req);
bool vn_poll_disks(struct vn_worker *worker);

/* dptr.c */
u16 vn_data_copy(struct vn_req *req, void *buf, u32 len);
u16 vn_data_add(struct vn_req *req, u64 gpa, u64 len);
u16 vn_data_map(struct vn_req *req, u32 len);
u16 vn_data_map_cpu(struct vn_req *req, u32 len);
void vn_data_sync(struct vn_req *req, bool to_guest);
bool vn_data_all_dirty(const struct vn_req *req);
void vn_data_unmap_all(struct vn_req *req, bool redirty);

/* rw.c */
void vn_rw_in_steps(struct vn_req *req);

/* sgl.c */
u16 vn_sgl_map(struct vn_req *req);
u16 vn_sgl_copy(struct vn_req *req, void *buf, u32 len);

/* defer.c */
struct vn_turns *vn_turns_create(const char *name, struct gendisk *disk);
void vn_turns_destroy(struct vn_turns *turns);

/* nvm.c */
void vn_nvm_opcodes(u64 opcodes[4]);
u16 vn_nvm_prep(struct vn_req *req);
void vn_nvm_issue(struct vn_req *req);

/* stats.c */
void vn_error_log(const struct vn_req *req);
int vn_errors_get(struct vn_ctrl *ctrl, void __user *argp);
int vn_stats_get(struct vn_ctrl *ctrl, void __user *argp);
void vn_stats_take_over(struct vn_worker *to, const struct vn_worker *from);

/* main.c */
int vn_put_sized(void __user *arg, u32 user_size, const void *from, u32 size);

/* ns.c */
int vn_ns_set(struct vn_ctrl *ctrl, const struct vhost_nvme_ns *arg);
void vn_ns_remove(struct vn_ctrl *ctrl, u32 nsid);

/**
 * vn_sq_put - drop a reference
 * @sq: the queue
 *
 * Context: any.
 */
static inline void vn_sq_put(struct vn_sq *sq)
{
	struct vn_ctrl *ctrl = sq->ctrl;

	/* Only who finds the list empty queues the work, and holds @ctrl until then. */
	if (refcount_dec_and_test(&sq->ref) &&
	    llist_add(&sq->dead, &ctrl->dead_sqs))
		queue_work(ctrl->wq, &ctrl->sqs_work);
}

/**
 * vn_ns_get - find a namespace
 * @ctrl: controller, whose worker calls
 * @nsid: any number
 *
 * Return: the namespace with a reference, or NULL.
 */
static inline struct vn_ns *vn_ns_get(struct vn_ctrl *ctrl, u32 nsid)
{
	struct vn_ns *ns;

	if (!nsid || nsid > VN_MAX_NSID)
		return NULL;
	ns = ctrl->ns[array_index_nospec(nsid, VN_MAX_NSID + 1)];
	if (ns)
		refcount_inc(&ns->ref);
	return ns;
}

/**
 * vn_ns_put - drop a reference
 * @ns: namespace
 *
 * Context: any.
 */
static inline void vn_ns_put(struct vn_ns *ns)
{
	if (refcount_dec_and_test(&ns->ref))
		queue_work(ns->ctrl->wq, &ns->free_work);
}

/* Is the doorbell at this value? Only a hint: what it covers is not yet read. */
static inline bool vn_db_is(const struct vn_db *db, u32 value)
{
	return value == (db->shadow ? le32_to_cpu(READ_ONCE(*db->shadow)) :
				      READ_ONCE(db->value));
}

/**
 * vn_worker_is_current - is this the worker's own context?
 * @worker: worker
 *
 * It has worker->lock then. Interrupts do not count as its context.
 *
 * Context: any.
 */
static inline bool vn_worker_is_current(const struct vn_worker *worker)
{
	return READ_ONCE(worker->thread) == current && in_task();
}

/**
 * vn_add - add to a counter that anybody may read
 * @counter: the counter; only one writes it at a time
 * @n: how much
 */
static inline void vn_add(u64 *counter, u64 n)
{
	/*
	 * Who reads it meanwhile has the value from before or after. WRITE_ONCE()
	 * would make three instructions of one.
	 */
	data_race(*counter += n);
}

/**
 * vn_count_ns - count a command that reads from a disk or writes to it
 * @req: the command
 * @ns: the disk's namespace
 * @dir: VN_READ or VN_WRITE
 * @commands: 1, or 0 if it does not count as a read or write command (NVM 1.0,
 *	4.1.4.2)
 * @bytes: of data
 *
 * Context: the worker.
 */
static inline void vn_count_ns(const struct vn_req *req, const struct vn_ns *ns,
			       unsigned int dir, unsigned int commands,
			       u64 bytes)
{
	struct vn_count *count = &req->sq->cq->worker->counts[ns->nsid];

	vn_add(&req->sq->bytes[dir], bytes);
	vn_add(&count->commands[dir], commands);
	vn_add(&count->bytes[dir], bytes);
}

/* The same, for the command's namespace */
static inline void vn_count(const struct vn_req *req, unsigned int dir,
			    unsigned int commands, u64 bytes)
{
	vn_count_ns(req, req->ns, dir, commands, bytes);
}

/**
 * vn_region_uaddr - where the owner has an address of a region
 * @r: the region that vn_mem_region() has found
 * @gpa: the guest's address
 *
 * No further than the region, also where the processor only guesses.
 */
static inline u64 vn_region_uaddr(const struct vn_region *r, u64 gpa)
{
	return r->uaddr + array_index_nospec((unsigned long)(gpa - r->gpa),
					     (unsigned long)r->size);
}

/**
 * vn_region_pin - the pinned pages at an address
 * @r: region that is pinned
 * @uaddr: address in it
 */
static inline struct vn_pin *vn_region_pin(const struct vn_region *r, u64 uaddr)
{
	return r->pins[(uaddr >> VN_PIN_SHIFT) - (r->uaddr >> VN_PIN_SHIFT)];
}

static inline bool vn_req_is_read(const struct vn_req *req)
{
	return req->cmd.common.opcode == nvme_cmd_read;
}

static inline bool vn_req_has_sgl(const struct vn_req *req)
{
	return req->cmd.common.flags & NVME_CMD_SGL_ALL;
}

/**
 * vn_data_dirty - did nobody clean the pages while the disk wrote to them?
 * @req: a Read command
 *
 * Pages that are pinned for long are marked when that ends.
 *
 * Context: any.
 */
static inline bool vn_data_dirty(const struct vn_req *req)
{
	return req->mem || vn_data_all_dirty(req);
}

/**
 * vn_data_unmap - undo vn_data_map(), also when it failed
 * @req: the command
 * @redirty: mark the pages dirty first; only where sleeping is allowed
 *
 * Context: any without @redirty.
 */
static inline void vn_data_unmap(struct vn_req *req, bool redirty)
{
	/* Nothing to undo for little data in memory that is pinned for long */
	if (!req->mem || req->bv != req->inline_bv || req->bounce)
		vn_data_unmap_all(req, redirty);
}

#endif /* _VN_VHOST_NVME_H */
