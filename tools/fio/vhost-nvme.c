// SPDX-License-Identifier: GPL-2.0
/*
 * fio I/O engine that drives /dev/vhost-nvme without a VM: fio plays the guest
 * and its monitor by means of libvng. See README.
 *
 * A job is a controller of its own with one queue pair; a file is a namespace.
 * The command identifier is the index of the io_u. fio's buffers are guest
 * memory, so data is not copied.
 *
 * fio calls the hooks of a job in this order: (open_file and close_file, in the
 * parent, to learn the size,) init, iomem_alloc, post_init, open_file, then
 * queue, commit, getevents and event, close_file, iomem_free, cleanup.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fio.h"
#include "optgroup.h"

#include "vng.h"

/* Guest physical addresses of queues and lists, and of fio's buffers */
#define GPA_RINGS	0x100000ULL
#define GPA_BUFFERS	0x100000000ULL

#define HUGE_PAGE	(2UL << 20)
#define PRPS_PER_PAGE	(4096 / sizeof(uint64_t))

/* Empty looks at a polled CQ between two looks at the clock */
#define SPINS		4096

struct vn_options {
	void *pad;		/* fio takes offset 0 for "no such member" */
	unsigned int entries;
	unsigned int shadow;
	unsigned int hipri;
	unsigned int poll_us;
	unsigned int hugepages;
	unsigned int pin;
	unsigned int poll_disk;
	char *counters;
};

static struct fio_option options[] = {
	{
		.name	= "entries",
		.lname	= "Queue entries",
		.type	= FIO_OPT_INT,
		.off1	= offsetof(struct vn_options, entries),
		.def	= "1024",
		.help	= "Entries of the SQ and of the CQ, more than iodepth",
		.category = FIO_OPT_C_ENGINE,
		.group	= FIO_OPT_G_INVALID,
	},
	{
		.name	= "shadow",
		.lname	= "Shadow doorbells",
		.type	= FIO_OPT_BOOL,
		.off1	= offsetof(struct vn_options, shadow),
		.def	= "1",
		.help	= "Use shadow doorbells; otherwise each doorbell is an ioctl",
		.category = FIO_OPT_C_ENGINE,
		.group	= FIO_OPT_G_INVALID,
	},
	{
		.name	= "hipri",
		.lname	= "Polled completions",
		.type	= FIO_OPT_STR_SET,
		.off1	= offsetof(struct vn_options, hipri),
		.help	= "Poll the CQ, which has no interrupt then",
		.category = FIO_OPT_C_ENGINE,
		.group	= FIO_OPT_G_INVALID,
	},
	{
		.name	= "poll_us",
		.lname	= "Polling of the worker",
		.type	= FIO_OPT_INT,
		.off1	= offsetof(struct vn_options, poll_us),
		.def	= "50",
		.help	= "Upper limit of the worker's polling window in us; 0: never poll",
		.category = FIO_OPT_C_ENGINE,
		.group	= FIO_OPT_G_INVALID,
	},
	{
		.name	= "hugepages",
		.lname	= "Huge pages",
		.type	= FIO_OPT_BOOL,
		.off1	= offsetof(struct vn_options, hugepages),
		.def	= "0",
		.help	= "Buffers in 2 MiB pages of hugetlbfs",
		.category = FIO_OPT_C_ENGINE,
		.group	= FIO_OPT_G_INVALID,
	},
	{
		.name	= "pin",
		.lname	= "Pinned memory",
		.type	= FIO_OPT_BOOL,
		.off1	= offsetof(struct vn_options, pin),
		.def	= "0",
		.help	= "Pin all buffers once, instead of each for its command",
		.category = FIO_OPT_C_ENGINE,
		.group	= FIO_OPT_G_INVALID,
	},
	{
		.name	= "poll_disk",
		.lname	= "Polled disk",
		.type	= FIO_OPT_BOOL,
		.off1	= offsetof(struct vn_options, poll_disk),
		.def	= "0",
		.help	= "The worker polls the poll queues of disks that have some",
		.category = FIO_OPT_C_ENGINE,
		.group	= FIO_OPT_G_INVALID,
	},
	{
		.name	= "counters",
		.lname	= "Counters",
		.type	= FIO_OPT_STR_STORE,
		.off1	= offsetof(struct vn_options, counters),
		.help	= "File to append a line with the job's kernel counters to",
		.category = FIO_OPT_C_ENGINE,
		.group	= FIO_OPT_G_INVALID,
	},
	{
		.name	= NULL,
	},
};

/**
 * struct slot - what belongs to one command identifier
 * @io_u: the unit that has it
 * @list: its PRP list in guest memory
 * @list_gpa: where that is
 * @listed: first page of the buffer that @list describes
 * @prps: entries that it has for that
 * @range: its range for Dataset Management in guest memory
 * @range_gpa: where that is
 */
struct slot {
	struct io_u		*io_u;
	uint64_t		*list;
	uint64_t		list_gpa;
	uint64_t		listed;
	unsigned int		prps;
	struct vng_dsm_range	*range;
	uint64_t		range_gpa;
};

/**
 * struct engine - a job's controller
 * @g: the guest
 * @sq: its submission queue
 * @cq: its completion queue
 * @buffers: fio's buffers, NULL in a job that only trims
 * @slot: by command identifier
 * @list_pages: pages of one slot's PRP list
 * @events: what getevents found, for event
 * @lba_shift: by file
 * @epoll: waits for the interrupt, -1 in a job that polls
 * @fua: Writes bypass the disk's cache (sync=1)
 */
struct engine {
	struct vng	g;
	struct vng_sq	sq;
	struct vng_cq	cq;
	char		*buffers;
	struct slot	*slot;
	unsigned int	list_pages;
	struct io_u	**events;
	unsigned int	*lba_shift;
	int		epoll;
	bool		fua;
};

/* fio wants a positive errno, and the words where the user sees them. */
static int failed(struct thread_data *td, struct engine *e, int err)
{
	log_err("fio: vhost-nvme: %s\n", vng_msg(&e->g));
	td_verror(td, -err, "vhost-nvme");
	return 1;
}

/* Pages of the list for a buffer that may start inside a page */
static unsigned int list_pages(unsigned long long bytes)
{
	unsigned int prps = (bytes + 2 * 4095) / 4096 - 1;

	/* The last entry of all pages but the last leads to the next. */
	return prps <= 1 ? 0 : (prps - 2) / (PRPS_PER_PAGE - 1) + 1;
}

static void engine_free(struct engine *e)
{
	if (e->epoll >= 0)
		close(e->epoll);
	vng_close(&e->g);
	free(e->lba_shift);
	free(e->events);
	free(e->slot);
	free(e);
}

/* In one write, because other jobs may append to the same file. */
static int write_counters(struct engine *e, const char *job, const char *path)
{
	struct vhost_nvme_stats w, s, c;
	int fd, ret;

	ret = vng_stats(&e->g, VHOST_NVME_STATS_WORKER, 0, &w);
	ret = ret ?: vng_stats(&e->g, VHOST_NVME_STATS_SQ, e->sq.id, &s);
	ret = ret ?: vng_stats(&e->g, VHOST_NVME_STATS_CQ, e->cq.id, &c);
	if (ret)
		return ret;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return vng_fail(&e->g, -errno, "%s", path);
	if (dprintf(fd, "job=%s commands=%llu errors=%llu bounced=%llu retries=%llu kicks=%llu doorbells=%llu irqs=%llu wakeups=%llu passes=%llu busy_passes=%llu\n",
		    job, s.commands, s.errors, s.bounced, s.retries,
		    s.kicks + c.kicks, s.doorbells + c.doorbells, c.irqs,
		    w.wakeups, w.passes, w.busy_passes) < 0)
		ret = vng_fail(&e->g, -errno, "%s", path);
	close(fd);
	return ret;
}

static void vn_cleanup(struct thread_data *td)
{
	struct vn_options *o = td->eo;
	struct engine *e = td->io_ops_data;
	int ret;

	if (!e)
		return;
	if (o->counters && e->sq.g) {
		ret = write_counters(e, td->o.name, o->counters);
		if (ret)
			failed(td, e, ret);
	}
	engine_free(e);
}

/* Memory for the rings, the doorbells, and the slots' lists and ranges */
static int add_rings(struct engine *e, unsigned int entries, unsigned int depth)
{
	size_t size = entries * sizeof(struct vng_sqe);

	/* Each ring and doorbell page, and the ranges, begin a page. */
	size += entries * sizeof(struct vng_cqe);
	size += depth * (e->list_pages * 4096 + sizeof(struct vng_dsm_range));
	size = (size + 5 * 4096 + 4095) & ~4095UL;
	return vng_mem_add(&e->g, VNG_MEM_ANON, GPA_RINGS, size);
}

static int add_slots(struct engine *e, unsigned int depth)
{
	size_t range = sizeof(struct vng_dsm_range), list = e->list_pages * 4096;
	uint64_t ranges, lists = 0;
	unsigned int i;

	ranges = vng_alloc(&e->g, depth * range, 4096);
	if (list)
		lists = vng_alloc(&e->g, depth * list, 4096);
	if (!ranges || (list && !lists))
		return -ENOMEM;
	for (i = 0; i < depth; i++) {
		e->slot[i].range_gpa = ranges + i * range;
		e->slot[i].range = vng_ptr(&e->g, e->slot[i].range_gpa, range);
		if (!list)
			continue;
		e->slot[i].list_gpa = lists + i * list;
		e->slot[i].list = vng_ptr(&e->g, e->slot[i].list_gpa, list);
	}
	return 0;
}

static int vn_init(struct thread_data *td)
{
	struct vn_options *o = td->eo;
	unsigned int depth = td->o.iodepth;
	uint64_t features = 0;
	struct engine *e;
	int ret;

	e = calloc(1, sizeof(*e));
	if (!e) {
		td_verror(td, ENOMEM, "vhost-nvme");
		return 1;
	}
	e->epoll = -1;
	e->fua = td->o.sync_io;
	ret = vng_open(&e->g);
	if (ret) {
		failed(td, e, ret);
		free(e);
		return 1;
	}

	e->list_pages = list_pages(td_max_bs(td));
	e->slot = calloc(depth, sizeof(*e->slot));
	e->events = calloc(depth, sizeof(*e->events));
	e->lba_shift = calloc(td->o.nr_files, sizeof(*e->lba_shift));
	if (!e->slot || !e->events || !e->lba_shift) {
		ret = vng_fail(&e->g, -ENOMEM, "iodepth %u", depth);
		goto err;
	}
	if (o->entries <= depth || o->entries > e->g.caps.max_entries) {
		ret = vng_fail(&e->g, -EINVAL,
			       "entries=%u: more than iodepth, at most %u",
			       o->entries, e->g.caps.max_entries);
		goto err;
	}
	if (td->o.nr_files > e->g.caps.max_nsid) {
		ret = vng_fail(&e->g, -EINVAL, "more than %u files",
			       e->g.caps.max_nsid);
		goto err;
	}
	if (td_max_bs(td) > e->g.caps.max_transfer) {
		ret = vng_fail(&e->g, -EINVAL, "a block size above %u",
			       e->g.caps.max_transfer);
		goto err;
	}

	ret = vng_set_owner(&e->g);
	ret = ret ?: vng_set_poll(&e->g, o->poll_us);
	if (o->pin)
		features |= 1ULL << VHOST_NVME_F_PIN;
	if (o->poll_disk)
		features |= 1ULL << VHOST_NVME_F_POLL_DISK;
	if (!ret && features)
		ret = vng_set_features(&e->g, features);
	if (ret)
		goto err;
	ret = add_rings(e, o->entries, depth);
	if (ret < 0)
		goto err;
	td->io_ops_data = e;
	return 0;

err:
	failed(td, e, ret);
	engine_free(e);
	return 1;
}

static int vn_iomem_alloc(struct thread_data *td, size_t size)
{
	struct vn_options *o = td->eo;
	struct engine *e = td->io_ops_data;
	int ret;

	size = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	ret = vng_mem_add(&e->g, o->hugepages ? VNG_MEM_HUGETLB : VNG_MEM_ANON,
			  GPA_BUFFERS, size);
	if (ret < 0)
		return failed(td, e, ret);
	e->buffers = e->g.region[ret].hva;
	/* As QEMU does with guest memory; no loss where it is not possible */
	if (!o->hugepages)
		madvise(e->buffers, size, MADV_HUGEPAGE);
	td->orig_buffer = e->buffers;
	return 0;
}

/* The kernel may use the buffers until cleanup has closed the controller. */
static void vn_iomem_free(struct thread_data *td)
{
}

/*
 * An edge-triggered epoll needs one system call for an interrupt, where poll()
 * and read() of the eventfd are two.
 */
static int add_epoll(struct engine *e)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll < 0 ||
	    epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->cq.irq_fd, &ev))
		return vng_fail(&e->g, -errno, "epoll");
	return 0;
}

static int vn_post_init(struct thread_data *td)
{
	struct vn_options *o = td->eo;
	struct engine *e = td->io_ops_data;
	int ret;

	ret = vng_mem_publish(&e->g);
	if (!ret && o->shadow)
		ret = vng_dbbuf_on(&e->g);
	ret = ret ?: vng_cq_create(&e->g, &e->cq, 1, o->entries,
				   VNG_KICK | (o->hipri ? 0 : VNG_IEN));
	ret = ret ?: vng_sq_create(&e->g, &e->sq, 1, &e->cq, o->entries,
				   VNG_KICK);
	ret = ret ?: add_slots(e, td->o.iodepth);
	if (!ret && !o->hipri)
		ret = add_epoll(e);
	return ret ? failed(td, e, ret) : 0;
}

static int vn_open_file(struct thread_data *td, struct fio_file *f)
{
	struct engine *e = td->io_ops_data;
	unsigned int flags = 0, lba_shift;
	int ret, lba;

	ret = generic_open_file(td, f);
	if (ret || !e)
		return ret;

	if (ioctl(f->fd, BLKSSZGET, &lba)) {
		ret = vng_fail(&e->g, -errno, "%s: no block device",
			       f->file_name);
		goto err;
	}
	lba_shift = ffs(lba) - 1;
	e->lba_shift[f->fileno] = lba_shift;
	if ((fcntl(f->fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		flags |= VHOST_NVME_NS_RDONLY;
	ret = vng_set_ns(&e->g, f->fileno + 1, f->fd, lba_shift, 0, flags);
	if (ret)
		goto err;
	return 0;

err:
	failed(td, e, ret);
	if (generic_close_file(td, f))
		log_err("fio: vhost-nvme: close %s\n", f->file_name);
	return 1;
}

static int vn_close_file(struct thread_data *td, struct fio_file *f)
{
	struct engine *e = td->io_ops_data;
	int ret = 0;

	if (e)
		ret = vng_set_ns(&e->g, f->fileno + 1, -1, 0, 0, 0);
	if (ret)
		failed(td, e, ret);
	return generic_close_file(td, f) ?: ret;
}

/* A list of @prps pages from @page on */
static void fill_list(struct slot *slot, uint64_t page, unsigned int prps)
{
	uint64_t *entry = slot->list, next = slot->list_gpa;

	slot->listed = page;
	slot->prps = prps;
	for (; prps; prps--, entry++) {
		if ((entry - slot->list) % PRPS_PER_PAGE == PRPS_PER_PAGE - 1 &&
		    prps > 1) {
			next += 4096;
			*entry++ = htole64(next);
		}
		*entry = htole64(page);
		page += 4096;
	}
}

static void set_prps(struct engine *e, struct slot *slot, struct vng_sqe *sqe,
		     void *buf, size_t len)
{
	uint64_t gpa = GPA_BUFFERS + ((char *)buf - e->buffers);
	uint64_t page = (gpa & ~4095ULL) + 4096;
	unsigned int prps = ((gpa & 4095) + len - 1) / 4096;

	sqe->prp1 = htole64(gpa);
	if (prps == 1) {
		sqe->prp2 = htole64(page);
	} else if (prps) {
		/* An io_u keeps its buffer, and so mostly its list. */
		if (slot->listed != page || slot->prps != prps)
			fill_list(slot, page, prps);
		sqe->prp2 = htole64(slot->list_gpa);
	}
}

static int build(struct engine *e, struct io_u *io_u, struct vng_sqe *sqe)
{
	unsigned int shift = e->lba_shift[io_u->file->fileno];
	struct slot *slot = &e->slot[io_u->index];
	uint64_t lba = io_u->offset >> shift;
	uint64_t nlb = io_u->xfer_buflen >> shift;
	uint32_t nsid = io_u->file->fileno + 1;

	if (ddir_sync(io_u->ddir)) {
		vng_cmd_flush(sqe, nsid);
		return io_u->ddir == DDIR_SYNC_FILE_RANGE ? -EINVAL : 0;
	}
	if ((io_u->offset | io_u->xfer_buflen) & ((1U << shift) - 1) || !nlb)
		return -EINVAL;

	switch (io_u->ddir) {
	case DDIR_TRIM:
		if (nlb > UINT_MAX)
			return -EINVAL;
		slot->range->nlb = htole32(nlb);
		slot->range->slba = htole64(lba);
		vng_cmd_dsm(sqe, nsid, 1, VNG_DSM_AD);
		sqe->prp1 = htole64(slot->range_gpa);
		return 0;
	case DDIR_READ:
	case DDIR_WRITE:
		vng_cmd_rw(sqe, io_u->ddir == DDIR_READ ? VNG_CMD_READ :
			   VNG_CMD_WRITE, nsid, lba, nlb);
		if (e->fua && io_u->ddir == DDIR_WRITE)
			sqe->cdw12 |= htole32(VNG_RW_FUA);
		set_prps(e, slot, sqe, io_u->xfer_buf, io_u->xfer_buflen);
		return 0;
	default:
		return -EINVAL;
	}
}

static enum fio_q_status vn_queue(struct thread_data *td, struct io_u *io_u)
{
	struct engine *e = td->io_ops_data;
	struct vng_sqe sqe;
	int ret;

	fio_ro_check(td, io_u);
	if (!vng_sq_room(&e->sq))
		return FIO_Q_BUSY;
	ret = build(e, io_u, &sqe);
	if (ret) {
		io_u->error = -ret;
		return FIO_Q_COMPLETED;
	}
	sqe.cid = htole16(io_u->index);
	e->slot[io_u->index].io_u = io_u;
	vng_sq_push(&e->sq, &sqe);
	return FIO_Q_QUEUED;
}

/* One doorbell for all that was queued */
static int vn_commit(struct thread_data *td)
{
	struct engine *e = td->io_ops_data;
	struct vng_sq *sq = &e->sq;
	unsigned int i, nr = 0;
	bool timed = fio_fill_issue_time(td);
	struct timespec now;
	int ret;

	if (sq->tail == sq->last_tail)
		return 0;
	if (timed)
		fio_gettime(&now, NULL);
	for (i = sq->last_tail; i != sq->tail; nr++) {
		struct io_u *io_u = e->slot[le16toh(sq->ring[i].cid)].io_u;

		if (timed) {
			io_u->issue_time = now;
			io_u_queued(td, io_u);
		}
		if (++i == sq->entries)
			i = 0;
	}
	/* For the replay of a log */
	if (timed && td->o.read_iolog_file)
		td->last_issue = now;
	io_u_mark_submit(td, nr);
	ret = vng_sq_ring(sq);
	if (ret)
		failed(td, e, ret);
	return ret;
}

static int status_to_errno(unsigned int status)
{
	switch (status & VNG_SC_MASK) {
	case VNG_SC_SUCCESS:
		return 0;
	case VNG_SC_INVALID_FIELD:
	case VNG_SC_LBA_RANGE:
		return EINVAL;
	case VNG_SC_INVALID_OPCODE:
		return EOPNOTSUPP;
	case VNG_SC_NS_WRITE_PROTECTED:
	case VNG_SC_READ_ONLY:
		return EROFS;
	default:
		return EIO;
	}
}

/* The next completion into events[nr]: 1, or 0 if there is none */
static int reap(struct engine *e, unsigned int depth, unsigned int nr)
{
	unsigned int cid, status;
	struct vng_cqe cqe;
	struct io_u *io_u;
	int ret;

	ret = vng_cq_peek(&e->cq, &cqe);
	if (ret <= 0)
		return ret;
	cid = le16toh(cqe.cid);
	io_u = cid < depth ? e->slot[cid].io_u : NULL;
	if (!io_u)
		return vng_fail(&e->g, -EBADMSG, "completion of CID %u", cid);
	e->slot[cid].io_u = NULL;
	status = vng_status(&cqe);
	io_u->error = status_to_errno(status);
	if (status)
		log_err("fio: vhost-nvme: %s at %llu: status %#x\n",
			io_ddir_name(io_u->ddir), io_u->offset, status);
	e->events[nr] = io_u;
	return 1;
}

/* Sleep until the interrupt, or look for a while */
static int wait_for_cqe(struct engine *e, uint64_t end)
{
	struct vng_cqe *slot = &e->cq.ring[e->cq.head];
	uint64_t now = vng_now_ms();
	struct epoll_event ev;
	unsigned int i;

	if (now >= end)
		return vng_fail(&e->g, -ETIMEDOUT, "no completion in %u ms",
				e->g.timeout_ms);
	if (e->epoll >= 0) {
		if (epoll_wait(e->epoll, &ev, 1, end - now) < 0 &&
		    errno != EINTR)
			return vng_fail(&e->g, -errno, "epoll_wait");
		return 0;
	}
	/*
	 * Without PAUSE, as fio's io_uring engine does it: where the CPU is emulated,
	 * that takes QEMU's lock each time, and keeps it from who emulates the disk.
	 */
	for (i = 0; i < SPINS; i++)
		if ((le16toh(__atomic_load_n(&slot->status, __ATOMIC_RELAXED)) &
		     1) == e->cq.phase)
			break;
	return 0;
}

static int vn_getevents(struct thread_data *td, unsigned int min,
			unsigned int max, const struct timespec *t)
{
	struct engine *e = td->io_ops_data;
	unsigned int events = 0, rung = 0;
	uint64_t end = 0;
	int ret;

	for (;;) {
		while (events < max) {
			ret = reap(e, td->o.iodepth, events);
			if (ret < 0)
				goto err;
			if (!ret)
				break;
			events++;
		}
		if (events != rung) {
			ret = vng_cq_ring(&e->cq);
			if (ret)
				goto err;
			rung = events;
			end = 0;
		}
		if (events >= min)
			return events;
		/* Many completions are there at once and need no clock. */
		if (!end)
			end = vng_now_ms() + e->g.timeout_ms;
		ret = wait_for_cqe(e, end);
		if (ret)
			goto err;
	}
err:
	failed(td, e, ret);
	return ret;
}

static struct io_u *vn_event(struct thread_data *td, int event)
{
	struct engine *e = td->io_ops_data;

	return e->events[event];
}

/* Declared so that nothing but this symbol is exported. */
__attribute__((visibility("default"))) extern struct ioengine_ops ioengine;

struct ioengine_ops ioengine = {
	.name			= "vhost-nvme",
	.version		= FIO_IOOPS_VERSION,
	.flags			= FIO_RAWIO | FIO_MEMALIGN | FIO_NOEXTEND |
				  FIO_NO_OFFLOAD | FIO_ASYNCIO_SETS_ISSUE_TIME,
	.init			= vn_init,
	.iomem_alloc		= vn_iomem_alloc,
	.iomem_free		= vn_iomem_free,
	.post_init		= vn_post_init,
	.open_file		= vn_open_file,
	.close_file		= vn_close_file,
	.get_file_size		= generic_get_file_size,
	.queue			= vn_queue,
	.commit			= vn_commit,
	.getevents		= vn_getevents,
	.event			= vn_event,
	.cleanup		= vn_cleanup,
	.options		= options,
	.option_struct_size	= sizeof(struct vn_options),
};
