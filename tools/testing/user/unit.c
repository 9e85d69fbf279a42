// SPDX-License-Identifier: GPL-2.0
/*
 * A controller with one queue around those files of the module that parse and execute
 * commands: what ctrl.c, queue.c and worker.c are to them.
 */
#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>

#include "kernel.h"
#include "vhost_nvme.h"

enum unit_context unit_context;
const struct unit_config *unit_config;
struct task_struct *current;
void (*unit_failed)(void);

struct bio_set vn_bio_set;

static struct unit {
	u64			random;
	struct vn_ctrl		ctrl;
	struct vn_worker	worker;
	struct vn_cq		cq;
	struct vn_sq		sq;
	struct vn_ns		ns[UNIT_NS];
	struct task_struct	thread;
	bool			completed;
	u16			status;
	u32			result;
} unit;

/* Its own piece of memory, so that nobody may touch it after its end. */
static struct vn_req *unit_req;

static struct work_struct *unit_works;

void unit_fail(const char *fmt, ...)
{
	void *trace[64];
	va_list args;

	mm_leave();
	fprintf(stderr, "FAILED: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	if (unit_failed)
		unit_failed();
	fflush(NULL);
	backtrace_symbols_fd(trace, backtrace(trace, 64), STDERR_FILENO);
	abort();
}

/* xorshift64 */
uint64_t unit_random(void)
{
	unit.random ^= unit.random << 13;
	unit.random ^= unit.random >> 7;
	unit.random ^= unit.random << 17;
	return unit.random >> 16;
}

bool unit_one_in(unsigned int n)
{
	return !(unit_random() % n);
}

bool unit_fault(void)
{
	return unit_context != UNIT_OUTSIDE && unit_config->faults &&
	       unit_one_in(unit_config->faults);
}

/*
 * Work, and references of the kernel's
 */

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	struct work_struct **last = &unit_works;

	(void)wq;
	if (work->queued)
		return false;
	work->queued = true;
	work->next = NULL;
	while (*last)
		last = &(*last)->next;
	*last = work;
	return true;
}

static void unit_run_works(void)
{
	struct work_struct *work;

	while (unit_works) {
		work = unit_works;
		unit_works = work->next;
		work->queued = false;
		unit_context = UNIT_WORK;
		work->fn(work);
		unit_context = UNIT_OUTSIDE;
	}
}

struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags,
					 int max_active, const char *name)
{
	(void)fmt;
	(void)flags;
	(void)max_active;
	(void)name;
	return kmalloc(sizeof(struct workqueue_struct), GFP_KERNEL);
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	unit_assert(!unit_works, "work is left");
	kfree(wq);
}

int percpu_ref_init(struct percpu_ref *ref, void (*release)(struct percpu_ref *),
		    unsigned int flags, gfp_t gfp)
{
	(void)flags;
	(void)gfp;
	*ref = (struct percpu_ref) { .count = 1, .release = release };
	return 0;
}

void percpu_ref_exit(struct percpu_ref *ref)
{
	unit_assert(ref->dead && !ref->count, "a percpu_ref is in use");
}

void percpu_ref_get(struct percpu_ref *ref)
{
	unit_assert(ref->count > 0, "a reference to what has none");
	ref->count++;
}

void percpu_ref_put(struct percpu_ref *ref)
{
	unit_assert(ref->count > 0, "a reference is put too often");
	if (!--ref->count)
		ref->release(ref);
}

void percpu_ref_kill(struct percpu_ref *ref)
{
	ref->dead = true;
	percpu_ref_put(ref);
}

/*
 * The rest of the module
 */

void vn_ctrl_get(struct vn_ctrl *ctrl)
{
	refcount_inc(&ctrl->ref.refcount);
}

void vn_ctrl_put(struct vn_ctrl *ctrl)
{
	unit_assert(!refcount_dec_and_test(&ctrl->ref.refcount),
		    "the controller's last reference");
}

void vn_ctrl_pause(struct vn_ctrl *ctrl)
{
	lockdep_assert_held(&ctrl->lock);
	mutex_lock(&unit.worker.lock);
}

void vn_ctrl_resume(struct vn_ctrl *ctrl)
{
	lockdep_assert_held(&ctrl->lock);
	mutex_unlock(&unit.worker.lock);
}

void vn_sq_fail(struct vn_sq *sq)
{
	unit_fail("SQ %u fails", sq->sqid);
}

void vn_cq_fail(struct vn_cq *cq)
{
	unit_fail("CQ %u fails", cq->cqid);
}

void vn_event_ns_gone(struct vn_ns *ns)
{
	unit_fail("the disk of namespace %u is gone", ns->nsid);
}

void vn_irq_flush(struct vn_worker *worker)
{
	unit_assert(unit_context == UNIT_WORKER && worker == &unit.worker,
		    "interrupts are the worker's");
}

void vn_poll_add(struct vn_req *req)
{
	unit_fail("command %u is polled for", req->cmd.common.command_id);
}

void vn_poll_del(struct vn_req *req)
{
	unit_fail("command %u was polled for", req->cmd.common.command_id);
}

void vn_req_complete(struct vn_req *req)
{
	unit_assert(req == unit_req && !unit.completed,
		    "a command completes that has completed");
	/* Little data in memory that is pinned for long needs no unmapping. */
	unit_assert(!req->bounce && (!req->bv || (req->mem &&
						  req->bv == req->inline_bv)),
		    "a command completes whose data is mapped");
	unit.completed = true;
	unit.status = req->status;
	unit.result = req->result;
	if (req->mem)
		percpu_ref_put(&req->mem->ref);
	if (req->ns)
		vn_ns_put(req->ns);
	unit_assert(!refcount_dec_and_test(&unit.sq.ref),
		    "the queue's last reference");
	ASAN_POISON_MEMORY_REGION(req, sizeof(*req));
}

/*
 * The controller
 */

/* The regions, in as many parts as the configuration wants, the last one first */
static void unit_table(void)
{
	static union {
		struct vhost_memory	table;
		u8			room[sizeof(struct vhost_memory) +
					     UNIT_REGIONS * UNIT_PIECES *
					     sizeof(struct vhost_memory_region)];
	} arg;
	struct vhost_memory_region *r = arg.table.regions;
	u64 size, done, n;
	unsigned int i, j, pieces;
	int ret;

	memset(&arg, 0, sizeof(arg));
	for (i = UNIT_REGIONS; i--;) {
		size = unit_config->region[i].size;
		pieces = unit_config->region[i].pieces;
		for (j = 0, done = 0; j < pieces && done < size; j++) {
			n = size - done;
			if (j < pieces - 1)
				n = min(n, PAGE_SIZE * (1 + unit_random() % 16));
			*r++ = (struct vhost_memory_region) {
				.guest_phys_addr = unit_config->region[i].gpa +
						   done,
				.memory_size = n,
				.userspace_addr = (uintptr_t)mm_region(i) + done,
			};
			done += n;
		}
	}
	arg.table.nregions = r - arg.table.regions;
	mutex_lock(&unit.ctrl.lock);
	ret = vn_mem_set(&unit.ctrl, &arg.table);
	mutex_unlock(&unit.ctrl.lock);
	unit_assert(!ret, "the memory table is refused: %d", ret);
}

static void unit_namespaces(void)
{
	struct vn_ns *ns;
	unsigned int i;

	for (i = 0; i < UNIT_NS; i++) {
		ns = &unit.ns[i];
		*ns = (struct vn_ns) {
			.ctrl = &unit.ctrl,
			.nsid = i + 1,
			.bdev = block_disk(unit_config->ns[i].disk),
			.nlb = unit_config->ns[i].nlb,
			.lba_shift = unit_config->ns[i].shift,
			.rdonly = unit_config->ns[i].rdonly,
			.nodealloc = unit_config->ns[i].nodealloc,
			.mcl = unit_config->ns[i].mcl,
			.mssrl = unit_config->ns[i].mssrl,
			.msrc = unit_config->ns[i].msrc,
			.turns = vn_turns_create("disk",
						 block_disk(unit_config->ns[i].disk)->bd_disk),
		};
		refcount_set(&ns->ref, 1);
		unit.ctrl.ns[i + 1] = ns;
	}
}

void unit_open(const struct unit_config *config)
{
	struct vn_ctrl *ctrl = &unit.ctrl;
	struct vn_sq *sq = &unit.sq;
	int ret;

	if (!unit_req)
		unit_req = malloc(sizeof(*unit_req));
	unit_assert(unit_req, "no memory for a request");
	memset(&unit, 0, sizeof(unit));
	unit_config = config;
	unit.random = config->seed | 1;
	mm_open();
	block_open();

	refcount_set(&ctrl->ref.refcount, 1);
	ctrl->workers[0] = &unit.worker;
	ctrl->nr_workers = 1;
	ctrl->pin = config->pin;
	ctrl->write_through = config->write_through;
	ctrl->max_transfer = config->max_transfer;
	ctrl->max_verify = config->max_verify;
	ctrl->copy_formats = config->copy_formats;
	ctrl->turns = vn_turns_create("all", NULL);
	unit.worker.ctrl = ctrl;
	unit.worker.thread = &unit.thread;
	unit.cq.ctrl = ctrl;
	unit.cq.worker = &unit.worker;
	unit.cq.cqid = 1;
	sq->ctrl = ctrl;
	sq->cq = &unit.cq;
	sq->sqid = 1;
	sq->entries = PAGE_SIZE / sizeof(struct nvme_command);
	sq->page_shift = config->page_shift;
	refcount_set(&sq->ref, 1);
	unit_namespaces();
	unit_table();
	mutex_lock(&ctrl->lock);
	ret = vn_map_create(ctrl, &sq->map,
			    config->region[UNIT_REGIONS - 1].gpa, PAGE_SIZE);
	mutex_unlock(&ctrl->lock);
	unit_assert(!ret, "the queue is refused: %d", ret);
}

void unit_close(void)
{
	struct vn_ctrl *ctrl = &unit.ctrl;
	unsigned int i;

	mutex_lock(&ctrl->lock);
	vn_map_destroy(ctrl, &unit.sq.map);
	vn_mem_drop(ctrl);
	mutex_unlock(&ctrl->lock);
	unit_run_works();
	vn_turns_destroy(ctrl->turns);
	for (i = 0; i < UNIT_NS; i++)
		vn_turns_destroy(unit.ns[i].turns);
	unit_assert(ctrl->ref.refcount.v == 1, "references to the controller");
	unit_assert(!ctrl->locked_pages.v, "pages charged to the owner");
	mm_check(true);
}

uint8_t *unit_memory(unsigned int region)
{
	return mm_region(region);
}

uint64_t unit_copied(void)
{
	return mm_copied;
}

/* As worker.c does; all that a request does not need to keep is rubbish. */
static void unit_fetch(const void *sqe)
{
	struct vn_req *req = unit_req;
	struct vn_sq *sq = &unit.sq;
	struct vn_mem *mem = unit.ctrl.mem;

	memcpy((u8 *)sq->map.vaddr + sq->head * sizeof(req->cmd), sqe,
	       sizeof(req->cmd));
	ASAN_UNPOISON_MEMORY_REGION(req, sizeof(*req));
	memset(req, 0xa5, sizeof(*req));
	req->sq = sq;
	req->polled = false;
	memcpy(&req->cmd, (u8 *)sq->map.vaddr + sq->head * sizeof(req->cmd),
	       sizeof(req->cmd));
	sq->head = (sq->head + 1) % sq->entries;
	refcount_inc(&sq->ref);
	req->mem = mem->pinned ? mem : NULL;
	if (req->mem)
		percpu_ref_get(&mem->ref);
}

/* What is written through is in no disk's cache when the command completes. */
static void unit_check_cache(const struct nvme_command *cmd)
{
	u32 nsid = le32_to_cpu(cmd->common.nsid);
	unsigned int disk, i;

	switch (cmd->common.opcode) {
	case nvme_cmd_flush:
		for (i = 0; i < UNIT_NS; i++)
			unit_assert((nsid != i + 1 && nsid != NVME_NSID_ALL) ||
				    !block_cached(unit_config->ns[i].disk, false),
				    "Flush has not flushed namespace %u", i + 1);
		return;
	case nvme_cmd_write:
	case nvme_cmd_write_zeroes:
	case 0x19:
		if (cmd->rw.control & cpu_to_le16(NVME_RW_FUA))
			break;
		/* fall through */
	case nvme_cmd_dsm:
		if (unit_config->write_through)
			break;
		return;
	default:
		return;
	}
	disk = unit_config->ns[nsid - 1].disk;
	unit_assert(!block_cached(disk, true),
		    "what was written is in the cache of disk %u", disk);
}

static void unit_check(void)
{
	struct vn_ctrl *ctrl = &unit.ctrl;
	unsigned int i;

	unit_assert(unit.completed, "the command has not completed");
	unit_assert(unit.sq.ref.v == 1, "references to the queue");
	for (i = 0; i < UNIT_NS; i++)
		unit_assert(unit.ns[i].ref.v == 1, "references to namespace %u",
			    i + 1);
	unit_assert(!ctrl->mem->pinned || ctrl->mem->ref.count == 1,
		    "references to the memory table");
	unit_assert(!ctrl->scattered.v && !ctrl->bounce_bytes.v,
		    "%ld segments and %ld bytes of bounce buffers are in use",
		    ctrl->scattered.v, ctrl->bounce_bytes.v);
	mm_check(false);
}

uint16_t unit_execute(const void *sqe, uint32_t *dw0)
{
	struct nvme_command cmd;

	memcpy(&cmd, sqe, sizeof(cmd));
	unit_fetch(sqe);
	unit.completed = false;
	mm_copied = 0;
	mm_remember();
	block_start();
	mm_enter();

	unit_context = UNIT_WORKER;
	current = &unit.thread;
	mutex_lock(&unit.worker.lock);
	unit_req->status = vn_nvm_prep(unit_req);
	/* Within a structure AddressSanitizer does not look. */
	unit_assert(unit_req->bv != unit_req->inline_bv ||
		    unit_req->nr_bv <= VN_INLINE_BVECS,
		    "%u segments where there is room for %u", unit_req->nr_bv,
		    VN_INLINE_BVECS);
	vn_nvm_issue(unit_req);
	mutex_unlock(&unit.worker.lock);
	current = NULL;
	unit_context = UNIT_OUTSIDE;
	while (unit_works || !unit.completed) {
		unit_run_works();
		if (!block_run() && !unit_works)
			break;
	}

	mm_leave();
	unit_check();
	if (!unit.status)
		unit_check_cache(&cmd);
	*dw0 = unit.result;
	return unit.status;
}

/*
 * Memory tables
 */

#define TABLE_MAX	600

static union {
	struct vhost_memory	head;
	u8			room[sizeof(struct vhost_memory) + TABLE_MAX *
				     sizeof(struct vhost_memory_region)];
} unit_arg;

/* An address or a size that is mostly not too bad */
static u64 unit_address(void)
{
	u64 x = unit_random() << 16 ^ unit_random();

	x >>= unit_random() % 64;
	return unit_one_in(200) ? x : x & ~(u64)(PAGE_SIZE - 1);
}

static void unit_make_table(void)
{
	struct vhost_memory_region *r;
	unsigned int i, nr = unit_random() % (unit_one_in(4) ? TABLE_MAX : 9);
	bool row = !unit_one_in(4);
	u64 gpa = unit_address();

	memset(&unit_arg, 0, sizeof(unit_arg));
	unit_arg.head.nregions = nr;
	for (i = 0; i < nr; i++) {
		r = &unit_arg.head.regions[i];
		/* In a row, or with gaps, and then they do not overlap. */
		r->guest_phys_addr = row ? gpa : unit_address();
		r->memory_size = row ? PAGE_SIZE * (1 + unit_random() % 999) :
				       unit_address();
		r->userspace_addr = unit_address() >> 17 & ~(PAGE_SIZE - 1);
		gpa += r->memory_size;
		if (unit_one_in(3))
			gpa += PAGE_SIZE * (unit_random() % 9999);
	}
	if (nr && unit_one_in(8)) {
		r = &unit_arg.head.regions[unit_random() % nr];
		r->flags_padding = unit_one_in(2);
		r->memory_size = unit_one_in(2) ? 0 : -r->guest_phys_addr;
	}
	if (unit_one_in(16))
		unit_arg.head.padding = unit_random();
	/* Not in their order */
	for (i = 1; i < nr; i++) {
		struct vhost_memory_region swap = unit_arg.head.regions[i];
		unsigned int j = unit_random() % (i + 1);

		unit_arg.head.regions[i] = unit_arg.head.regions[j];
		unit_arg.head.regions[j] = swap;
	}
}

static const struct vhost_memory_region *unit_region_of(u64 gpa)
{
	const struct vhost_memory_region *r;
	unsigned int i;

	for (i = 0; i < unit_arg.head.nregions; i++) {
		r = &unit_arg.head.regions[i];
		if (gpa >= r->guest_phys_addr &&
		    gpa - r->guest_phys_addr < r->memory_size)
			return r;
	}
	return NULL;
}

/* What the UAPI says of such a table */
static int unit_table_error(void)
{
	const struct vhost_memory_region *a, *b;
	unsigned int i, j;

	if (unit_arg.head.padding)
		return -EOPNOTSUPP;
	if (unit_arg.head.nregions > VN_MAX_MEM_REGIONS)
		return -E2BIG;
	for (i = 0; i < unit_arg.head.nregions; i++) {
		a = &unit_arg.head.regions[i];
		if (a->flags_padding || !a->memory_size ||
		    (a->guest_phys_addr | a->memory_size | a->userspace_addr) %
		    PAGE_SIZE || a->memory_size - 1 > ~a->guest_phys_addr)
			return -EINVAL;
		if (a->memory_size > 1ULL << 47 ||
		    a->userspace_addr > (1ULL << 47) - a->memory_size)
			return -EFAULT;
	}
	for (i = 0; i < unit_arg.head.nregions; i++) {
		for (j = 0; j < i; j++) {
			a = &unit_arg.head.regions[i];
			b = &unit_arg.head.regions[j];
			if (a->guest_phys_addr <= b->guest_phys_addr +
						  (b->memory_size - 1) &&
			    b->guest_phys_addr <= a->guest_phys_addr +
						  (a->memory_size - 1))
				return -EINVAL;
		}
	}
	return 0;
}

static void unit_try_address(u64 gpa)
{
	const struct vhost_memory_region *r = unit_region_of(gpa);
	u64 uaddr = 0, run = 0, len = 1 + unit_random() % (1 << 24), want;
	bool found;

	found = vn_mem_find(unit.ctrl.mem, gpa, len, &uaddr, &run);
	unit_assert(found == !!r, "address %#llx is %s the table",
		    (unsigned long long)gpa, r ? "in" : "not in");
	if (!r)
		return;
	want = min(len, r->memory_size - (gpa - r->guest_phys_addr));
	unit_assert(run == want && uaddr == r->userspace_addr +
		    (gpa - r->guest_phys_addr),
		    "address %#llx is elsewhere, or goes on for %llu bytes",
		    (unsigned long long)gpa, (unsigned long long)run);
}

void unit_try_table(uint64_t seed)
{
	static const struct unit_config nothing;
	const struct vhost_memory_region *r;
	unsigned int i, nr;
	int ret, want;

	memset(&unit, 0, sizeof(unit));
	unit_config = &nothing;
	unit.random = seed | 1;
	refcount_set(&unit.ctrl.ref.refcount, 1);
	unit_make_table();
	want = unit_table_error();
	mutex_lock(&unit.ctrl.lock);
	ret = vn_mem_set(&unit.ctrl, &unit_arg.head);
	/* If more than one thing is wrong, it may be either. */
	unit_assert(ret == want || (ret && want && ret != -ENOMEM),
		    "the table is answered with %d, not %d", ret, want);
	nr = ret ? 0 : unit_arg.head.nregions;
	for (i = 0; i < nr; i++) {
		r = &unit_arg.head.regions[i];
		unit_try_address(r->guest_phys_addr);
		unit_try_address(r->guest_phys_addr - 1);
		unit_try_address(r->guest_phys_addr + r->memory_size - 1);
		unit_try_address(r->guest_phys_addr + r->memory_size);
		unit_try_address(unit_address());
	}
	if (!ret)
		vn_mem_drop(&unit.ctrl);
	mutex_unlock(&unit.ctrl.lock);
	mm_check(true);
}
